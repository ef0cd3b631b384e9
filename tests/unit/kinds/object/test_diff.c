#include "lib/kinds/object/diff.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void diff_one(bool subset, const char *current, const char *desired, const char *expected)
{
    json_auto_t *a = json_loads(current, 0, NULL);
    json_auto_t *b = json_loads(desired, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    struct plan plan = {0};
    struct action *action = plan_add_action(&plan, &(struct action){.resource = "x"});
    bool differs = object_diff(&plan, action, a, b, subset);
    _cleanup_buf_ struct buf lines = BUF_INIT((size_t)1024 * 1024);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)buf_printf(&lines, "%s: %s -> %s\n", field->path,
                         field->current == NULL ? "-" : field->current,
                         field->desired == NULL ? "-" : field->desired);
    }
    assert_string_equal(buf_str(&lines), expected);
    assert_true(differs == (action->field_count > 0));
    assert_true(object_diff(NULL, NULL, a, b, subset) == differs);
    plan_done(&plan);
}

static void test_values(void **state)
{
    (void)state;
    diff_one(false, "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":true}}",
             "{\"b\":{\"d\":true,\"c\":\"x\"},\"a\":1}", "");
    diff_one(false, "{\"a\":1,\"b\":{\"c\":\"x\"},\"e\":[]}",
             "{\"a\":2,\"b\":{\"d\":null},\"e\":{}}",
             "a: 1 -> 2\nb.d: - -> null\nb.c: \"x\" -> -\ne: [] -> {}\n");
    diff_one(false, "{\"a\":{\"b\":{\"c\":1,\"d\":[]}},\"e\":[1]}", "{\"e\":{\"f\":1}}",
             "e: [...] -> {...}\na.b.c: 1 -> -\na.b.d: [] -> -\n");
    diff_one(false, "{\"a.b/c\":\"\\n\\u00e4\"}", "{\"a.b/c\":\"\"}",
             "a.b/c: \"\\n\\u00E4\" -> \"\"\n");
}

static void test_lists(void **state)
{
    (void)state;
    diff_one(false, "{\"a\":[1,2,3]}", "{\"a\":[1,9]}", "a[1]: 2 -> 9\na[2]: 3 -> -\n");
    // By name, in whatever order.
    diff_one(false, "{\"a\":[{\"name\":\"x\",\"v\":1},{\"name\":\"y\",\"v\":2}]}",
             "{\"a\":[{\"name\":\"y\",\"v\":2},{\"name\":\"x\",\"v\":1}]}", "");
    diff_one(false, "{\"a\":[{\"name\":\"x\",\"v\":1},{\"name\":\"z\"}]}",
             "{\"a\":[{\"name\":\"y\",\"v\":2},{\"name\":\"x\",\"v\":3}]}",
             "a[y].name: - -> \"y\"\na[y].v: - -> 2\na[x].v: 1 -> 3\na[z].name: \"z\" -> -\n");
    // Names that do not tell them apart are none.
    diff_one(false, "{\"a\":[{\"name\":\"x\",\"v\":1},{\"name\":\"x\",\"v\":2}]}",
             "{\"a\":[{\"name\":\"x\",\"v\":1},{\"name\":\"x\",\"v\":3}]}", "a[1].v: 2 -> 3\n");
    diff_one(false, "{\"a\":[{\"name\":\"x\"},7]}", "{\"a\":[7,{\"name\":\"x\"}]}",
             "a[0]: {...} -> 7\na[1]: 7 -> {...}\n");
}

static void test_left_out(void **state)
{
    (void)state;
    diff_one(
        false,
        "{\"metadata\":{\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":\"1\","
        "\"generation\":1,\"creationTimestamp\":\"x\",\"selfLink\":\"x\",\"managedFields\":[]},"
        "\"status\":{\"a\":1}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"a\",\"uid\":\"2\","
        "\"resourceVersion\":\"2\",\"generation\":2}}",
        "");
    // Only where the server keeps them.
    diff_one(false, "{\"spec\":{\"status\":1,\"kind\":\"a\"}}",
             "{\"spec\":{\"status\":2,\"kind\":\"b\"}}",
             "spec.status: 1 -> 2\nspec.kind: \"a\" -> \"b\"\n");
}

static void test_environment_is_hidden(void **state)
{
    (void)state;
    diff_one(false,
             "{\"containers\":[{\"name\":\"ui\",\"env\":[{\"name\":\"A\",\"value\":\"secret\"},"
             "{\"name\":\"B\",\"value\":\"secret\"}]}]}",
             "{\"containers\":[{\"name\":\"ui\",\"env\":[{\"name\":\"A\",\"value\":\"other\"},"
             "{\"name\":\"C\",\"value\":\"secret\"}]}]}",
             "containers[ui].env[A].value: (hidden) -> (hidden)\n"
             "containers[ui].env[C].name: - -> (hidden)\n"
             "containers[ui].env[C].value: - -> (hidden)\n"
             "containers[ui].env[B].name: (hidden) -> -\n"
             "containers[ui].env[B].value: (hidden) -> -\n");
    diff_one(false, "{\"containers\":[]}",
             "{\"containers\":[{\"name\":\"ui\",\"env\":[{\"name\":\"A\",\"value\":\"secret\"}]}]}",
             "containers[ui].name: - -> \"ui\"\ncontainers[ui].env[A].name: - -> (hidden)\n"
             "containers[ui].env[A].value: - -> (hidden)\n");
    diff_one(false, "{\"a\":{\"env\":{\"A\":\"secret\"}}}", "{\"a\":7}", "a: {...} -> 7\n");
}

static void test_excerpts(void **state)
{
    (void)state;
    char long_text[400];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    _cleanup_free_ char *current = str_printf("{\"a\":\"%sb%.200s\"}", long_text, long_text);
    _cleanup_free_ char *desired = str_printf("{\"a\":\"%sc\"}", long_text);
    _cleanup_free_ char *expected =
        str_printf("a: …%.20sb%.99s… -> …%.20sc\"\n", long_text, long_text, long_text);
    diff_one(false, current, desired, expected);
    // One that has just the room is whole.
    _cleanup_free_ char *whole = str_printf("{\"a\":\"%.118s\"}", long_text);
    _cleanup_free_ char *shown = str_printf("a: 7 -> \"%.118s\"\n", long_text);
    diff_one(false, "{\"a\":7}", whole, shown);
}

// A manifest says what is to be there, not all that is.
static void test_subset(void **state)
{
    (void)state;
    diff_one(
        true,
        "{\"a\":1,\"b\":{\"c\":2,\"more\":1},\"l\":[{\"name\":\"x\",\"v\":1},{\"name\":\"y\"}]}",
        "{\"b\":{\"c\":3},\"l\":[{\"name\":\"x\",\"v\":2}]}", "b.c: 2 -> 3\nl[x].v: 1 -> 2\n");
    // What is not set and what has its zero value are one.
    diff_one(true, "{}", "{\"a\":false,\"b\":[],\"c\":\"\",\"d\":{},\"e\":null}", "");
    diff_one(true, "{\"a\":true,\"b\":[1],\"d\":{\"x\":\"y\"}}", "{\"a\":false,\"b\":[],\"d\":{}}",
             "a: true -> false\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_lists),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_environment_is_hidden),
        cmocka_unit_test(test_excerpts), cmocka_unit_test(test_subset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
