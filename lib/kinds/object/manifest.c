#include "lib/kinds/object/manifest.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

#include <assert.h>
#include <string.h>

#define OPEN "${"
#define CLOSE "}"

// The variable whose ${name} begins the text, borrowed, and where the text goes on behind that.
static json_t *variable_at(const json_t *variables, const char *text, const char **ret_rest)
{
    const char *name = text + strlen(OPEN);
    size_t length = strcspn(name, CLOSE);
    _cleanup_free_ char *key = str_dup_n(name, length);
    json_t *value = json_object_get(variables, key);
    assert(name[length] != '\0' && value != NULL);
    *ret_rest = name + length + strlen(CLOSE);
    return value;
}

static json_t *read_text(const json_t *variables, const char *text)
{
    _cleanup_buf_ struct buf buf = BUF_INIT(YAML_BYTES_MAX);
    for (const char *open = NULL; (open = strstr(text, OPEN)) != NULL;) {
        (void)buf_append(&buf, text, (size_t)(open - text));
        const json_t *value = variable_at(variables, open, &text);
        _cleanup_free_ char *json = json_dumps(value, JSON_ENCODE_ANY);
        (void)buf_append_str(&buf, json_is_string(value) ? json_string_value(value) : json);
    }
    (void)buf_append_str(&buf, text);
    return json_string(buf_str(&buf));
}

static json_t *read_scalar(const json_t *variables, const struct yaml_node *node)
{
    const char *text = node->text;
    const char *rest = NULL;
    if (!node->plain) {
        return read_text(variables, text);
    }
    if (str_starts_with(text, OPEN)) {
        json_t *value = variable_at(variables, text, &rest);
        return *rest == '\0' ? json_deep_copy(value) : read_text(variables, text);
    }
    bool is_true = str_equal(text, "true");
    return yaml_is_null(node)                         ? json_null()
           : is_true || str_equal(text, "false")      ? json_boolean(is_true)
           : text[strspn(text, "0123456789")] == '\0' ? json_integer(strtoll(text, NULL, 10))
                                                      : read_text(variables, text);
}

static void replace_by_name(json_t *list, json_t *element)
{
    const char *name = json_get_string(element, "name", NULL);
    size_t i = 0;
    while (i < json_array_size(list) &&
           (name == NULL ||
            !str_equal(name, json_get_string(json_array_get(list, i), "name", NULL)))) {
        i++;
    }
    (void)(i < json_array_size(list) ? json_array_set(list, i, element)
                                     : json_array_append(list, element));
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than YAML_DEPTH_MAX
static json_t *read_node(const json_t *variables, const struct yaml_node *node)
{
    if (node->kind == YAML_KIND_SCALAR) {
        return read_scalar(variables, node);
    }
    bool is_list = node->kind == YAML_KIND_SEQUENCE;
    json_t *read = is_list ? json_array() : json_object();
    yaml_foreach (node, entry) {
        json_auto_t *value = read_node(variables, &entry->value);
        assert(value != NULL); // else it is no UTF-8
        if (!is_list) {
            (void)json_object_set(read, entry->key, value);
        } else if (entry->value.kind == YAML_KIND_SCALAR && json_is_array(value)) {
            size_t i = 0;
            json_t *element = NULL;
            json_array_foreach (value, i, element) {
                replace_by_name(read, element);
            }
        } else {
            (void)json_array_append(read, value);
        }
    }
    return read;
}

json_t *manifest_read(const char *file, const json_t *variables)
{
    const struct manifest *manifest = manifests;
    while (!str_equal(manifest->file, file)) {
        assert(manifest->file != NULL);
        manifest++;
    }
    const char *text = (const char *)manifest->text;
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    int r = yaml_read(text, strlen(text), &root, NULL);
    assert(r == 0);
    (void)r;
    return read_node(variables, root);
}
