#include "tests/support/json_text.h"

#include "lib/base/file.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_BYTES_MAX (1024u * 1024u)

char *json_text(const char *text)
{
    if (str_ends_with(text, ".json")) {
        _cleanup_free_ char *path = str_printf(TEST_DATA "/fixtures/%s", text);
        char *content = NULL;
        size_t length = 0;
        assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, FILE_REGULAR, &content, &length, NULL),
                         0);
        return content;
    }
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
