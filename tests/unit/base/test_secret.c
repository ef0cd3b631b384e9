// What another program repeats of a secret.
#include "lib/base/secret.h"
#include "tests/support/unit.h"

#include <malloc.h>
#include <string.h>

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

static void assert_hidden(const struct secrets *secrets, const char *text, const char *expected)
{
    _cleanup_free_ char *hidden = secrets_hide(secrets, text);
    assert_string_equal(hidden, expected);
}

static void test_values(_unused_ void **state)
{
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_(secrets_freep) struct secrets *secrets = secrets_new();
        _cleanup_(secrets_freep) struct secrets *none = secrets_new();
        secrets_add(secrets, cases[i].value);
        assert_hidden(secrets, cases[i].text, cases[i].hidden);
        assert_hidden(none, cases[i].text, cases[i].text);
        assert_null(secrets_hide(secrets, NULL));
    }
    secrets_free(NULL);
}

// The longest of several that begin alike. A value that comes again, as it does with each
// observation, takes no more place.
static void test_set(_unused_ void **state)
{
    _cleanup_(secrets_freep) struct secrets *secrets = secrets_new();
    for (int i = 0; i < 1000; i++) {
        secrets_add(secrets, "secret");
        secrets_add(secrets, "password\nsecret-of-the-second");
        secrets_add(secrets, "");
        secrets_add(secrets, NULL);
    }
    assert_hidden(secrets, "secret-of-the-second, secret, password", "***, ***, ***");
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++) {
        secrets_add(secrets, "secret-of-the-second");
    }
    assert_int_equal(mallinfo2().uordblks, before.uordblks);
}

static void test_long_text(_unused_ void **state)
{
    static char text[1u << 20];
    memset(text, 'x', sizeof(text) - 1);
    _cleanup_(secrets_freep) struct secrets *secrets = secrets_new();
    secrets_add(secrets, "xxxxxxxy");
    _cleanup_free_ char *hidden = secrets_hide(secrets, text);
    assert_true(strlen(hidden) > 1000 && strlen(hidden) < 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
