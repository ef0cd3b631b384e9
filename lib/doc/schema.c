#include "lib/doc/schema.h"

#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/yaml_scalar.h"

#include <string.h>

#define INDENT 2

// ---- decoding ----

struct decoder {
    const struct path_source *source;
    void *object;
    struct problems *problems;
};

// Adds a problem at a node, or at the key of an entry.
#define ADD_PROBLEM(decoder, at, path, ...)                                                        \
    problems_add((decoder)->problems, (at)->line, (at)->column, path, __VA_ARGS__)

// Whether the node is of the kind. The text of a value of the wrong kind stays out of the message.
static bool check_kind(struct decoder *decoder, const struct yaml_node *node,
                       const struct doc_path *path, enum yaml_kind kind, const char *more)
{
    if (node->kind != kind) {
        ADD_PROBLEM(decoder, node, path, "must be %s%s, is %s", yaml_kind_name(kind), more,
                    yaml_kind_name(node->kind));
    }
    return node->kind == kind;
}

// Whether there is a value. What the reader refused reads as null, and is no second problem.
static bool check_given(struct decoder *decoder, const struct yaml_node *node,
                        const struct doc_path *path, const char *problem)
{
    if (yaml_is_null(node) && !problems_has(decoder->problems, path)) {
        ADD_PROBLEM(decoder, node, path, "%s", problem);
    }
    return !yaml_is_null(node);
}

// A single value, or an item of a list. Returns whether the object has it.
static bool decode_text(struct decoder *decoder, const struct schema_field *field,
                        const struct yaml_node *node, const struct doc_path *path)
{
    enum schema_type type = field->type;
    bool is_text = type == SCHEMA_STRING || type == SCHEMA_PATH || type == SCHEMA_LIST;
    struct error err;
    if (!check_kind(decoder, node, path, YAML_KIND_SCALAR, "")) {
        return false;
    }
    if (!node->plain && (type == SCHEMA_BOOL || type == SCHEMA_INTEGER)) {
        ADD_PROBLEM(decoder, node, path, "must be %s, without quotes",
                    type == SCHEMA_BOOL ? "true or false" : "an integer");
        return false;
    }
    if (node->plain && is_text && !field->unquoted && yaml_plain_meaning(node->text) != NULL) {
        ADD_PROBLEM(decoder, node, path,
                    "must be text, YAML reads a number or a boolean: put it in quotes");
        return false;
    }
    if (schema_parse(field, node->text, decoder->source, decoder->object, &err) < 0) {
        ADD_PROBLEM(decoder, node, path, "%s", err.text);
        return false;
    }
    return true;
}

static void decode_list(struct decoder *decoder, const struct schema_field *field,
                        const struct yaml_node *node, const struct doc_path *path)
{
    yaml_foreach (node, entry) {
        const struct doc_path item = {.parent = path, .index = (size_t)(entry - node->entries)};
        if (check_given(decoder, &entry->value, &item, "must not be empty")) {
            (void)decode_text(decoder, field, &entry->value, &item);
        }
    }
}

static void decode_map(struct decoder *decoder, const struct schema_field *field,
                       const struct yaml_node *node, const struct doc_path *path)
{
    void *map = (char *)decoder->object + field->offset;
    size_t bytes = 0;
    yaml_foreach (node, entry) {
        const struct doc_path below = {.parent = path, .key = entry->key};
        struct error err;
        if (schema_check(field, entry->key, &err) < 0) {
            ADD_PROBLEM(decoder, entry, path, "the name %s", err.text);
        } else if (check_given(decoder, &entry->value, &below,
                               "has no value; \"\" is an empty one") &&
                   check_kind(decoder, &entry->value, &below, YAML_KIND_SCALAR, "")) {
            bytes += strlen(entry->key) + strlen(entry->value.text);
            strmap_set(map, entry->key, entry->value.text);
        }
    }
    if (bytes > SCHEMA_MAP_BYTES_MAX) {
        ADD_PROBLEM(decoder, node, path, "must have at most %u bytes in all", SCHEMA_MAP_BYTES_MAX);
    }
}

