#include "lib/doc/schema_json.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <inttypes.h>

#define PATTERN_BYTES_MAX 4096

// What path_expand reads.
#define VARIABLE "[A-Za-z_][A-Za-z0-9_]*"
#define PATH "^(?!~[^/])([^$\\u0000-\\u001f\\u007f]|\\$(\\$|" VARIABLE "|\\{" VARIABLE "\\}))*$"

// ---- durations ----

// Appends, for each unit, the numbers from min to max: those that have all but their last digits in
// common are one alternative.
static char *duration_pattern(uint64_t min, uint64_t max)
{
    struct buf pattern = BUF_INIT(PATTERN_BYTES_MAX);
    (void)buf_append_str(&pattern, "^0*(");
    for (const struct schema_unit *unit = schema_units; unit->name != NULL; unit++) {
        uint64_t last = max / unit->ms;
        uint64_t size = 0; // how many numbers a last digit that is given stands for
        for (uint64_t n = (min + unit->ms - 1) / unit->ms; n <= last; n += size) {
            unsigned free_digits = 0;
            for (size = 1; n % (size * 10) == 0 && n + size * 10 - 1 <= last; size *= 10) {
                free_digits++;
            }
            uint64_t digit = n / size % 10;
            uint64_t more = (last - n + 1) / size - 1;
            more = more < 9 - digit ? more : 9 - digit;
            _cleanup_free_ char *begin =
                n / size < 10 ? NULL : str_printf("%" PRIu64, n / size / 10);
            (void)buf_printf(&pattern, "%s[%" PRIu64 "-%" PRIu64 "][0-9]{%u}%s|",
                             begin == NULL ? "" : begin, digit, digit + more, free_digits,
                             unit->name);
            size *= more + 1;
        }
    }
    pattern.data[pattern.length - 1] = ')'; // in place of the last |
    (void)buf_append_str(&pattern, "$");
    return buf_take(&pattern);
}

// ---- texts ----

static void add_pattern(json_t *patterns, const char *pattern)
{
    if (pattern != NULL) {
        (void)json_array_append_new(patterns, json_pack("{s:s}", "pattern", pattern));
    }
}

// A text, an item of a list or a key of a map. Patterns of a path are for what it is expanded to.
static json_t *text_json(const struct schema_field *field, json_t *types)
{
    enum schema_type type = field->type;
    json_t *patterns = json_array();
    json_t *json = json_pack("{s:o, s:o}", "type", types, "allOf", patterns);
    _cleanup_free_ char *duration =
        type == SCHEMA_DURATION ? duration_pattern(field->min, field->max) : NULL;
    add_pattern(patterns, duration);
    add_pattern(patterns, type == SCHEMA_PATH ? PATH : NULL);
    add_pattern(patterns, field->written);
    add_pattern(patterns, type == SCHEMA_PATH ? NULL : field->pattern);
    if (json_array_size(patterns) == 0) {
        add_pattern(patterns, "^[^\\u0000-\\u001f\\u007f]*$");
    }
    if (field->expected != NULL) {
        (void)json_object_set_new(json, "description", json_string(field->expected));
    }
    if (field->min > 0 && duration == NULL) {
        (void)json_object_set_new(json, "minLength", json_integer(1));
    }
    bool bytes = schema_kind(type) == YAML_KIND_SCALAR && field->max > 0 && duration == NULL;
    (void)json_object_set_new(json, "maxLength",
                              json_integer(bytes ? (json_int_t)field->max : SCHEMA_TEXT_MAX));
    return json;
}

// ---- values ----

static json_t *names_json(const struct schema_name *names)
{
    json_t *list = json_array();
    for (; names->name != NULL; names++) {
        (void)json_array_append_new(list, json_string(names->name));
    }
    (void)json_array_append_new(list, json_null());
    return json_pack("{s:o}", "enum", list);
}

static json_t *table_json(const struct schema_field *fields);

// NOLINTNEXTLINE(misc-no-recursion): no deeper than the tables of the schema
static json_t *items_json(const struct schema_field *field)
{
    const struct schema_field *first = field->fields;
    json_t *alone = text_json(first, json_string("string"));
    json_t *item = table_json(field->fields);
    (void)json_object_set_new(item, "type", json_string("object"));
    (void)json_object_set_new(item, "required", json_pack("[s]", first->key));
    (void)json_object_set(json_object_get(item, "properties"), first->key, alone);
    return json_pack("{s:[ss], s:{s:[oo]}, s:I}", "type", "array", "null", "items", "anyOf", alone,
                     item, "maxItems", (json_int_t)field->max);
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than the tables of the schema
static json_t *field_json(const struct schema_field *field)
{
    switch (field->type) {
    case SCHEMA_BOOL:
        return json_pack("{s:[ss]}", "type", "boolean", "null");
    case SCHEMA_INTEGER:
        return json_pack("{s:[ss], s:I, s:I}", "type", "integer", "null", "minimum",
                         (json_int_t)field->min, "maximum", (json_int_t)field->max);
    case SCHEMA_ENUM:
        return names_json(field->names);
    case SCHEMA_DURATION:
    case SCHEMA_STRING:
    case SCHEMA_PATH:
        return text_json(field, json_pack("[ss]", "string", "null"));
    case SCHEMA_LIST:
        return json_pack("{s:[ss], s:o, s:I}", "type", "array", "null", "items",
                         text_json(field, json_string("string")), "maxItems",
                         (json_int_t)field->max);
    case SCHEMA_MAP:
        return json_pack("{s:[ss], s:o, s:{s:[sss]}, s:I}", "type", "object", "null",
                         "propertyNames", text_json(field, json_string("string")),
                         "additionalProperties", "type", "string", "number", "boolean",
                         "maxProperties", (json_int_t)field->max);
    case SCHEMA_TABLE:
        return table_json(field->fields);
    case SCHEMA_ITEMS:
        return items_json(field);
    }
    return NULL;
}

static json_t *default_json(const struct schema_field *field)
{
    if (field->type == SCHEMA_BOOL || field->type == SCHEMA_INTEGER) {
        return json_loads(field->fallback, JSON_DECODE_ANY, NULL);
    }
    return field->type == SCHEMA_LIST ? json_pack("[s]", field->fallback)
                                      : json_string(field->fallback);
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than the tables of the schema
static json_t *table_json(const struct schema_field *fields)
{
    json_t *properties = json_object();
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        json_t *json = field_json(field);
        if (field->fallback != NULL) {
            (void)json_object_set_new(json, "default", default_json(field));
        }
        (void)json_object_set_new(properties, field->key, json);
    }
    return json_pack("{s:[ss], s:o, s:b}", "type", "object", "null", "properties", properties,
                     "additionalProperties", 0);
}

json_t *schema_json(const struct schema_field *fields)
{
    json_t *json = json_pack("{s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema");
    (void)json_object_update_new(json, table_json(fields));
    return json;
}
