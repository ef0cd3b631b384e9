#include "lib/plan/subset.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    if (value == NULL) {
        fail_msg("no JSON: %s", text);
    }
    return value;
}

// "path: is -> should" lines, "-" for absent.
static char *lines_of(const struct subset_diff *diff)
{
    char *lines = str_dup("");
    for (size_t i = 0; i < diff->fields.count; i++) {
        const struct field_diff *field = &diff->fields.items[i];
        char *longer = str_printf("%s%s%s: %s -> %s", lines, i == 0 ? "" : "\n", field->path,
                                  field->is == NULL ? "-" : field->is,
                                  field->should == NULL ? "-" : field->should);
        free(lines);
        lines = longer;
    }
    assert_non_null(lines);
    return lines;
}

static void check(const struct subset_diff *diff, const char *expected, bool recreate)
{
    _cleanup_free_ char *lines = lines_of(diff);
    assert_string_equal(lines, expected);
    assert_int_equal(diff->recreate, recreate);
}

static void compare_one(const char *is, const char *should, const char *expected, bool recreate)
{
    json_auto_t *is_json = load(is);
    json_auto_t *should_json = load(should);
    _cleanup_subset_diff_ struct subset_diff diff = {0};
    assert_int_equal(subset_compare(is_json, should_json, &diff), 0);
    check(&diff, expected, recreate);
}

static void test_values(void **state)
{
    (void)state;
    compare_one("{\"a\":1,\"b\":2}", "{\"a\":1}", "", false);
    compare_one("{\"a\":1}", "{\"a\":1.0}", "", false);
    compare_one("{\"a\":1.5}", "{\"a\":1}", "a: 1.5 -> 1", false);
    compare_one("{\"a\":\"1\"}", "{\"a\":1}", "a: \"1\" -> 1", false);
    compare_one("{}", "{\"a\":{\"b\":\"x\"}}", "a: - -> {\"b\":\"x\"}", false);
    compare_one("{\"a\":{\"c\":1}}", "{\"a\":{\"b\":\"x\"}}", "a.b: - -> \"x\"", false);
    compare_one("{\"a\":[1]}", "{\"a\":{\"b\":\"x\"}}", "a: [1] -> {\"b\":\"x\"}", false);
    compare_one("{\"a\":true,\"b\":null}", "{\"a\":true,\"b\":\"x\"}", "b: null -> \"x\"", false);
    compare_one("{\"a\":\"\\u00e4\"}", "{\"a\":\"o\"}", "a: \"\\u00E4\" -> \"o\"", false);
    compare_one("{\"a\":1}", "{\"a\":{\"z\":1,\"b\":2}}", "a: 1 -> {\"b\":2,\"z\":1}", false);
}

// The API server leaves out what has its type's zero value.
static void test_zero(void **state)
{
    (void)state;
    compare_one("{}", "{\"a\":false,\"b\":\"\",\"c\":[],\"d\":{},\"e\":null}", "", false);
    compare_one("{\"a\":true,\"c\":[\"sh\"]}", "{\"a\":false,\"c\":[]}",
                "a: true -> false\nc: [\"sh\"] -> []", false);
    compare_one("{}", "{\"a\":0}", "a: - -> 0", false);
}

static void test_lists(void **state)
{
    (void)state;
    compare_one("{\"a\":[1,2]}", "{\"a\":[1,2]}", "", false);
    compare_one("{\"a\":[2,1]}", "{\"a\":[1,2]}", "a[0]: 2 -> 1\na[1]: 1 -> 2", false);
    compare_one("{\"a\":[1,2]}", "{\"a\":[1]}", "a: [1,2] -> [1]", false);
    compare_one("{\"a\":[{\"x\":1}]}", "{\"a\":[{\"x\":2}]}", "a[0].x: 1 -> 2", false);
    // A list that is one value is exact below.
    compare_one("{\"rules\":[{\"http\":{},\"host\":\"foo\"}]}", "{\"rules\":[{\"http\":{}}]}",
                "rules[0].host: \"foo\" -> -", false);
    compare_one("{\"rules\":[{\"a\":{\"b\":1,\"c\":2}}]}", "{\"rules\":[{\"a\":{\"b\":1}}]}",
                "rules[0].a.c: 2 -> -", false);
    compare_one("{\"rules\":[{\"a\":1,\"c\":null,\"d\":false,\"e\":\"\"}]}",
                "{\"rules\":[{\"a\":1}]}", "", false);
}

#define POD(inner) "{\"spec\":{\"template\":{\"spec\":{\"containers\":[" inner "]}}}}"
#define CONTAINER "spec.template.spec.containers[ui]"

