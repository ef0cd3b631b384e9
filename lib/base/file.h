// Whole small files.
#pragma once

#include "lib/base/error.h"

#include <stddef.h>

// What may be read. Whatever else has the path (a FIFO, a device, a socket, a directory) is an
// error at once: it could be waited for without end.
enum file_source {
    FILE_REGULAR,
    // Also an anonymous pipe, as /dev/stdin and <(…) of a shell name one. Its writer is waited for;
    // nothing at all is an error, since a pipe that was read before looks like that.
    FILE_OR_PIPE,
};

// Reads a file of at most max bytes. Returns 0 with *ret owned by the caller and followed by a NUL
// that is not counted, or -errno: -EFBIG, -EBUSY for a file that is written to meanwhile
// (transient, the others are permanent), -EINVAL for what is no file. err is the end of a sentence
// about the file: "cannot be read: …", "is a FIFO, not a file". The contents may be a secret: no
// other copy is left in memory.
int file_read(const char *path, size_t max, enum file_source source, char **ret, size_t *ret_length,
              struct error *err) _must_check_;

// Puts a file that only its owner may read in the place of what has that path, whole or not at all.
// Returns 0 or -errno.
int file_replace(const char *path, const char *data, size_t length) _must_check_;
