// From libyaml's events to a tree. Not libyaml's document API: that one loses the difference
// between plain and quoted, accepts duplicate keys and builds cyclic graphs from aliases.

#include "lib/base/str.h"
#include "lib/doc/yaml_node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t length;
    struct problems *problems;
};

#define _cleanup_event_ _cleanup_(yaml_event_delete)
#define _cleanup_node_ _cleanup_(yaml_node_done)

static unsigned mark_line(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

static unsigned mark_column(yaml_mark_t mark)
{
    return (unsigned)mark.column + 1;
}

static int refuse(struct reader *reader, yaml_mark_t mark, const struct doc_path *path,
                  const char *reason)
{
    char name[DOC_PATH_MAX];
    doc_path_format(path, name);
    return problems_add(reader->problems, mark_line(mark), mark_column(mark), name, "%s", reason);
}

// Whether the line (from 0) is indented by a tab: libyaml only says that a character "cannot start
// any token".
static bool line_has_tab(const struct reader *reader, size_t line)
{
    const char *at = reader->text;
    const char *end = reader->text + reader->length;
    for (; line > 0; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL) {
            return false;
        }
        at++;
    }
    while (at < end && *at == ' ') {
        at++;
    }
    return at < end && *at == '\t';
}

// libyaml gives the place of an undecodable byte as an offset.
static yaml_mark_t mark_at_offset(const struct reader *reader, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < reader->length; i++) {
        if (reader->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)reader->text[i] & 0xc0) != 0x80) { // no continuation byte
            mark.column++;
        }
    }
    return mark;
}

// Adds what made the parser stop. Returns -EINVAL or -ENOMEM.
static int syntax_problem(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return -ENOMEM;
    }
    yaml_mark_t mark = parser->problem_mark;
    char context[128] = "";
    const char *hint = "";
    if (parser->error == YAML_READER_ERROR) {
        mark = mark_at_offset(reader, parser->problem_offset);
    } else {
        if (parser->context != NULL) {
            (void)snprintf(context, sizeof(context), " (%s that begins in line %u)",
                           parser->context, mark_line(parser->context_mark));
        }
        if (line_has_tab(reader, mark.line)) {
            hint = "; the line is indented with a tab, use spaces";
        }
    }
    int r = problems_add(reader->problems, mark_line(mark), mark_column(mark), "", "%s%s%s",
                         parser->problem, context, hint);
    return r < 0 ? r : -EINVAL;
}

// Returns 0 with an event to delete, -EINVAL or -ENOMEM.
static int next_event(struct reader *reader, yaml_event_t *ret)
{
    return yaml_parser_parse(&reader->parser, ret) ? 0 : syntax_problem(reader);
}

static int refuse_properties(struct reader *reader, yaml_mark_t mark, const struct doc_path *path,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    int r = 0;
    if (anchor != NULL) {
        r = refuse(reader, mark, path, "anchors (&) are not supported here");
    }
    if (r == 0 && tag != NULL) {
        r = refuse(reader, mark, path, "tags (!) are not supported here");
    }
    return r;
}

static int set_text(struct yaml_node *node, const char *text, bool plain)
{
    node->kind = YAML_KIND_SCALAR;
    node->plain = plain;
    return str_replace(&node->text, text);
}