static void test_containers(void **state)
{
    (void)state;
    compare_one(POD("{\"name\":\"sidecar\"},{\"name\":\"ui\",\"image\":\"a\",\"tty\":true}"),
                POD("{\"name\":\"ui\",\"image\":\"a\"}"), "", false);
    compare_one(POD("{\"name\":\"ui\",\"image\":\"a\"}"), POD("{\"name\":\"ui\",\"image\":\"b\"}"),
                CONTAINER ".image: \"a\" -> \"b\"", false);
    compare_one(POD("{\"name\":\"other\"}"), POD("{\"name\":\"ui\",\"image\":\"b\"}"),
                CONTAINER ": - -> {\"image\":\"b\",\"name\":\"ui\"}", false);
    compare_one(POD("{\"name\":\"ui\",\"ports\":[{\"containerPort\":9},{\"containerPort\":80,"
                    "\"protocol\":\"TCP\",\"name\":\"http\"}]}"),
                POD("{\"name\":\"ui\",\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\","
                    "\"name\":\"http\"}]}"),
                "", false);
    // The name is taken by another port: apply would be refused.
    compare_one(POD("{\"name\":\"ui\",\"ports\":[{\"containerPort\":81,\"protocol\":\"TCP\","
                    "\"name\":\"http\"}]}"),
                POD("{\"name\":\"ui\",\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\","
                    "\"name\":\"http\"}]}"),
                CONTAINER
                ".ports[80]: {\"containerPort\":81,\"name\":\"http\",\"protocol\":\"TCP\"} -> "
                "{\"containerPort\":80,\"name\":\"http\",\"protocol\":\"TCP\"}",
                true);
}

#define ENV(inner) POD("{\"name\":\"ui\",\"env\":[" inner "]}")

// No value of an environment is ever shown.
static void test_environment(void **state)
{
    (void)state;
    compare_one(ENV("{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"A\",\"value\":\"1\"}"),
                ENV("{\"name\":\"A\",\"value\":\"1\"}"), "", false);
    compare_one(ENV("{\"name\":\"A\"}"), ENV("{\"name\":\"A\",\"value\":\"\"}"), "", false);
    compare_one(ENV("{\"name\":\"A\",\"value\":\"s3cret\"}"),
                ENV("{\"name\":\"A\",\"value\":\"other\"}"),
                CONTAINER ".env[A].value: (hidden) -> (hidden)", false);
    compare_one(ENV("{\"name\":\"B\",\"value\":\"x\"}"), ENV("{\"name\":\"A\",\"value\":\"1\"}"),
                CONTAINER ".env[A]: - -> (hidden)", false);
    compare_one(ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{}}}"),
                ENV("{\"name\":\"A\",\"value\":\"1\"}"),
                CONTAINER ".env[A].value: - -> (hidden)\n" CONTAINER
                          ".env[A].valueFrom: (hidden) -> -",
                true);
    compare_one(POD("{\"name\":\"ui\"}"), ENV("{\"name\":\"A\",\"value\":\"1\"}"),
                CONTAINER ".env: - -> (hidden)", false);
    compare_one("{}",
                "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"ui\",\"env\":"
                "[{\"name\":\"A\",\"value\":\"s3cret\"}]}]}}}}",
                "spec: - -> {\"template\":{\"spec\":{\"containers\":[{\"env\":\"(hidden)\","
                "\"name\":\"ui\"}]}}}",
                false);
}

static void test_unrepairable(void **state)
{
    (void)state;
    compare_one("{\"spec\":{\"selector\":{\"x\":\"y\"}}}", "{\"spec\":{\"selector\":{}}}",
                "spec.selector.x: \"y\" -> -", true);
    compare_one("{\"spec\":{\"selector\":{\"a\":\"b\",\"x\":\"y\"}}}",
                "{\"spec\":{\"selector\":{\"a\":\"b\"}}}", "spec.selector.x: \"y\" -> -", true);
    compare_one("{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"c\"}}}}",
                "{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}",
                "spec.selector.matchLabels.a: \"c\" -> \"b\"", true);
    compare_one("{\"addressType\":\"FQDN\"}", "{\"addressType\":\"IPv4\"}",
                "addressType: \"FQDN\" -> \"IPv4\"", true);
    compare_one("{\"immutable\":true}", "{\"immutable\":false}", "immutable: true -> false", true);
    compare_one("{\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":1,\"protocol\":\"TCP\"}]}}",
                "{\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}",
                "spec.ports[80]: {\"name\":\"http\",\"port\":1,\"protocol\":\"TCP\"} -> "
                "{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}",
                true);
    compare_one("{\"spec\":{\"ports\":[{\"name\":\"x\",\"port\":80,\"protocol\":\"UDP\"}]}}",
                "{\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}",
                "spec.ports[80]: - -> {\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}", false);
}

