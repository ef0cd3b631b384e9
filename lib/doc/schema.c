// Walks a tree along the tables.

#include "lib/doc/schema.h"

#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <string.h>

#define NEAR_DISTANCE_MAX 2 // of two keys, for "did you mean"

struct decoder {
    const struct schema_source *source;
    void *object;
    struct problems *problems;
};

static int decode_table(struct decoder *decoder, const struct schema_field *fields,
                        const struct yaml_node *node, const struct doc_path *path);

// Adds a problem, as all of these do: 0 or -ENOMEM.
static int complain(struct decoder *decoder, const struct yaml_node *node,
                    const struct doc_path *path, const char *text)
{
    char name[DOC_PATH_MAX];
    doc_path_format(path, name);
    if (yaml_is_null(node) && problems_has(decoder->problems, name)) {
        return 0; // what the reader refused reads as null: that is no second problem
    }
    return problems_add(decoder->problems, node->line, node->column, name, "%s", text);
}

// What a value of the wrong kind should have been. The text of the value stays out of messages.
static int complain_kind(struct decoder *decoder, const struct yaml_node *node,
                         const struct doc_path *path, const char *wanted)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "must be %s, is %s", wanted, yaml_kind_name(node->kind));
    return complain(decoder, node, path, text);
}

static int decode_fallback(struct decoder *decoder, const struct schema_field *field,
                           const struct yaml_node *parent, const struct doc_path *path)
{
    if (field->fallback == NULL) {
        return 0;
    }
    struct error err;
    int r = schema_parse_text(field, field->fallback, decoder->source, decoder->object, &err);
    if (r == 0 || r == -ENOMEM) {
        return r;
    }
    char text[ERROR_TEXT_MAX + 32];
    (void)snprintf(text, sizeof(text), "the default %s: %s", field->fallback, err.text);
    return complain(decoder, parent, path, text);
}

// Whether a plain or quoted scalar may hold a value of the type; NULL if so, else the reason.
static const char *scalar_unfit(const struct schema_field *field, const struct yaml_node *node)
{
    bool is_text = field->type == SCHEMA_STRING || field->type == SCHEMA_STRINGS;
    if (!node->plain) {
        return field->type == SCHEMA_BOOL      ? "must be true or false, without quotes"
               : field->type == SCHEMA_INTEGER ? "must be an integer, without quotes"
                                               : NULL;
    }
    if (is_text && schema_plain_meaning(node->text) != NULL) {
        return "must be text, YAML reads a number or a boolean: put it in quotes";
    }
    return NULL;
}

// A scalar, or one item of a list. *ret_good says whether the object has it.
static int decode_scalar(struct decoder *decoder, const struct schema_field *field,
                         const struct yaml_node *node, const struct doc_path *path, bool *ret_good)
{
    *ret_good = false;
    if (node->kind != YAML_KIND_SCALAR) {
        return complain_kind(decoder, node, path, "a single value");
    }
    const char *unfit = scalar_unfit(field, node);
    if (unfit != NULL) {
        return complain(decoder, node, path, unfit);
    }
    struct error err;
    int r = schema_parse_text(field, node->text, decoder->source, decoder->object, &err);
    if (r == 0) {
        *ret_good = true;
        return 0;
    }
    return r == -ENOMEM ? r : complain(decoder, node, path, err.text);
}

static int complain_count(struct decoder *decoder, const struct schema_field *field,
                          const struct yaml_node *node, const struct doc_path *path)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "must have at most %llu entries",
                   (unsigned long long)field->max);
    return complain(decoder, node, path, text);
}

