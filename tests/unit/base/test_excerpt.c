#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void excerpt_one(const char *s, size_t size, const char *expected)
{
    // Of exactly this size, so that a byte too many shows.
    _cleanup_free_ char *out = malloc(size);
    assert_non_null(out);
    str_excerpt(s, out, size);
    assert_string_equal(out, expected);
}

static void test_excerpt(void **state)
{
    (void)state;
    excerpt_one("", 8, "");
    excerpt_one(" \r\n\t", 8, "");
    excerpt_one("abcd", 8, "abcd");
    excerpt_one("abcd\n", 8, "abcd");
    excerpt_one("abcde", 8, "abcd...");
    excerpt_one("abc d", 8, "abc...");
    excerpt_one("  a \x1b[31m\x7f b\n", 32, "a [31m b");
    // "é" and "€" are not cut in two.
    excerpt_one("abcé", 8, "abc...");
    excerpt_one("abé", 8, "abé");
    excerpt_one("ab€", 8, "ab...");
    excerpt_one("€€", 8, "€...");
    // Bytes that are no UTF-8 do no harm.
    excerpt_one("\x80\x80\x80\x80\x80\x80\x80\x80", 8, "...");
    excerpt_one("a \x80\x80\x80\x80\x80", 8, "a...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_excerpt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
