// Every allocation of parsing and printing fails: the value is whole or there is none.
#include "tests/support/alloc_cases.h"

#include "lib/base/str.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096
#define TENS "0123456789"

// What jansson's buffer has to grow for ends at each of its sizes and beside it.
static const char *const texts[] = {
    "{}",
    "[true, null, 12, -1.5e3, \"a\"]",
    "[12345678901234]",
    "[123456789012345]",
    "[1234567890123456]",
    "[1234567890123456789, \"" TENS TENS TENS TENS "\"]",
    "[1.2345678901234567890123456789]",
    "[1.23456789012345678901234567890]",
    "[\"x\", 123456789012345]",
    "{\"x\": [], \"y\": 123456789012345}",
    "{\"a\": {\"" TENS "abcde\": [\"" TENS "\", \"" TENS "abcd\"]}}",
    "[\"" TENS "ab\", \"" TENS "abc\", \"" TENS "abcd\", \"" TENS "abcde\"]",
    "[\"" TENS TENS "12345678\", \"" TENS TENS "123456789\"]",
    "[\"" TENS TENS TENS TENS TENS TENS "0\"]",
    "[\"" TENS TENS TENS TENS TENS TENS "01\"]",
    "[\"" TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS "\"]",
    "[\"" TENS "ab\\n\", \"" TENS TENS "abcdefg\\u00e9\\\"\\\\\"]",
    ("{\"metadata\": {\"name\": \"registry-ui\", \"labels\": {\"app.kubernetes.io/name\": \"x\"}},"
     " \"spec\": {\"ports\": [{\"port\": 80, \"protocol\": \"TCP\"}], \"clusterIP\": "
     "\"10.0.0.1\"}}"),
};

static json_t *value_of(const char *text)
{
    json_t *value = NULL;
    assert_int_equal(json_parse(text, strlen(text), &value, NULL), 0);
    return value;
}

struct parsing {
    const char *text;
    const json_t *value;
};

static int parse(void *ctx)
{
    const struct parsing *parsing = ctx;
    json_auto_t *value = NULL;
    int r = json_parse(parsing->text, strlen(parsing->text), &value, NULL);
    assert_int_equal(r == 0, value != NULL);
    assert_true(value == NULL || json_equal(value, parsing->value));
    return r;
}

static void test_parse(void **state)
{
    uint64_t *failed = *state;
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        json_auto_t *value = value_of(texts[i]);
        *failed += alloc_fail_each(parse, &(struct parsing){texts[i], value}, 0);
    }
}

static int parse_bad(void *ctx)
{
    json_t *value = NULL;
    const char *text = ctx;
    return json_parse(text, strlen(text), &value, NULL);
}

static void test_parse_bad(void **state)
{
    uint64_t *failed = *state;
    static char bad[][80] = {"",
                             "[1",
                             "{\"a\": \"b",
                             "nonsense",
                             "{\"a\" 1}",
                             "[\"\\x\"]",
                             "{\"01234567890123456789\": [1, 2, {\"x\": nothing"};
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        *failed += alloc_fail_each(parse_bad, bad[i], -EBADMSG);
    }
}

struct printing {
    const json_t *value;
    const char *text;
};

static int print(void *ctx)
{
    const struct printing *printing = ctx;
    _cleanup_buf_ struct buf buf = BUF_INIT(TEXT_MAX);
    int r = json_print(&buf, printing->value, JSON_COMPACT | JSON_SORT_KEYS);
    assert_true(r < 0 || str_equal(buf_str(&buf), printing->text));
    return r;
}

static void test_print(void **state)
{
    uint64_t *failed = *state;
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        json_auto_t *value = value_of(texts[i]);
        _cleanup_free_ char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        *failed += alloc_fail_each(print, &(struct printing){value, text}, 0);
    }
}

static void test_print_bounds(void **state)
{
    (void)state;
    json_auto_t *value = value_of("{\"a\": \"" TENS "\"}");
    struct buf buf = BUF_INIT(12);
    assert_int_equal(json_print(&buf, value, JSON_COMPACT), -EFBIG);
    buf_done(&buf);
    assert_int_equal(json_print(&buf, NULL, JSON_COMPACT), -ENOMEM);
    buf_done(&buf);
}

static void test_parse_bounds(void **state)
{
    (void)state;
    json_t *value = NULL;
    int position = 0;
    assert_int_equal(json_parse("[1, x]", 6, &value, &position), -EBADMSG);
    assert_int_equal(position, 5);
    assert_int_equal(json_parse("[1]x", 3, &value, NULL), 0); // length counts
    json_decref(value);
}

static int say(void **state)
{
    const uint64_t *failed = *state;
    print_message("%llu allocations failed\n", (unsigned long long)*failed);
    return 0;
}

int main(void)
{
    static uint64_t failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_parse, &failed),
        cmocka_unit_test_prestate(test_parse_bad, &failed),
        cmocka_unit_test_prestate_setup_teardown(test_print, NULL, say, &failed),
        cmocka_unit_test(test_print_bounds),
        cmocka_unit_test(test_parse_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
