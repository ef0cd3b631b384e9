// A growable byte buffer with a maximum, always followed by a NUL that is not counted.
#pragma once

#include "lib/base/cleanup.h"

#include <stddef.h>

struct buf {
    char *data; // NULL while nothing was appended
    size_t length;
    size_t allocated;
    size_t max; // bytes it may hold
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

// Appends or leaves the buffer as it was. Returns 0, or -EFBIG beyond the maximum.
int buf_append(struct buf *buf, const void *data, size_t length);
int buf_append_str(struct buf *buf, const char *s);
int buf_printf(struct buf *buf, const char *format, ...) _printf_(2, 3);

// Removes what is beyond length, which is at most what it has.
void buf_truncate(struct buf *buf, size_t length);

// The contents as a string, "" when empty; borrowed until the next change.
const char *buf_str(const struct buf *buf);

// Hands the contents over (caller frees; an empty string for an empty buffer) and leaves the buffer
// empty.
char *buf_take(struct buf *buf);

// Frees the contents; the maximum stays.
void buf_done(struct buf *buf);

#define _cleanup_buf_ _cleanup_(buf_done)
