#include "tests/support/json_text.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

char *json_text(const char *text)
{
    char *copy = str_dup(text);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    return copy;
}

json_t *json_of(const char *text)
{
    _cleanup_free_ char *copy = json_text(text);
    json_t *value = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL) {
        fail_msg("%s", text);
    }
    return value;
}
