#include "lib/doc/schema_json.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/json_text.h"
#include "tests/support/unit.h"

static const struct schema_name colours[] = {{"red", 1}, {"green", 2}, {NULL, 0}};

static const struct schema_field inner[] = {
    {.key = "host", .type = SCHEMA_STRING, .min = 1, .max = 7, .pattern = "^[a-z]+$"},
    {.key = "login", .type = SCHEMA_STRING, .written = "^[^:]+:.*$"},
    {0},
};

static const struct schema_field fields[] = {
    {.key = "flag", .type = SCHEMA_BOOL, .fallback = "true"},
    {.key = "count", .type = SCHEMA_INTEGER, .fallback = "2", .min = 1, .max = 10},
    {.key = "colour", .type = SCHEMA_ENUM, .fallback = "green", .names = colours},
    {.key = "delay", .type = SCHEMA_DURATION, .fallback = "2s", .min = 1500, .max = 121000},
    {.key = "text", .type = SCHEMA_STRING, .max = 9, .expected = "any text"},
    {.key = "file", .type = SCHEMA_PATH, .fallback = "~/f", .pattern = "^/"},
    {.key = "list",
     .type = SCHEMA_LIST,
     .fallback = "one",
     .max = 3,
     .min = 1,
     .pattern = "^[a-z]*$"},
    {.key = "map", .type = SCHEMA_MAP, .max = 2, .pattern = "^[A-Z]+$"},
    {.key = "items", .type = SCHEMA_ITEMS, .fields = inner, .max = 4},
    {.key = "table", .type = SCHEMA_TABLE, .fields = inner},
    {0},
};

static void assert_json(const json_t *json, const char *expected)
{
    json_auto_t *wanted = json_of(expected);
    _cleanup_free_ char *text = json_dumps(json, 0);
    if (!json_equal(json, wanted)) {
        fail_msg("%s", text);
    }
}

static void each_type_is_told(_unused_ void **state)
{
    static const struct {
        const char *key;
        const char *json;
    } cases[] = {
        {"flag", "{'type': ['boolean', 'null'], 'default': true}"},
        {"count", "{'type': ['integer', 'null'], 'minimum': 1, 'maximum': 10, 'default': 2}"},
        {"colour", "{'enum': ['red', 'green', null], 'default': 'green'}"},
        {"delay", "{'type': ['string', 'null'], 'allOf': [{'pattern': "
                  "'^0*([1-2][0-9]{0}m|[2-9][0-9]{0}s|[1-9][0-9]{1}s|1[0-1][0-9]{1}s|12[0-1][0-9]{"
                  "0}s|1[5-9][0-9]{2}ms|[2-9][0-9]{3}ms|[1-9][0-9]{4}ms|1[0-1][0-9]{4}ms|12[0-0][0-"
                  "9]{3}ms|12100[0-0][0-9]{0}ms)$'}], "
                  "'maxLength': 4096, 'default': '2s'}"},
        {"text", "{'type': ['string', 'null'], 'allOf': [{'pattern': "
                 "'^[^\\\\u0000-\\\\u001f\\\\u007f]*$'}], 'description': 'any text', 'maxLength': "
                 "9}"},
        {"file", "{'type': ['string', 'null'], 'allOf': [{'pattern': "
                 "'^(?!~[^/"
                 "])([^$\\\\u0000-\\\\u001f\\\\u007f]|\\\\$(\\\\$|[A-Za-z_][A-Za-z0-9_]*|\\\\{[A-"
                 "Za-z_][A-Za-z0-9_]*\\\\}))*$'}], "
                 "'maxLength': 4096, 'default': '~/f'}"},
        {"list", "{'type': ['array', 'null'], 'items': {'type': 'string', 'allOf': [{'pattern': "
                 "'^[a-z]*$'}], 'minLength': 1, 'maxLength': 4096}, 'maxItems': 3, 'default': "
                 "['one']}"},
        {"map", "{'type': ['object', 'null'], 'propertyNames': {'type': 'string', 'allOf': "
                "[{'pattern': '^[A-Z]+$'}], 'maxLength': 4096}, 'additionalProperties': {'type': "
                "['string', 'number', 'boolean']}, 'maxProperties': 2}"},
        {"items",
         "{'type': ['array', 'null'], 'items': {'anyOf': [{'type': 'string', 'allOf': "
         "[{'pattern': '^[a-z]+$'}], 'minLength': 1, 'maxLength': 7}, {'type': 'object', "
         "'properties': {'host': {'type': 'string', 'allOf': [{'pattern': '^[a-z]+$'}], "
         "'minLength': 1, 'maxLength': 7}, 'login': {'type': ['string', 'null'], 'allOf': "
         "[{'pattern': '^[^:]+:.*$'}], 'maxLength': 4096}}, 'additionalProperties': false, "
         "'required': ['host']}]}, 'maxItems': 4}"},
        {"table",
         "{'type': ['object', 'null'], 'properties': {'host': {'type': ['string', 'null'], "
         "'allOf': [{'pattern': '^[a-z]+$'}], 'minLength': 1, 'maxLength': 7}, 'login': "
         "{'type': ['string', 'null'], 'allOf': [{'pattern': '^[^:]+:.*$'}], 'maxLength': "
         "4096}}, 'additionalProperties': false}"},
    };
    json_auto_t *schema = schema_json(fields);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_json(json_get(schema, "properties", cases[i].key, NULL), cases[i].json);
    }
    assert_int_equal(json_object_del(schema, "properties"), 0);
    assert_json(schema, "{'$schema': 'https://json-schema.org/draft/2020-12/schema', "
                        "'type': ['object', 'null'], 'additionalProperties': false}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_type_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
