/* The file of keys, read. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

/* Whose a key is. */
typedef struct {
  /* SHA-256 of the key. */
  uint8_t digest[DIGEST_BYTES];
  /* The principal; terminated, part of the table's text. */
  char *name;
  /* The tenant, or NULL. */
  char *tenant;
} owner_t;

/* All owners, by digest. */
typedef struct {
  char *text;
  owner_t *owners;
  size_t count;
} table_t;

/* Reads a file's text. Returns false, and says in `why` which line is wrong and what would be right, when there is one. */
bool table_parse(table_t *table, const uint8_t *text, size_t len, char *why, size_t why_len);

/* Whose the key with this digest is; NULL when it is nobody's. */
const owner_t *table_find(const table_t *table, const uint8_t digest[DIGEST_BYTES]);

/* Frees what `table_parse` made. */
void table_free(table_t *table);

#endif