// Long values are shown from where they begin to differ.
static void test_long_values(void **state)
{
    (void)state;
    char x[400];
    memset(x, 'x', sizeof(x) - 1);
    x[sizeof(x) - 1] = '\0';
    _cleanup_free_ char *is = str_printf("{\"a\":\"%.200s-1-%.200s\"}", x, x);
    _cleanup_free_ char *should = str_printf("{\"a\":\"%.200s-2\"}", x);
    _cleanup_free_ char *expected = str_printf("a: …%.19s-1-%.98s… -> …%.19s-2\"", x, x, x);
    compare_one(is, should, expected, false);

    _cleanup_free_ char *whole = str_printf("a: - -> \"%.119s…", x);
    compare_one("{}", is, whole, false);
}

static void managed_one(const char *fields, const char *is, const char *should,
                        const char *expected)
{
    _cleanup_free_ char *entries = str_printf(
        "[{\"manager\":\"kubectl\",\"operation\":\"Update\",\"fieldsV1\":{\"f:data\":{\"f:x\":{}}}}"
        ","
        "{\"manager\":\"me\",\"operation\":\"Update\",\"fieldsV1\":{\"f:data\":{\"f:x\":{}}}},"
        "{\"manager\":\"me\",\"operation\":\"Apply\",\"fieldsV1\":%s}]",
        fields);
    json_auto_t *is_json = load(is);
    json_auto_t *should_json = load(should);
    assert_int_equal(json_object_set_new(is_json, "metadata",
                                         json_pack("{s:o}", "managedFields", load(entries))),
                     0);
    _cleanup_subset_diff_ struct subset_diff diff = {0};
    assert_int_equal(subset_compare_managed(is_json, should_json, "me", &diff), 0);
    check(&diff, expected, false);
}

#define ENV_FIELDS(inner)                                                                          \
    "{\"f:spec\":{\"f:template\":{\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"ui\\\"}\":{" \
    "\".\":{},\"f:name\":{},\"f:env\":{" inner "}}}}}}}"
#define ENV_FIELD(name)                                                                            \
    "\"k:{\\\"name\\\":\\\"" name "\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":{}}"

static void test_managed(void **state)
{
    (void)state;
    managed_one("{\"f:data\":{\"f:x\":{},\"f:y\":{}}}", "{\"data\":{\"x\":\"1\",\"y\":\"2\"}}",
                "{\"data\":{\"x\":\"1\"}}", "data.y: \"2\" -> -");
    managed_one("{\"f:data\":{\"f:x\":{}}}", "{\"data\":{\"x\":\"1\",\"z\":\"2\"}}",
                "{\"data\":{\"x\":\"1\"}}", "");
    managed_one("{\"f:data\":{\"f:gone\":{}}}", "{\"data\":{\"x\":\"1\"}}", "{\"data\":{}}", "");
    managed_one("{\"f:data\":{\"f:x\":{}}}", "{\"data\":{\"x\":\"1\"}}", "{}",
                "data: {\"x\":\"1\"} -> -");
    managed_one("null", "{\"data\":{\"x\":\"1\"}}", "{}", "");
    managed_one("{\"f:list\":{\"k:{\\\"a\\\":1}\":{},\"v:\\\"b\\\"\":{},\"k:{\":{}}}",
                "{\"list\":[{\"a\":1}]}", "{\"list\":[{\"a\":2}]}", "");
    managed_one(ENV_FIELDS(ENV_FIELD("A") "," ENV_FIELD("B")),
                ENV("{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"s3cret\"}"),
                ENV("{\"name\":\"A\",\"value\":\"1\"}"), CONTAINER ".env[B]: (hidden) -> -");
    managed_one(ENV_FIELDS(ENV_FIELD("A")),
                ENV("{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"MINE\",\"value\":\"2\"}"),
                ENV("{\"name\":\"A\",\"value\":\"1\"}"), "");
    // compare() tells of these itself.
    managed_one("{\"f:spec\":{\"f:selector\":{\"f:x\":{}}}}",
                "{\"spec\":{\"selector\":{\"x\":\"y\"}}}", "{\"spec\":{\"selector\":{}}}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_zero),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_containers),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_unrepairable),
        cmocka_unit_test(test_long_values), cmocka_unit_test(test_managed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
