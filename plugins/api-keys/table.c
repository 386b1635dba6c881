/* Reads lines `NAME:SHA256` and `NAME:SHA256:TENANT`. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midge_plugin.h"

/* More would not fit into the memory that an instance has by default. */
#define OWNERS_MAX 50000

__attribute__((format(printf, 4, 5))) static bool wrong(char *why, size_t why_len, size_t line, const char *format, ...) {
  va_list arguments;
  int len = snprintf(why, why_len, "line %zu: ", line);
  va_start(arguments, format);
  if (len > 0 && (size_t)len < why_len) vsnprintf(why + len, why_len - (size_t)len, format, arguments);
  va_end(arguments);
  return false;
}

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

static bool read_digest(const char *hex, uint8_t digest[DIGEST_BYTES]) {
  if (strlen(hex) != 2 * DIGEST_BYTES) return false;
  for (size_t i = 0; i < DIGEST_BYTES; i++) {
    int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

/* One line, terminated. Cuts it in place. */
static bool read_line(owner_t *owner, char *line, size_t number, char *why, size_t why_len) {
  char *digest = strchr(line, ':');
  if (digest == NULL) return wrong(why, why_len, number, "no colon; a line is NAME:SHA256 or NAME:SHA256:TENANT");
  *digest++ = '\0';
  char *tenant = strchr(digest, ':');
  if (tenant != NULL) *tenant++ = '\0';
  if (*line == '\0') return wrong(why, why_len, number, "no name before the colon");
  if (tenant != NULL && *tenant == '\0') return wrong(why, why_len, number, "no tenant after the second colon");
  if (!read_digest(digest, owner->digest)) {
    /* Perhaps it is the key itself: it must not be in the log. */
    return wrong(why, why_len, number, "what follows %s is no SHA-256: 64 hexadecimal digits", line);
  }
  owner->name = line;
  owner->tenant = tenant;
  return true;
}

static int by_digest(const void *a, const void *b) {
  return memcmp(((const owner_t *)a)->digest, ((const owner_t *)b)->digest, DIGEST_BYTES);
}

/* The line's end becomes its terminator; a carriage return before it goes too. Returns where the next line begins. */
static char *cut(char *line) {
  char *end = line + strcspn(line, "\n"), *next = *end == '\n' ? end + 1 : end;
  if (end > line && end[-1] == '\r') end--;
  *end = '\0';
  return next;
}

bool table_parse(table_t *table, const uint8_t *text, size_t len, char *why, size_t why_len) {
  size_t lines = 1, number = 0;
  for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
  table->count = 0;
  table->text = midge_alloc(len + 1, 1);
  memcpy(table->text, text, len);
  table->owners = midge_alloc(lines < OWNERS_MAX ? lines : OWNERS_MAX, sizeof *table->owners);
  bool is_good = memchr(text, '\0', len) == NULL || wrong(why, why_len, 1, "the file is not text");
  for (char *line = table->text, *next; is_good && *line != '\0'; line = next) {
    number++;
    next = cut(line);
    if (*line == '\0' || *line == '#') continue;
    if (table->count == OWNERS_MAX) is_good = wrong(why, why_len, number, "more than %d keys", OWNERS_MAX);
    else is_good = read_line(&table->owners[table->count++], line, number, why, why_len);
  }
  qsort(table->owners, table->count, sizeof *table->owners, by_digest);
  for (size_t i = 1; is_good && i < table->count; i++) {
    const owner_t *one = &table->owners[i - 1], *other = &table->owners[i];
    if (by_digest(one, other) == 0) {
      snprintf(why, why_len, "%s and %s have the same key", one->name, other->name);
      is_good = false;
    }
  }
  if (!is_good) table_free(table);
  return is_good;
}

const owner_t *table_find(const table_t *table, const uint8_t digest[DIGEST_BYTES]) {
  owner_t wanted;
  memcpy(wanted.digest, digest, DIGEST_BYTES);
  return bsearch(&wanted, table->owners, table->count, sizeof wanted, by_digest);
}

void table_free(table_t *table) {
  free(table->owners);
  free(table->text);
  memset(table, 0, sizeof *table);
}
