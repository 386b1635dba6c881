/* What wasi-libc would ask an operating system for, answered from the contract, so that a plugin imports no WASI.
 *
 * printf and assert go to the broker's log, a line each (standard output as info, standard error as warn); time() and
 * getentropy() work; there are no files, no environment, no arguments and no sockets. A function of libc that needs one
 * of those does not link with this file: the build then says which. */
#include <string.h>

#include "midge.h"

/* Numbers of WASI preview 1. */
#define SUCCESS 0
#define BADF 8
#define CHARACTER_DEVICE 2

#define WASI(name) __imported_wasi_snapshot_preview1_##name

typedef struct {
  const uint8_t *ptr;
  uint32_t len;
} wasi_ciovec_t;

static void wasi_log(int32_t fd, const uint8_t *text, size_t len) {
  midge_list_tuple2_string_string_t none = {NULL, 0};
  while (len > 0) {
    const uint8_t *end = memchr(text, '\n', len);
    size_t line_len = end == NULL ? len : (size_t)(end - text);
    midge_string_t line = {(uint8_t *)text, line_len};
    if (line_len > 0) midge_log_write(fd == 2 ? MIDGE_LOG_LEVEL_WARN : MIDGE_LOG_LEVEL_INFO, &line, &none);
    size_t taken = end == NULL ? len : line_len + 1;
    text += taken;
    len -= taken;
  }
}

int32_t WASI(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t written) {
  const wasi_ciovec_t *parts = (const wasi_ciovec_t *)vectors;
  uint8_t line[512];
  size_t len = 0, total = 0;
  if (fd != 1 && fd != 2) return BADF;
  for (int32_t part = 0; part < count; part++) {
    total += parts[part].len;
    for (uint32_t at = 0; at < parts[part].len; at++) {
      if (len == sizeof line) {
        wasi_log(fd, line, len);
        len = 0;
      }
      line[len++] = parts[part].ptr[at];
    }
  }
  wasi_log(fd, line, len);
  *(uint32_t *)written = (uint32_t)total;
  return SUCCESS;
}

/* A terminal, as far as libc can see: it then writes after each line. */
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t stat) {
  if (fd < 0 || fd > 2) return BADF;
  memset((void *)stat, 0, 24);
  *(uint8_t *)stat = CHARACTER_DEVICE;
  return SUCCESS;
}

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t at) {
  (void)fd, (void)offset, (void)whence, (void)at;
  return BADF;
}

int32_t WASI(fd_close)(int32_t fd) {
  (void)fd;
  return BADF;
}

int32_t WASI(clock_time_get)(int32_t clock, int64_t precision, int32_t time) {
  (void)precision;
  *(uint64_t *)time = clock == 0 ? midge_clock_unix_ms() * 1000000 : midge_clock_monotonic_ns();
  return SUCCESS;
}

int32_t WASI(random_get)(int32_t to, int32_t len) {
  midge_list_u8_t bytes;
  midge_clock_random((uint32_t)len, &bytes);
  memcpy((void *)to, bytes.ptr, bytes.len);
  midge_list_u8_free(&bytes);
  return SUCCESS;
}

_Noreturn void WASI(proc_exit)(int32_t code) {
  (void)code;
  __builtin_trap();
}