static int decode_strings(struct decoder *decoder, const struct schema_field *field,
                          const struct yaml_node *node, const struct doc_path *path)
{
    if (node->kind != YAML_KIND_SEQUENCE) {
        return complain_kind(decoder, node, path, "a list");
    }
    if (node->count > field->max) {
        return complain_count(decoder, field, node, path);
    }
    for (size_t i = 0; i < node->count; i++) {
        struct doc_path item = {.parent = path, .index = i};
        const struct yaml_node *value = &node->entries[i].value;
        bool good = false;
        int r = yaml_is_null(value) ? complain(decoder, value, &item, "must not be empty")
                                    : decode_scalar(decoder, field, value, &item, &good);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int decode_map_entry(struct decoder *decoder, const struct schema_field *field,
                            const struct yaml_entry *entry, const struct doc_path *path)
{
    struct error err;
    int r = schema_check_text(field, entry->key, &err);
    if (r == -ENOMEM) {
        return r;
    }
    if (r < 0) {
        char name[DOC_PATH_MAX];
        doc_path_format(path, name);
        return problems_add(decoder->problems, entry->line, entry->column, name, "the name %s",
                            err.text);
    }
    struct doc_path below = {.parent = path, .key = entry->key};
    if (entry->value.kind != YAML_KIND_SCALAR) {
        return complain_kind(decoder, &entry->value, &below, "a single value");
    }
    if (yaml_is_null(&entry->value)) {
        return complain(decoder, &entry->value, &below, "has no value; \"\" is an empty one");
    }
    return strmap_set(schema_target(field, decoder->object), entry->key, entry->value.text);
}

static int decode_string_map(struct decoder *decoder, const struct schema_field *field,
                             const struct yaml_node *node, const struct doc_path *path)
{
    if (node->kind != YAML_KIND_MAPPING) {
        return complain_kind(decoder, node, path, "a mapping of names to values");
    }
    if (node->count > field->max) {
        return complain_count(decoder, field, node, path);
    }
    yaml_foreach (node, entry) {
        int r = decode_map_entry(decoder, field, entry, path);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than the tables of the schema

// node is NULL for a key that is missing; parent is where a problem of its default is shown.
static int decode_field(struct decoder *decoder, const struct schema_field *field,
                        const struct yaml_node *node, const struct yaml_node *parent,
                        const struct doc_path *path)
{
    bool given = node != NULL && !yaml_is_null(node);
    if (field->type == SCHEMA_TABLE) {
        static const struct yaml_node empty = {.kind = YAML_KIND_MAPPING};
        struct yaml_node table = empty;
        table.line = node == NULL ? parent->line : node->line;
        table.column = node == NULL ? parent->column : node->column;
        if (given && node->kind != YAML_KIND_MAPPING) {
            int r = complain_kind(decoder, node, path, "a mapping");
            if (r < 0) {
                return r;
            }
            given = false;
        }
        return decode_table(decoder, field->fields, given ? node : &table, path);
    }
    if (given && field->type == SCHEMA_STRINGS) {
        return decode_strings(decoder, field, node, path);
    }
    if (given && field->type == SCHEMA_STRING_MAP) {
        return decode_string_map(decoder, field, node, path);
    }
    bool good = false;
    int r = given ? decode_scalar(decoder, field, node, path, &good) : 0;
    return r < 0 || good ? r : decode_fallback(decoder, field, parent, path);
}

static const struct schema_field *find_field(const struct schema_field *fields, const char *key)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        if (str_equal(field->key, key)) {
            return field;
        }
    }
    return NULL;
}

static const char *near_key(const struct schema_field *fields, const char *key)
{
    const char *near = NULL;
    unsigned best = NEAR_DISTANCE_MAX + 1;
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        unsigned distance = str_distance(key, field->key);
        if (distance < best && distance < strlen(field->key)) {
            near = field->key;
            best = distance;
        }
    }
    return near;
}

static int complain_unknown(struct decoder *decoder, const struct schema_field *fields,
                            const struct yaml_entry *entry, const struct doc_path *path)
{
    char key[DOC_KEY_MAX];
    char name[DOC_PATH_MAX];
    doc_path_format(path, name);
    const char *near = near_key(fields, entry->key);
    return problems_add(decoder->problems, entry->line, entry->column, name,
                        "unknown key `%s`%s%s%s", doc_key_format(entry->key, key),
                        near == NULL ? "" : ", did you mean `", near == NULL ? "" : near,
                        near == NULL ? "" : "`?");
}

static int decode_table(struct decoder *decoder, const struct schema_field *fields,
                        const struct yaml_node *node, const struct doc_path *path)
{
    yaml_foreach (node, entry) {
        struct doc_path below = {.parent = path, .key = entry->key};
        if (find_field(fields, entry->key) == NULL) {
            int r = complain_unknown(decoder, fields, entry, &below);
            if (r < 0) {
                return r;
            }
        }
    }
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        struct doc_path below = {.parent = path, .key = field->key};
        int r = decode_field(decoder, field, yaml_get(node, field->key), node, &below);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
// NOLINTEND(misc-no-recursion)

int schema_decode(const struct schema_field *fields, const struct yaml_node *node,
                  const struct schema_source *source, void *object, struct problems *problems)
{
    struct decoder decoder = {.source = source, .object = object, .problems = problems};
    const struct schema_field root = {.type = SCHEMA_TABLE, .fields = fields};
    const struct yaml_node document = {.kind = YAML_KIND_MAPPING, .line = 1, .column = 1};
    return decode_field(&decoder, &root, node, &document, NULL);
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than the tables of the schema
void schema_done(const struct schema_field *fields, void *object)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        void *target = schema_target(field, object);
        switch (field->type) {
        case SCHEMA_STRING:
        case SCHEMA_PATH:
            freep(target);
            break;
        case SCHEMA_STRINGS:
            strv_done(target);
            break;
        case SCHEMA_STRING_MAP:
            strmap_done(target);
            break;
        case SCHEMA_TABLE:
            schema_done(field->fields, object);
            break;
        case SCHEMA_CUSTOM: // frees what its codec allocates
        case SCHEMA_BOOL:
        case SCHEMA_INTEGER:
        case SCHEMA_DURATION:
        case SCHEMA_ENUM:
            break;
        }
    }
}
