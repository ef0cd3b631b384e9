// What may reach a terminal and a journal.
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *printable;
} cases[] = {
    {"", ""},
    {"a b", "a b"},
    {"a\nb\r\nc\td", "a b  c d"},
    {"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"},
    {"\x01\x7f", "??"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\xc2\xa0", "\xc2\xa0"},
    // C1, in UTF-8 and as single bytes.
    {"\xc2\x9b"
     "2J",
     "??2J"},
    {"\xc2\x80\xc2\x9f", "????"},
    {"\x9b"
     "2J",
     "?2J"},
    // No UTF-8: too long a form, a surrogate, beyond the last code point, cut.
    {"\xc0\x9b", "??"},
    {"\xed\xa0\x80", "???"},
    {"\xf4\x90\x80\x80", "????"},
    {"\xe2\x82", "??"},
};

static void test_printable(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text = str_dup(cases[i].text);
        assert_non_null(text);
        str_make_printable(text);
        assert_string_equal(text, cases[i].printable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
