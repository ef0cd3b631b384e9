#include "lib/base/base64.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

static void test_decodes(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *data;
        size_t length;
    } cases[] = {
        // RFC 4648, section 10
        {"", "", 0},
        {"Zg==", "f", 1},
        {"Zm8=", "fo", 2},
        {"Zm9v", "foo", 3},
        {"Zm9vYg==", "foob", 4},
        {"Zm9vYmE=", "fooba", 5},
        {"Zm9vYmFy", "foobar", 6},
        {"AP/+", "\0\xff\xfe", 3},
        {"Zm9v\r\nYm\nE=\n", "fooba", 5},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *data = NULL;
        size_t length = 99;
        assert_int_equal(base64_decode(cases[i].text, strlen(cases[i].text), &data, &length), 0);
        assert_int_equal(length, cases[i].length);
        assert_memory_equal(data, cases[i].data, length + 1);
    }
    // The length counts, not a NUL.
    _cleanup_free_ char *data = NULL;
    size_t length = 0;
    assert_int_equal(base64_decode("Zm9vYmFy", 4, &data, &length), 0);
    assert_string_equal(data, "foo");
    assert_int_equal(base64_decode("Zm9v\0Zm9v", 9, &(char *){NULL}, &length), -EINVAL);
}

static void test_refuses(_unused_ void **state)
{
    static const char *const cases[] = {
        "Z",        "Zg",    "Zg=",  "Zm9",  "=",     "====", "Z===",  "Zg=A",
        "Zg==Zg==", "Zg===", "Zh==", "Zm9=", "Zm 9v", "Zm9_", "Zm9v!", "Zm9\xc3"};
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char *data = NULL;
        size_t length = 99;
        assert_int_equal(base64_decode(cases[i], strlen(cases[i]), &data, &length), -EINVAL);
        assert_null(data);
        assert_int_equal(length, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
