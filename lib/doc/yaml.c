#include "lib/doc/yaml.h"

#include "lib/base/str.h"
#include "lib/doc/yaml_node.h"

#include <errno.h>

int yaml_read(const char *text, size_t length, struct yaml_node **ret, struct error *err)
{
    _cleanup_(problems_done) struct problems problems = {0};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    int r = yaml_read_all(text, length, &root, &problems);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (problems.count > 0) {
        problems_sort(&problems);
        const struct problem *first = &problems.items[0];
        return error_set(err, ERROR_PERMANENT, EINVAL, "%u:%u: %s%s%s", first->line, first->column,
                         first->path, first->path[0] == '\0' ? "" : ": ", first->text);
    }
    *ret = TAKE_PTR(root);
    return 0;
}

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
    if (node->kind != YAML_KIND_SCALAR || !node->plain) {
        return false;
    }
    for (size_t i = 0; i < ELEMENTS(nulls); i++) {
        if (str_equal(node->text, nulls[i])) {
            return true;
        }
    }
    return false;
}

const char *yaml_text(const struct yaml_node *node)
{
    if (node == NULL || node->kind != YAML_KIND_SCALAR || yaml_is_null(node)) {
        return NULL;
    }
    return node->text;
}

const char *yaml_get_text(const struct yaml_node *node, const char *key)
{
    return yaml_text(yaml_get(node, key));
}

const char *yaml_kind_name(enum yaml_kind kind)
{
    switch (kind) {
    case YAML_KIND_SCALAR:
        return "a single value";
    case YAML_KIND_MAPPING:
        return "a mapping";
    case YAML_KIND_SEQUENCE:
        return "a list";
    }
    return "unknown";
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than YAML_DEPTH_MAX
void yaml_node_done(struct yaml_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        free(node->entries[i].key);
        yaml_node_done(&node->entries[i].value);
    }
    free(node->entries);
    free(node->text);
    *node = (struct yaml_node){0};
}

void yaml_node_free(struct yaml_node *node)
{
    if (node != NULL) {
        yaml_node_done(node);
        free(node);
    }
}
