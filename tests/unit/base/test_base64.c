#include "lib/base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void decodes_one(const char *text, const char *expected, size_t expected_length)
{
    _cleanup_free_ char *data = NULL;
    size_t length = 99;
    assert_int_equal(base64_decode(text, strlen(text), &data, &length), 0);
    assert_int_equal(length, expected_length);
    assert_memory_equal(data, expected, expected_length + 1);
}

static void test_decodes(void **state)
{
    (void)state;
    // RFC 4648, section 10
    decodes_one("", "", 0);
    decodes_one("Zg==", "f", 1);
    decodes_one("Zm8=", "fo", 2);
    decodes_one("Zm9v", "foo", 3);
    decodes_one("Zm9vYg==", "foob", 4);
    decodes_one("Zm9vYmE=", "fooba", 5);
    decodes_one("Zm9vYmFy", "foobar", 6);
    decodes_one("AP/+", "\0\xff\xfe", 3);
    decodes_one("Zm9v\r\nYm\nE=\n", "fooba", 5);
}

static void refuses_one(const char *text)
{
    char *data = NULL;
    size_t length = 99;
    assert_int_equal(base64_decode(text, strlen(text), &data, &length), -EINVAL);
    assert_null(data);
    assert_int_equal(length, 99);
}

static void test_refuses(void **state)
{
    (void)state;
    refuses_one("Z");
    refuses_one("Zg");
    refuses_one("Zg=");
    refuses_one("Zm9");
    refuses_one("=");
    refuses_one("====");
    refuses_one("Z===");
    refuses_one("Zg=A");
    refuses_one("Zg==Zg==");
    refuses_one("Zg===");
    refuses_one("Zh==");
    refuses_one("Zm9=");
    refuses_one("Zm 9v");
    refuses_one("Zm9_");
    refuses_one("Zm9v!");
    refuses_one("Zm9\xc3");
}

// The length counts, not a NUL.
static void test_length(void **state)
{
    (void)state;
    _cleanup_free_ char *data = NULL;
    size_t length = 0;
    assert_int_equal(base64_decode("Zm9vYmFy", 4, &data, &length), 0);
    assert_string_equal(data, "foo");
    assert_int_equal(base64_decode("Zm9v\0Zm9v", 9, &(char *){NULL}, &length), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
