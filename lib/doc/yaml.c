// From libyaml's events to a tree. Not libyaml's document API: that one loses the difference
// between plain and quoted, accepts duplicate keys and builds cyclic graphs from aliases.

#include "lib/doc/yaml.h"

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

// ---- the tree ----

const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key)
{
    if (node == NULL || node->kind != YAML_KIND_MAPPING) {
        return NULL;
    }
    yaml_foreach (node, entry) {
        if (str_equal(entry->key, key)) {
            return &entry->value;
        }
    }
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    bool is_null = false;
    for (size_t i = 0; i < ELEMENTS(nulls); i++) {
        is_null = is_null || str_equal(node->text, nulls[i]);
    }
    return is_null && node->plain;
}

const char *yaml_text(const struct yaml_node *node)
{
    return node == NULL || yaml_is_null(node) ? NULL : node->text;
}

const char *yaml_get_text(const struct yaml_node *node, const char *key)
{
    return yaml_text(yaml_get(node, key));
}

const char *yaml_kind_name(enum yaml_kind kind)
{
    static const char *const names[] = {
        [YAML_KIND_SCALAR] = "a single value",
        [YAML_KIND_MAPPING] = "a mapping",
        [YAML_KIND_SEQUENCE] = "a list",
    };
    return names[kind];
}

// What a root node is the first member of.
struct document {
    struct yaml_node root;
    struct arena arena; // of everything below it
};

void yaml_node_free(struct yaml_node *node)
{
    struct document *document = (struct document *)node;
    if (document != NULL) {
        arena_done(&document->arena);
        free(document);
    }
}

// ---- reading ----

struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t length;
    struct problems *problems;
    struct arena *arena;
};

#define _cleanup_event_ _cleanup_(yaml_event_delete)

// libyaml counts lines and columns from 0.
#define ADD_PROBLEM(reader, mark, path, ...)                                                       \
    problems_add((reader)->problems, (unsigned)(mark).line + 1, (unsigned)(mark).column + 1, path, \
                 __VA_ARGS__)

// Whether the line (from 0) is indented by a tab: libyaml only says that a character "cannot start
// any token".
static bool line_has_tab(const struct reader *reader, size_t line)
{
    const char *at = reader->text;
    const char *end = reader->text + reader->length;
    for (; line > 0 && at != NULL; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    while (at != NULL && at < end && *at == ' ') {
        at++;
    }
    return at != NULL && at < end && *at == '\t';
}

// libyaml gives the place of an undecodable byte as an offset.
static yaml_mark_t mark_at_offset(const struct reader *reader, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < reader->length; i++) {
        bool ends_line = reader->text[i] == '\n';
        bool continues = ((unsigned char)reader->text[i] & 0xc0) == 0x80; // a character
        mark.line += ends_line;
        mark.column = ends_line ? 0 : mark.column + !continues;
    }
    return mark;
}

// Returns true with an event to delete, or false with the problem that made the parser stop.
static bool next_event(struct reader *reader, yaml_event_t *ret)
{
    const yaml_parser_t *parser = &reader->parser;
    char context[128] = "";
    if (yaml_parser_parse(&reader->parser, ret)) {
        return true;
    }
    if (parser->error == YAML_MEMORY_ERROR) {
        alloc_fail();
    }
    if (parser->error == YAML_READER_ERROR) {
        const yaml_mark_t mark = mark_at_offset(reader, parser->problem_offset);
        ADD_PROBLEM(reader, mark, NULL, "%s", parser->problem);
        return false;
    }
    if (parser->context != NULL) {
        (void)snprintf(context, sizeof(context), " (%s that begins in line %zu)", parser->context,
                       parser->context_mark.line + 1);
    }
    ADD_PROBLEM(reader, parser->problem_mark, NULL, "%s%s%s", parser->problem, context,
                line_has_tab(reader, parser->problem_mark.line)
                    ? "; the line is indented with a tab, use spaces"
                    : "");
    return false;
}

static void append(struct reader *reader, struct yaml_node *node, const char *key, yaml_mark_t mark,
                   const struct yaml_node *value)
{
    *ARENA_GROW(reader->arena, node->entries, node->count) = (struct yaml_entry){
        .key = key,
        .line = (unsigned)mark.line + 1,
        .column = (unsigned)mark.column + 1,
        .value = *value,
    };
}

// These return false when the parser cannot go on.
// NOLINTBEGIN(misc-no-recursion): no deeper than YAML_DEPTH_MAX
static bool build(struct reader *reader, const yaml_event_t *event, const struct doc_path *path,
                  unsigned depth, struct yaml_node *node);

static bool build_sequence(struct reader *reader, const struct doc_path *path, unsigned depth,
                           struct yaml_node *node)
{
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        struct yaml_node value = {0};
        const struct doc_path item = {.parent = path, .index = node->count};
        if (!next_event(reader, &event)) {
            return false;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            return true;
        }
        if (!build(reader, &event, &item, depth, &value)) {
            return false;
        }
        append(reader, node, NULL, event.start_mark, &value);
    }
}

