// Whole small files.
#pragma once

#include "lib/base/cleanup.h"

#include <stddef.h>

// Reads a file of at most max bytes. Returns 0 with *ret owned by the caller and followed by a NUL
// that is not counted; -EFBIG, -ENOMEM, or what open and read say. The contents may be a secret:
// no other copy is left in memory.
int file_read(const char *path, size_t max, char **ret, size_t *ret_length) _must_check_;
