#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>

// What may reach a terminal and a journal.
static void text_is_made_printable(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *printable;
    } cases[] = {
        {"", ""},
        {"a b", "a b"},
        {"a\nb\r\nc\td", "a b  c d"},
        {"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"},
        {"\x01\x7f", "??"},
        {"caf\u00e9 \u20ac \U0001f600", "caf\u00e9 \u20ac \U0001f600"},
        {"\u00a0", "\u00a0"},
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
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text = str_dup(cases[i].text);
        str_make_printable(text);
        assert_string_equal(text, cases[i].printable);
    }
}

static void an_excerpt_is_one_line(_unused_ void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *excerpt;
    } cases[] = {
        {"", 8, ""},
        {" \r\n\t", 8, ""},
        {"abcd", 8, "abcd"},
        {"abcd\n", 8, "abcd"},
        {"abcde", 8, "abcd..."},
        {"abc d", 8, "abc..."},
        {"  a \x1b[31m\x7f b\n", 32, "a [31m b"},
        // No character is cut in two.
        {"abc\u00e9", 8, "abc..."},
        {"ab\u00e9", 8, "ab\u00e9"},
        {"ab\u20ac", 8, "ab..."},
        {"\u20ac\u20ac", 8, "\u20ac..."},
        // Bytes that are no UTF-8 do no harm.
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 8, "..."},
        {"a \x80\x80\x80\x80\x80", 8, "a..."},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        // Of exactly this size, so that a byte too many shows.
        _cleanup_free_ char *out = malloc(cases[i].size);
        assert_non_null(out);
        str_excerpt(cases[i].text, out, cases[i].size);
        assert_string_equal(out, cases[i].excerpt);
    }
}

// From the vectors of http://www.isthe.com/chongo/src/fnv/test_fnv.c
static void hashes_are_known(_unused_ void **state)
{
    assert_int_equal(str_hash(""), 0xcbf29ce484222325);
    assert_int_equal(str_hash("a"), 0xaf63dc4c8601ec8c);
    assert_int_equal(str_hash("foobar"), 0x85944171f73967e8);
}

static void numbers_are_digits_alone(_unused_ void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        int r;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0, 0},
        {"007", 7, 0, 7},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"8", 7, -ERANGE, 0},
        {"", 9, -EINVAL, 0},
        {"-1", 9, -EINVAL, 0},
        {"+1", 9, -EINVAL, 0},
        {" 1", 9, -EINVAL, 0},
        {"1 ", 9, -EINVAL, 0},
        {"0x1", 9, -EINVAL, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t value = 0;
        assert_int_equal(str_to_u64(cases[i].text, cases[i].max, &value), cases[i].r);
        assert_int_equal(value, cases[i].value);
    }
}

static void bytes_have_a_unit(_unused_ void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},         {999, "999 B"},         {1000, "1.0 kB"},        {999949, "999.9 kB"},
        {999950, "1.0 MB"}, {1234567890, "1.2 GB"}, {UINT64_MAX, "18.4 EB"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text = str_bytes(cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_printable), cmocka_unit_test(an_excerpt_is_one_line),
        cmocka_unit_test(hashes_are_known),       cmocka_unit_test(numbers_are_digits_alone),
        cmocka_unit_test(bytes_have_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
