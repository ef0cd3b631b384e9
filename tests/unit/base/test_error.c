#include "lib/base/error.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <string.h>

static void test_set(_unused_ void **state)
{
    struct error err = {.status = 500, .retry_ms = 7};
    assert_int_equal(error_set(&err, ERROR_CONFLICT, ENOENT, "%s\n%d \r\n", "no such", 1), -ENOENT);
    assert_int_equal(err.kind, ERROR_CONFLICT);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(err.status, 0);
    assert_int_equal(err.retry_ms, 0);
    assert_string_equal(err.text, "no such 1");
    assert_int_equal(error_set(NULL, ERROR_TRANSIENT, EIO, "nobody asks"), -EIO);
    assert_int_equal(error_invalid(&err, "must be %d", 2), -EINVAL);
    assert_int_equal(err.kind, ERROR_PERMANENT);
    assert_string_equal(err.text, "must be 2");
}

static void test_wrap(_unused_ void **state)
{
    struct error err;
    (void)error_set(&err, ERROR_TRANSIENT, ETIMEDOUT, "no answer");
    assert_int_equal(error_wrap(&err, "list\x1b %s", "pods"), -ETIMEDOUT);
    assert_string_equal(err.text, "list? pods: no answer");
    assert_int_equal(err.kind, ERROR_TRANSIENT);
    assert_int_equal(error_wrap(NULL, "list"), -EIO);

    // The outer part is what is kept of a text that is too long.
    for (int i = 0; i < 100; i++) {
        (void)error_wrap(&err, "outer %d", i);
    }
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_true(str_starts_with(err.text, "outer 99: outer 98: "));
}

static void test_own(_unused_ void **state)
{
    static const struct {
        int code;
        bool own;
    } cases[] = {{ECANCELED, true}, {EMFILE, true},        {ENFILE, true}, {ETIMEDOUT, false},
                 {ENOENT, false},   {ECONNREFUSED, false}, {EINVAL, false}};
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct error err;
        (void)error_set(&err, ERROR_TRANSIENT, cases[i].code, "text");
        assert_int_equal(error_is_own(&err), cases[i].own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
