// Whole small files.
#pragma once

#include "lib/base/cleanup.h"

#include <stddef.h>
#include <stdio.h>

// Reads a file of at most max bytes. Returns 0 with *ret owned by the caller and followed by a NUL
// that is not counted; -EFBIG, -ENOMEM, or what open and read say. The contents may be a secret:
// no other copy is left in memory.
int file_read(const char *path, size_t max, char **ret, size_t *ret_length) _must_check_;

// Reads until the end or until size bytes are there. Returns 0 with their number in *ret_length, or
// -errno.
int file_read_some(int fd, char *data, size_t size, size_t *ret_length) _must_check_;

// Puts a file that only its owner may read in the place of what has that path, whole or not at all;
// write returns 0 or -errno. Returns 0, -ENOMEM, or what write, open, fclose or rename say.
int file_replace(const char *path, int (*write)(void *ctx, FILE *stream), void *ctx) _must_check_;
