// What another program repeats of a secret.
#include "lib/base/secret.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *value;
    const char *text;
    const char *hidden;
} cases[] = {
    {"hunter2", "invalid value A=hunter2", "invalid value A=***"},
    {"hunter2", "hunter2hunter2 hunter", "****** hunter"},
    {"hunter2", "", ""},
    // Words and numbers of ordinary messages.
    {"debug", "level debug", "level debug"},
    {"5002", "bind 127.0.0.1:5002", "bind 127.0.0.1:5002"},
    {"", "nothing", "nothing"},
    // As it is, and as Go and JSON write it.
    {"pass\"word-1\\secret\n", "A=pass\"word-1\\secret\n.", "A=pass\"***\\***\n."},
    {"pass\"word-1\\secret\n", "A=\"pass\\\"word-1\\\\secret\\n\".",
     "A=\"pass\\\"***\\\\***\\n\"."},
    {"gr\xc3\xbc\xc3\x9f gott", "gr\xc3\xbc\xc3\x9f gott", "gr\xc3\xbc\xc3\x9f gott"},
    {"line one\nline two", "line two, line one", "***, ***"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct secrets *secrets = NULL;
        assert_int_equal(secrets_new(&secrets), 0);
        assert_int_equal(secrets_add(secrets, cases[i].value), 0);
        _cleanup_free_ char *hidden = secret_hide(cases[i].text);
        assert_string_equal(hidden, cases[i].hidden);
        secrets_free(secrets);
        _cleanup_free_ char *shown = secret_hide(cases[i].text);
        assert_string_equal(shown, cases[i].text);
    }
    assert_null(secret_hide(NULL));
    secrets_free(NULL);
}

// The longest of several that begin alike, whoever has it.
static void test_owners(void **state)
{
    (void)state;
    struct secrets *first = NULL;
    struct secrets *second = NULL;
    assert_int_equal(secrets_new(&first), 0);
    assert_int_equal(secrets_new(&second), 0);
    assert_int_equal(secrets_add(first, "secret"), 0);
    assert_int_equal(secrets_add(first, "password"), 0);
    assert_int_equal(secrets_add(second, "secret-of-the-second"), 0);
    _cleanup_free_ char *both = secret_hide("secret-of-the-second, secret, password");
    assert_string_equal(both, "***, ***, ***");
    secrets_free(second);
    _cleanup_free_ char *one = secret_hide("secret-of-the-second, secret, password");
    assert_string_equal(one, "***-of-the-second, ***, ***");
    secrets_free(first);
}

static void test_long_text(void **state)
{
    (void)state;
    static char text[1u << 20];
    memset(text, 'x', sizeof(text) - 1);
    struct secrets *secrets = NULL;
    assert_int_equal(secrets_new(&secrets), 0);
    assert_int_equal(secrets_add(secrets, "xxxxxxxy"), 0);
    _cleanup_free_ char *hidden = secret_hide(text);
    assert_true(strlen(hidden) > 1000 && strlen(hidden) < 10000);
    secrets_free(secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