// NOLINTBEGIN(misc-no-recursion): no deeper than the tables of the schema
static void decode_table(struct decoder *decoder, const struct schema_field *fields,
                         const struct yaml_node *node, const struct doc_path *path);

static void decode_items(const struct decoder *decoder, const struct schema_field *field,
                         const struct yaml_node *node, const struct doc_path *path)
{
    struct decoder below = *decoder;
    below.object = (char *)decoder->object + field->offset;
    yaml_foreach (node, entry) {
        const struct yaml_node *value = &entry->value;
        const struct doc_path item = {.parent = path, .index = (size_t)(entry - node->entries)};
        struct yaml_entry alone = {field->fields->key, value->line, value->column, *value};
        const struct yaml_node mapping = {.kind = YAML_KIND_MAPPING,
                                          .line = value->line,
                                          .column = value->column,
                                          .entries = &alone,
                                          .count = 1};
        if (value->kind == YAML_KIND_SEQUENCE) {
            ADD_PROBLEM(decoder, value, &item, "must be a single value or a mapping, is a list");
        } else if (check_given(&below, value, &item, "must not be empty")) {
            decode_table(&below, field->fields, value->kind == YAML_KIND_SCALAR ? &mapping : value,
                         &item);
        }
        below.object = (char *)below.object + field->size;
    }
}

// node is NULL for a key that is missing; parent is where a problem of its default is shown.
static void decode_field(struct decoder *decoder, const struct schema_field *field,
                         const struct yaml_node *node, const struct yaml_node *parent,
                         const struct doc_path *path)
{
    enum yaml_kind kind = schema_kind(field->type);
    struct error err;
    bool given = node != NULL && !yaml_is_null(node) &&
                 check_kind(decoder, node, path, kind,
                            field->type == SCHEMA_MAP ? " of names to values" : "");
    if (given && kind != YAML_KIND_SCALAR && field->max > 0 && node->count > field->max) {
        ADD_PROBLEM(decoder, node, path, "must have at most %llu entries",
                    (unsigned long long)field->max);
        given = false;
    }
    if (field->type == SCHEMA_TABLE) {
        const struct yaml_node *place = node == NULL ? parent : node;
        const struct yaml_node empty = {
            .kind = YAML_KIND_MAPPING, .line = place->line, .column = place->column};
        decode_table(decoder, field->fields, given ? node : &empty, path);
    } else if (given && field->type == SCHEMA_ITEMS) {
        decode_items(decoder, field, node, path);
    } else if (given && kind == YAML_KIND_SEQUENCE) {
        decode_list(decoder, field, node, path);
    } else if (given && kind == YAML_KIND_MAPPING) {
        decode_map(decoder, field, node, path);
    } else if ((!given || !decode_text(decoder, field, node, path)) && field->fallback != NULL &&
               schema_parse(field, field->fallback, decoder->source, decoder->object, &err) < 0) {
        ADD_PROBLEM(decoder, parent, path, "the default %s: %s", field->fallback, err.text);
    }
}

static void decode_table(struct decoder *decoder, const struct schema_field *fields,
                         const struct yaml_node *node, const struct doc_path *path)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        const struct doc_path below = {.parent = path, .key = field->key};
        decode_field(decoder, field, yaml_get(node, field->key), node, &below);
    }
    yaml_foreach (node, entry) {
        const struct doc_path below = {.parent = path, .key = entry->key};
        const char *near = schema_near(entry->key, fields, sizeof(*fields));
        char key[DOC_KEY_MAX];
        if (!str_equal(near, entry->key)) {
            ADD_PROBLEM(decoder, entry, &below, "unknown key `%s`%s%s%s",
                        doc_key_format(entry->key, key), near == NULL ? "" : ", did you mean `",
                        near == NULL ? "" : near, near == NULL ? "" : "`?");
        }
    }
}
// NOLINTEND(misc-no-recursion)

