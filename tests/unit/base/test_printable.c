#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *printable;
} cases[] = {
    {"", ""},
    {"as it is: é € 😀 \xc2\xa0", "as it is: é € 😀 \xc2\xa0"},
    {"a\tb\r\nc", "a b  c"},
    {"\x1b[31m\x07\x7f", "?[31m??"},
    {"a\xc2\x9b"
     "31m",
     "a??31m"},
    {"\xff\x80", "??"},
    {"cut \xe2\x82", "cut ??"},
    {"\xc0\xaf\xed\xa0\x80", "?????"},
};

static void text_becomes_a_line(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *copy = str_dup(cases[i].text);
        assert_non_null(copy);
        str_make_printable(copy);
        assert_string_equal(copy, cases[i].printable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
