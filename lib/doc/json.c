#include "lib/doc/json.h"

#include "lib/base/alloc.h"

#include <errno.h>
#include <stdarg.h>

__attribute__((constructor)) static void use_xmalloc(void)
{
    json_set_alloc_funcs(xmalloc, free);
}

int json_parse(const char *text, size_t length, json_t **ret, int *ret_position)
{
    json_error_t problem = {0};
    json_t *value = json_loadb(text, length, 0, &problem);
    if (value == NULL) {
        if (ret_position != NULL) {
            *ret_position = problem.position;
        }
        return -EBADMSG;
    }
    *ret = value;
    return 0;
}

struct sink {
    struct buf *buf;
    int r; // of the first append that failed: jansson 2.14 goes on after the key of an object
};

static int sink_write(const char *data, size_t length, void *ctx)
{
    struct sink *sink = ctx;
    if (sink->r == 0) {
        sink->r = buf_append(sink->buf, data, length);
    }
    return sink->r;
}

int json_print(struct buf *buf, const json_t *value, size_t flags)
{
    struct sink sink = {.buf = buf};
    int r = json_dump_callback(value, sink_write, &sink, flags);
    return sink.r < 0 ? sink.r : r < 0 ? -EINVAL : 0;
}

static json_t *walk(const json_t *value, va_list keys)
{
    // Getters hand out what jansson's own json_object_get does: a borrowed reference, not const.
    json_t *at = (json_t *)value;
    for (const char *key = va_arg(keys, const char *); key != NULL;
         key = va_arg(keys, const char *)) {
        at = json_object_get(at, key); // NULL for NULL and for what is no object
    }
    return json_is_null(at) ? NULL : at;
}

// What the keys behind the parameter `last` lead to.
#define WALK(value, last)                                                                          \
    __extension__({                                                                                \
        va_list keys;                                                                              \
        va_start(keys, last);                                                                      \
        json_t *found = walk(value, keys);                                                         \
        va_end(keys);                                                                              \
        found;                                                                                     \
    })

json_t *json_get(const json_t *value, ...)
{
    return WALK(value, value);
}

json_t *json_get_object(const json_t *value, ...)
{
    json_t *at = WALK(value, value);
    return json_is_object(at) ? at : NULL;
}

json_t *json_get_array(const json_t *value, ...)
{
    json_t *at = WALK(value, value);
    return json_is_array(at) ? at : NULL;
}

const char *json_get_string(const json_t *value, ...)
{
    return json_string_value(WALK(value, value)); // NULL for what is no string
}

bool json_get_bool(const json_t *value, int fallback, ...)
{
    const json_t *at = WALK(value, fallback);
    return json_is_boolean(at) ? json_is_true(at) : fallback != 0;
}

int64_t json_get_int(const json_t *value, int64_t fallback, ...)
{
    const json_t *at = WALK(value, fallback);
    return json_is_integer(at) ? json_integer_value(at) : fallback;
}
