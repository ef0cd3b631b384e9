#include "lib/doc/json.h"

#include <stdarg.h>

static json_t *json_walk(const json_t *value, va_list keys)
{
    // Getters hand out what jansson's own json_object_get does: a borrowed reference, not const.
    json_t *at = (json_t *)value;
    for (const char *key = va_arg(keys, const char *); key != NULL;
         key = va_arg(keys, const char *)) {
        at = json_object_get(at, key); // NULL for NULL and for what is no object
    }
    return json_is_null(at) ? NULL : at;
}

json_t *json_get(const json_t *value, ...)
{
    va_list keys;
    va_start(keys, value);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return found;
}

json_t *json_get_object(const json_t *value, ...)
{
    va_list keys;
    va_start(keys, value);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return json_is_object(found) ? found : NULL;
}

json_t *json_get_array(const json_t *value, ...)
{
    va_list keys;
    va_start(keys, value);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return json_is_array(found) ? found : NULL;
}

const char *json_get_string(const json_t *value, ...)
{
    va_list keys;
    va_start(keys, value);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return json_string_value(found); // NULL for what is no string
}

bool json_get_bool(const json_t *value, int fallback, ...)
{
    va_list keys;
    va_start(keys, fallback);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return json_is_boolean(found) ? json_is_true(found) : fallback != 0;
}

int64_t json_get_int(const json_t *value, int64_t fallback, ...)
{
    va_list keys;
    va_start(keys, fallback);
    json_t *found = json_walk(value, keys);
    va_end(keys);
    return json_is_integer(found) ? json_integer_value(found) : fallback;
}