static int build_scalar(struct reader *reader, const yaml_event_t *event,
                        const struct doc_path *path, struct yaml_node *node)
{
    const char *text = (const char *)event->data.scalar.value;
    int r = refuse_properties(reader, event->start_mark, path, event->data.scalar.anchor,
                              event->data.scalar.tag);
    if (r < 0) {
        return r;
    }
    if (strlen(text) != event->data.scalar.length) {
        r = refuse(reader, event->start_mark, path, "NUL characters are not supported here");
        return r < 0 ? r : set_text(node, "", true);
    }
    return set_text(node, text, event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
}

// Takes what key and value own, on success only.
static int node_append(struct yaml_node *node, char **key, yaml_mark_t mark,
                       struct yaml_node *value)
{
    if ((node->count & (node->count - 1)) == 0) { // grows at each power of two
        size_t size = node->count == 0 ? 1 : node->count * 2;
        struct yaml_entry *entries = reallocarray(node->entries, size, sizeof(*entries));
        if (entries == NULL) {
            return -ENOMEM;
        }
        node->entries = entries;
    }
    node->entries[node->count++] = (struct yaml_entry){
        .key = TAKE_PTR(*key),
        .line = mark_line(mark),
        .column = mark_column(mark),
        .value = TAKE_STRUCT(*value),
    };
    return 0;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than YAML_DEPTH_MAX
static int build(struct reader *reader, const yaml_event_t *event, const struct doc_path *path,
                 unsigned depth, struct yaml_node *node);

static int build_sequence(struct reader *reader, const struct doc_path *path, unsigned depth,
                          struct yaml_node *node)
{
    for (size_t i = 0;; i++) {
        _cleanup_event_ yaml_event_t event = {0};
        int r = next_event(reader, &event);
        if (r < 0 || event.type == YAML_SEQUENCE_END_EVENT) {
            return r;
        }
        struct doc_path item = {.parent = path, .index = i};
        _cleanup_node_ struct yaml_node value = {0};
        char *key = NULL;
        r = build(reader, &event, &item, depth, &value);
        if (r == 0) {
            r = node_append(node, &key, event.start_mark, &value);
        }
        if (r < 0) {
            return r;
        }
    }
}

// Reads a key. Returns 0 with *ret, which is NULL when the key is refused, -EINVAL or -ENOMEM.
static int build_key(struct reader *reader, const yaml_event_t *event, const struct doc_path *path,
                     unsigned depth, char **ret)
{
    size_t before = reader->problems->count;
    _cleanup_node_ struct yaml_node node = {0};
    int r = build(reader, event, path, depth, &node);
    if (r < 0 || reader->problems->count > before) {
        return r;
    }
    if (node.kind != YAML_KIND_SCALAR) {
        return refuse(reader, event->start_mark, path, "a key must be a single value");
    }
    if (node.plain && str_equal(node.text, "<<")) {
        return refuse(reader, event->start_mark, path, "merge keys (<<) are not supported here");
    }
    *ret = TAKE_PTR(node.text);
    return 0;
}

static int entry_compare(const void *first, const void *second)
{
    const struct yaml_entry *a = *(struct yaml_entry *const *)first;
    const struct yaml_entry *b = *(struct yaml_entry *const *)second;
    int order = strcmp(a->key, b->key);
    if (order != 0) {
        return order;
    }
    return a < b ? -1 : a > b; // the place in the array is the order of the document
}

// Drops every second entry of a key. Sorts pointers, as a comparison of all pairs takes minutes for
// a document of the largest size.
static int refuse_duplicates(struct reader *reader, const struct doc_path *path,
                             struct yaml_node *node)
{
    if (node->count < 2) {
        return 0;
    }
    _cleanup_free_ struct yaml_entry **sorted = calloc(node->count, sizeof(struct yaml_entry *));
    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < node->count; i++) {
        sorted[i] = &node->entries[i];
    }
    qsort(sorted, node->count, sizeof(struct yaml_entry *), entry_compare);

    const struct yaml_entry *first = sorted[0];
    for (size_t i = 1; i < node->count; i++) {
        struct yaml_entry *entry = sorted[i];
        if (!str_equal(first->key, entry->key)) {
            first = entry;
            continue;
        }
        char key[DOC_KEY_MAX];
        char name[DOC_PATH_MAX];
        doc_path_format(&(struct doc_path){.parent = path, .key = entry->key}, name);
        int r = problems_add(reader->problems, entry->line, entry->column, name,
                             "duplicate key `%s`, the first is in line %u",
                             doc_key_format(entry->key, key), first->line);
        if (r < 0) {
            return r;
        }
        free(entry->key);
        yaml_node_done(&entry->value);
        entry->key = NULL; // goes below; not in the sorted part that is still read
    }

    size_t kept = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (node->entries[i].key != NULL) {
            node->entries[kept++] = node->entries[i];
        }
    }
    node->count = kept;
    return 0;
}

