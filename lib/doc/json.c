#include "lib/doc/json.h"

#include "lib/base/alloc.h"

#include <errno.h>
#include <stdarg.h>

__attribute__((constructor)) static void use_xmalloc(void)
{
    json_set_alloc_funcs(xmalloc, free);
}

int json_print(struct buf *buf, const json_t *value, size_t flags)
{
    _cleanup_free_ char *text = json_dumps(value, flags);
    return text == NULL ? -EINVAL : buf_append_str(buf, text);
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