void schema_decode(const struct schema_field *fields, const struct yaml_node *node,
                   const struct path_source *source, void *object, struct problems *problems)
{
    struct decoder decoder = {.source = source, .object = object, .problems = problems};
    const struct schema_field root = {.type = SCHEMA_TABLE, .fields = fields};
    const struct yaml_node document = {.kind = YAML_KIND_MAPPING, .line = 1, .column = 1};
    decode_field(&decoder, &root, node, &document, NULL);
}

// ---- the object ----

// NOLINTNEXTLINE(misc-no-recursion): no deeper than the tables of the schema
void schema_done(const struct schema_field *fields, void *object)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        char *at = (char *)object + field->offset;
        if (field->type == SCHEMA_TABLE) {
            schema_done(field->fields, object);
        } else if (field->type == SCHEMA_STRING || field->type == SCHEMA_PATH) {
            freep(at);
        } else if (field->type == SCHEMA_LIST) {
            strv_done((void *)at);
        } else if (field->type == SCHEMA_MAP) {
            strmap_done((void *)at);
        }
        for (size_t i = 0; field->type == SCHEMA_ITEMS && i < field->max; i++) {
            schema_done(field->fields, at + i * field->size);
        }
    }
}

// ---- printing: each behind its key, and to the end of the line ----

static void print_text(const char *text, FILE *out)
{
    (void)putc(' ', out);
    yaml_print_text(text, out);
    (void)putc('\n', out);
}

static void print_list(const struct strv *list, int indent, FILE *out)
{
    (void)fputs(list->count == 0 ? " []\n" : "\n", out);
    for (size_t i = 0; i < list->count; i++) {
        (void)fprintf(out, "%*s-", indent, "");
        print_text(list->items[i], out);
    }
}

static void print_map(const struct strmap *map, int indent, FILE *out)
{
    (void)fputs(map->count == 0 ? " {}\n" : "\n", out);
    strmap_foreach (map, entry) {
        (void)fprintf(out, "%*s", indent, "");
        yaml_print_text(entry->key, out);
        (void)putc(':', out);
        print_text(entry->value, out);
    }
}

// NOLINTBEGIN(misc-no-recursion): no deeper than the tables of the schema
static void print_items(const struct schema_field *field, const char *item, int indent, FILE *out);

// mark stands before the first line.
static void print_table(const struct schema_field *fields, const void *object, int indent,
                        const char *mark, FILE *out)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        const char *at = (const char *)object + field->offset;
        _cleanup_free_ char *text = schema_text(field, object);
        (void)fprintf(out, "%*s%s:", indent, field == fields ? mark : "", field->key);
        if (field->type == SCHEMA_TABLE) {
            (void)putc('\n', out);
            print_table(field->fields, object, indent + INDENT, "", out);
        } else if (field->type == SCHEMA_ITEMS) {
            print_items(field, at, indent + INDENT, out);
        } else if (field->type == SCHEMA_LIST) {
            print_list((const void *)at, indent + INDENT, out);
        } else if (field->type == SCHEMA_MAP) {
            print_map((const void *)at, indent + INDENT, out);
        } else if (field->type == SCHEMA_BOOL || field->type == SCHEMA_INTEGER ||
                   field->type == SCHEMA_DURATION) {
            (void)fprintf(out, " %s\n", text); // no YAML takes it for something else
        } else {
            print_text(text, out);
        }
    }
}

static bool is_last(const struct schema_field *field, const char *item)
{
    return *(char *const *)(const void *)(item + field->fields->offset) == NULL;
}

static void print_items(const struct schema_field *field, const char *item, int indent, FILE *out)
{
    (void)fputs(is_last(field, item) ? " []\n" : "\n", out);
    for (; !is_last(field, item); item += field->size) {
        print_table(field->fields, item, indent + INDENT, "- ", out);
    }
}
// NOLINTEND(misc-no-recursion)

void schema_print(const struct schema_field *fields, const void *object, FILE *out)
{
    print_table(fields, object, 0, "", out);
}