static int build_mapping(struct reader *reader, const struct doc_path *path, unsigned depth,
                         struct yaml_node *node)
{
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        int r = next_event(reader, &event);
        if (r < 0) {
            return r;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            return refuse_duplicates(reader, path, node);
        }
        _cleanup_free_ char *key = NULL;
        _cleanup_event_ yaml_event_t value_event = {0};
        _cleanup_node_ struct yaml_node value = {0};
        r = build_key(reader, &event, path, depth, &key);
        if (r == 0) {
            r = next_event(reader, &value_event);
        }
        if (r < 0) {
            return r;
        }
        struct doc_path below = {.parent = path, .key = key};
        r = build(reader, &value_event, key == NULL ? path : &below, depth, &value);
        if (r == 0 && key != NULL) {
            r = node_append(node, &key, event.start_mark, &value);
        }
        if (r < 0) {
            return r;
        }
    }
}

// Fills node, which is all zero; what it owns is the caller's also on failure.
static int build(struct reader *reader, const yaml_event_t *event, const struct doc_path *path,
                 unsigned depth, struct yaml_node *node)
{
    node->line = mark_line(event->start_mark);
    node->column = mark_column(event->start_mark);
    if (event->type == YAML_SCALAR_EVENT) {
        return build_scalar(reader, event, path, node);
    }
    if (event->type == YAML_ALIAS_EVENT) {
        int r = refuse(reader, event->start_mark, path, "aliases (*) are not supported here");
        return r < 0 ? r : set_text(node, "", true);
    }
    if (depth == YAML_DEPTH_MAX) {
        int r = problems_add(reader->problems, node->line, node->column, "",
                             "more than %d levels of nesting", YAML_DEPTH_MAX);
        return r < 0 ? r : -EINVAL;
    }
    // The parser delivers nothing else where a value begins.
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    node->kind = is_mapping ? YAML_KIND_MAPPING : YAML_KIND_SEQUENCE;
    int r =
        is_mapping
            ? refuse_properties(reader, event->start_mark, path, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag)
            : refuse_properties(reader, event->start_mark, path, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag);
    if (r < 0) {
        return r;
    }
    return is_mapping ? build_mapping(reader, path, depth + 1, node)
                      : build_sequence(reader, path, depth + 1, node);
}
// NOLINTEND(misc-no-recursion)

// Reads the stream's events around the one document.
static int build_document(struct reader *reader, struct yaml_node *root)
{
    bool found = false;
    *root = (struct yaml_node){.kind = YAML_KIND_MAPPING, .line = 1, .column = 1};
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        int r = next_event(reader, &event);
        if (r < 0 || event.type == YAML_STREAM_END_EVENT) {
            return r;
        }
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT) {
            continue;
        }
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (found) {
                r = refuse(reader, event.start_mark, NULL, "a second document begins here");
                return r < 0 ? r : -EINVAL;
            }
            found = true;
            continue;
        }
        _cleanup_node_ struct yaml_node node = {0};
        r = build(reader, &event, NULL, 0, &node);
        if (r < 0) {
            return r;
        }
        if (!yaml_is_null(&node)) {
            *root = TAKE_STRUCT(node);
        }
    }
}

int yaml_read_all(const char *text, size_t length, struct yaml_node **ret,
                  struct problems *problems)
{
    if (length > YAML_BYTES_MAX) {
        int r = problems_add(problems, 1, 1, "", "the document exceeds %zu bytes", YAML_BYTES_MAX);
        return r < 0 ? r : -EINVAL;
    }
    struct reader reader = {.text = text, .length = length, .problems = problems};
    _cleanup_(yaml_node_freep) struct yaml_node *root = calloc(1, sizeof(*root));
    if (root == NULL || !yaml_parser_initialize(&reader.parser)) {
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    int r = build_document(&reader, root);
    yaml_parser_delete(&reader.parser);
    if (r == 0) {
        *ret = TAKE_PTR(root);
    }
    return r;
}