// Whether the key, a node without problems of its own, may be one of the mapping.
static bool check_key(struct reader *reader, yaml_mark_t mark, const struct doc_path *path,
                      const struct yaml_node *mapping, const struct yaml_node *key)
{
    if (key->kind != YAML_KIND_SCALAR) {
        ADD_PROBLEM(reader, mark, path, "a key must be a single value");
        return false;
    }
    if (key->plain && str_equal(key->text, "<<")) {
        ADD_PROBLEM(reader, mark, path, "merge keys (<<) are not supported here");
        return false;
    }
    yaml_foreach (mapping, entry) {
        if (str_equal(entry->key, key->text)) {
            char name[DOC_KEY_MAX];
            const struct doc_path below = {.parent = path, .key = key->text};
            ADD_PROBLEM(reader, mark, &below, "duplicate key `%s`, the first is in line %u",
                        doc_key_format(key->text, name), entry->line);
            return false;
        }
    }
    return true;
}

static bool build_mapping(struct reader *reader, const struct doc_path *path, unsigned depth,
                          struct yaml_node *node)
{
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        _cleanup_event_ yaml_event_t value_event = {0};
        struct yaml_node key = {0};
        struct yaml_node value = {0};
        if (!next_event(reader, &event)) {
            return false;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            return true;
        }
        if (node->count == YAML_KEYS_MAX) {
            ADD_PROBLEM(reader, event.start_mark, path, "more than %d keys", YAML_KEYS_MAX);
            return false;
        }
        size_t before = reader->problems->count;
        if (!build(reader, &event, path, depth, &key) || !next_event(reader, &value_event)) {
            return false;
        }
        bool good = reader->problems->count == before &&
                    check_key(reader, event.start_mark, path, node, &key);
        const struct doc_path below = {.parent = path, .key = key.text};
        if (!build(reader, &value_event, good ? &below : path, depth, &value)) {
            return false;
        }
        if (good) {
            append(reader, node, key.text, event.start_mark, &value);
        }
    }
}

static bool build(struct reader *reader, const yaml_event_t *event, const struct doc_path *path,
                  unsigned depth, struct yaml_node *node)
{
    const yaml_mark_t mark = event->start_mark;
    *node =
        (struct yaml_node){.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
    if (event->type == YAML_ALIAS_EVENT) {
        ADD_PROBLEM(reader, mark, path, "aliases (*) are not supported here");
        node->text = arena_dup(reader->arena, "");
        node->plain = true;
        return true;
    }
    // What else begins a value begins alike: with the anchor and the tag.
    if (event->data.scalar.anchor != NULL) {
        ADD_PROBLEM(reader, mark, path, "anchors (&) are not supported here");
    }
    if (event->data.scalar.tag != NULL) {
        ADD_PROBLEM(reader, mark, path, "tags (!) are not supported here");
    }
    if (event->type == YAML_SCALAR_EVENT) {
        const char *text = (const char *)event->data.scalar.value;
        bool whole = strlen(text) == event->data.scalar.length;
        if (!whole) {
            ADD_PROBLEM(reader, mark, path, "NUL characters are not supported here");
        }
        node->text = arena_dup(reader->arena, whole ? text : "");
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return true;
    }
    if (depth == YAML_DEPTH_MAX) {
        ADD_PROBLEM(reader, mark, NULL, "more than %d levels of nesting", YAML_DEPTH_MAX);
        return false;
    }
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    node->kind = mapping ? YAML_KIND_MAPPING : YAML_KIND_SEQUENCE;
    return (mapping ? build_mapping : build_sequence)(reader, path, depth + 1, node);
}
// NOLINTEND(misc-no-recursion)

// Reads the stream's events around the one document.
static bool build_document(struct reader *reader, struct yaml_node *root)
{
    bool found = false;
    *root = (struct yaml_node){.kind = YAML_KIND_MAPPING, .line = 1, .column = 1};
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        struct yaml_node node = {0};
        if (!next_event(reader, &event)) {
            return false;
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            return true;
        }
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT) {
            continue;
        }
        if (event.type == YAML_DOCUMENT_START_EVENT && found) {
            ADD_PROBLEM(reader, event.start_mark, NULL, "a second document begins here");
            return false;
        }
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            found = true;
        } else if (!build(reader, &event, NULL, 0, &node)) {
            return false;
        } else if (!yaml_is_null(&node)) {
            *root = node;
        }
    }
}

int yaml_read_all(const char *text, size_t length, struct yaml_node **ret,
                  struct problems *problems)
{
    if (length > YAML_BYTES_MAX) {
        problems_add(problems, 1, 1, NULL, "the document exceeds %zu bytes", YAML_BYTES_MAX);
        return -EINVAL;
    }
    struct document *document = xcalloc(1, sizeof(*document));
    _cleanup_(yaml_node_freep) struct yaml_node *root = &document->root;
    struct reader reader = {
        .text = text, .length = length, .problems = problems, .arena = &document->arena};
    if (!yaml_parser_initialize(&reader.parser)) {
        alloc_fail();
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    bool good = build_document(&reader, root);
    yaml_parser_delete(&reader.parser);
    if (!good) {
        return -EINVAL;
    }
    *ret = TAKE_PTR(root);
    return 0;
}

int yaml_read(const char *text, size_t length, struct yaml_node **ret, struct error *err)
{
    _cleanup_(problems_done) struct problems problems = {0};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    (void)yaml_read_all(text, length, &root, &problems);
    if (problems.count > 0) {
        problems_sort(&problems);
        const struct problem *first = &problems.items[0];
        return error_invalid(err, "%u:%u: %s%s%s", first->line, first->column, first->path,
                             first->path[0] == '\0' ? "" : ": ", first->text);
    }
    *ret = TAKE_PTR(root);
    return 0;
}
