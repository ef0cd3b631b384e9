#include "lib/base/buf.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST_ALLOCATION 256

static int buf_reserve(struct buf *buf, size_t extra)
{
    if (extra > buf->max || buf->length > buf->max - extra) {
        return -EFBIG;
    }
    size_t need = buf->length + extra + 1;
    if (need <= buf->allocated) {
        return 0;
    }
    size_t size = buf->allocated == 0 ? BUF_FIRST_ALLOCATION : buf->allocated * 2;
    while (size < need) {
        size *= 2;
    }
    char *data = realloc(buf->data, size);
    if (data == NULL) {
        return -ENOMEM;
    }
    buf->data = data;
    buf->allocated = size;
    return 0;
}

int buf_append(struct buf *buf, const void *data, size_t length)
{
    int r = buf_reserve(buf, length);
    if (r < 0) {
        return r;
    }
    if (length > 0) {
        memcpy(buf->data + buf->length, data, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
    return 0;
}

int buf_append_str(struct buf *buf, const char *s)
{
    return buf_append(buf, s, strlen(s));
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        return -EINVAL;
    }
    int r = buf_reserve(buf, (size_t)n);
    if (r < 0) {
        return r;
    }
    va_start(args, format);
    (void)vsnprintf(buf->data + buf->length, (size_t)n + 1, format, args);
    va_end(args);
    buf->length += (size_t)n;
    return 0;
}

void buf_cut(struct buf *buf, size_t at, size_t n)
{
    if (n > 0) {
        memmove(buf->data + at, buf->data + at + n, buf->length - at - n + 1);
        buf->length -= n;
    }
}

void buf_truncate(struct buf *buf, size_t length)
{
    if (length < buf->length) {
        buf->length = length;
        buf->data[length] = '\0';
    }
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data == NULL ? str_dup("") : buf->data;
    *buf = BUF_INIT(buf->max);
    return data;
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT(buf->max);
}
