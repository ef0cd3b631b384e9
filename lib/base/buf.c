#include "lib/base/buf.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define BUF_FIRST_ALLOCATION 256

int buf_append(struct buf *buf, const void *data, size_t length)
{
    if (length > buf->max - buf->length) {
        return -EFBIG;
    }
    size_t need = buf->length + length + 1;
    if (need > buf->allocated) {
        size_t size = buf->allocated == 0 ? BUF_FIRST_ALLOCATION : 2 * buf->allocated;
        buf->allocated = MAX(need, size);
        buf->data = xrealloc(buf->data, buf->allocated);
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
    _cleanup_free_ char *s = str_vprintf(format, args);
    va_end(args);
    return buf_append_str(buf, s);
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
