#include "lib/doc/json_memo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(struct json_memo *memo, const char *text)
{
    json_t *value = NULL;
    assert_int_equal(json_memo_parse(memo, text, strlen(text), &value), 0);
    return value;
}

static void test_same_text(void **state)
{
    (void)state;
    struct json_memo memo = {0};
    json_auto_t *first = parse(&memo, "[1, 2]");
    json_auto_t *again = parse(&memo, "[1, 2]");
    assert_ptr_equal(again, first);
    json_auto_t *other = parse(&memo, "[1, 3]");
    assert_ptr_not_equal(other, first);
    assert_int_equal(json_integer_value(json_array_get(other, 1)), 3);
    json_auto_t *shorter = parse(&memo, "[1]");
    assert_int_equal(json_array_size(shorter), 1);
    assert_int_equal(json_array_size(first), 2); // who has it keeps it
    json_memo_done(&memo);
    assert_int_equal(first->refcount, 2); // both of ours
}

static void test_no_json(void **state)
{
    (void)state;
    struct json_memo memo = {0};
    json_auto_t *before = parse(&memo, "{}");
    json_t *value = NULL;
    assert_int_equal(json_memo_parse(&memo, "{", 1, &value), -EBADMSG);
    assert_int_equal(json_memo_parse(&memo, "{", 1, &value), -EBADMSG);
    assert_null(value);
    json_auto_t *after = parse(&memo, "{}");
    assert_true(json_equal(after, before));
    json_memo_done(&memo);
}

static void test_large_text(void **state)
{
    (void)state;
    static char text[JSON_MEMO_MAX + 2];
    memset(text, ' ', sizeof(text) - 1);
    text[0] = '[';
    text[sizeof(text) - 2] = ']';
    struct json_memo memo = {0};
    json_auto_t *value = parse(&memo, text);
    assert_true(json_is_array(value));
    assert_null(memo.text);
    text[sizeof(text) - 2] = ' ';
    text[sizeof(text) - 3] = ']';
    text[sizeof(text) - 2] = '\0';
    json_auto_t *smaller = parse(&memo, text);
    assert_ptr_equal(memo.value, smaller);
    json_memo_done(&memo);
}

static void test_without(void **state)
{
    (void)state;
    json_auto_t *first = parse(NULL, "[]");
    json_auto_t *again = parse(NULL, "[]");
    assert_ptr_not_equal(first, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_text),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_large_text),
        cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
