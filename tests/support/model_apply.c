#include "tests/support/model_apply.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/world/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KEYS_MAX 2

// Lists that server-side apply merges by keys; the others are replaced.
static const struct {
    const char *list;
    const char *keys[KEYS_MAX];
} map_lists[] = {
    {".spec.template.spec.containers", {"name"}},
    {".spec.template.spec.containers.*.env", {"name"}},
    {".spec.template.spec.containers.*.ports", {"containerPort", "protocol"}},
    {".spec.ports", {"port", "protocol"}},
};

static const char *const *keys_of(const char *path)
{
    for (size_t i = 0; i < ELEMENTS(map_lists); i++) {
        if (str_equal(map_lists[i].list, path)) {
            return map_lists[i].keys;
        }
    }
    return NULL;
}

static char *below(const char *path, const char *key)
{
    char *child = str_printf("%s.%s", path, key);
    assert_non_null(child);
    return child;
}

static json_t *find_element(json_t *list, const json_t *wanted, const char *const *keys)
{
    size_t i = 0;
    json_t *element = NULL;
    json_array_foreach (list, i, element) {
        bool same = true;
        for (size_t k = 0; k < KEYS_MAX && keys[k] != NULL; k++) {
            same = same &&
                   json_equal(json_object_get(element, keys[k]), json_object_get(wanted, keys[k]));
        }
        if (same) {
            return element;
        }
    }
    return NULL;
}

// "k:{…}" of an element.
static char *element_field(const json_t *element, const char *const *keys)
{
    json_auto_t *key = json_object();
    for (size_t k = 0; k < KEYS_MAX && keys[k] != NULL; k++) {
        assert_int_equal(json_object_set(key, keys[k], json_object_get(element, keys[k])), 0);
    }
    _cleanup_free_ char *text = json_dumps(key, JSON_COMPACT);
    char *field = str_printf("k:%s", text);
    assert_non_null(field);
    return field;
}

// The FieldsV1 of an applied value.
static json_t *fields_of(json_t *value, const char *path)
{
    static const char *const unmanaged[] = {".apiVersion", ".kind", ".metadata.name",
                                            ".metadata.namespace"};
    json_t *fields = json_object();
    const char *key = NULL;
    json_t *child = NULL;
    json_object_foreach (value, key, child) {
        _cleanup_free_ char *child_path = below(path, key);
        bool managed = true;
        for (size_t i = 0; i < ELEMENTS(unmanaged); i++) {
            managed = managed && !str_equal(child_path, unmanaged[i]);
        }
        if (managed) {
            _cleanup_free_ char *field = str_printf("f:%s", key);
            assert_int_equal(json_object_set_new(fields, field, fields_of(child, child_path)), 0);
        }
    }
    const char *const *keys = keys_of(path);
    size_t i = 0;
    json_array_foreach (keys == NULL ? NULL : value, i, child) {
        _cleanup_free_ char *child_path = below(path, "*");
        _cleanup_free_ char *field = element_field(child, keys);
        json_t *element = fields_of(child, child_path);
        assert_int_equal(json_object_set_new(element, ".", json_object()), 0);
        assert_int_equal(json_object_set_new(fields, field, element), 0);
    }
    return fields;
}

// Takes away what was applied before and is not any more.
static void remove_fields(json_t *value, const char *path, const json_t *old, const json_t *new)
{
    const char *field = NULL;
    json_t *old_child = NULL;
    const char *const *keys = keys_of(path);
    json_object_foreach ((json_t *)old, field, old_child) {
        const json_t *new_child = json_object_get(new, field);
        if (str_starts_with(field, "f:")) {
            _cleanup_free_ char *child_path = below(path, field + 2);
            if (new_child == NULL) {
                (void)json_object_del(value, field + 2);
            } else {
                remove_fields(json_object_get(value, field + 2), child_path, old_child, new_child);
            }
        } else if (str_starts_with(field, "k:") && keys != NULL) {
            json_auto_t *wanted = json_loads(field + 2, 0, NULL);
            _cleanup_free_ char *child_path = below(path, "*");
            json_t *element = find_element(value, wanted, keys);
            for (size_t i = 0; element != NULL && i < json_array_size(value); i++) {
                if (new_child == NULL && json_array_get(value, i) == element) {
                    (void)json_array_remove(value, i);
                    element = NULL;
                }
            }
            remove_fields(element, child_path, old_child, new_child);
        }
    }
}

static void merge(json_t *into, json_t *from, const char *path)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach (from, key, value) {
        _cleanup_free_ char *child_path = below(path, key);
        json_t *present = json_object_get(into, key);
        const char *const *keys = keys_of(child_path);
        if (json_is_object(present) && json_is_object(value)) {
            merge(present, value, child_path);
        } else if (json_is_array(present) && keys != NULL) {
            _cleanup_free_ char *element_path = below(child_path, "*");
            size_t i = 0;
            json_t *element = NULL;
            json_array_foreach (value, i, element) {
                json_t *twin = find_element(present, element, keys);
                if (twin != NULL) {
                    merge(twin, element, element_path);
                } else {
                    assert_int_equal(json_array_append_new(present, json_deep_copy(element)), 0);
                }
            }
        } else {
            assert_int_equal(json_object_set_new(into, key, json_deep_copy(value)), 0);
        }
    }
}

// The server answers without the fields that have their type's zero value.
static void drop_zero(json_t *value)
{
    void *next = NULL;
    const char *key = NULL;
    json_t *child = NULL;
    json_object_foreach_safe(value, next, key, child)
    {
        drop_zero(child);
        if (json_is_false(child) || (json_is_string(child) && json_string_length(child) == 0) ||
            (json_is_array(child) && json_array_size(child) == 0) ||
            (json_is_object(child) && json_object_size(child) == 0 && !str_starts_with(key, "f:") &&
             !str_equal(key, "."))) {
            (void)json_object_del(value, key);
        }
    }
    size_t i = 0;
    json_array_foreach (value, i, child) {
        drop_zero(child);
    }
}

static const json_t *container_of(const json_t *object)
{
    return json_array_get(json_get_array(object, "spec", "template", "spec", "containers", NULL),
                          0);
}

static bool names_are_unique(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        for (size_t j = 0; j < i; j++) {
            if (str_equal(json_get_string(json_array_get(list, i), "name", NULL),
                          json_get_string(json_array_get(list, j), "name", NULL))) {
                return false;
            }
        }
    }
    return true;
}

// What the server's validation says to a change; before is NULL for a new object.
static bool is_valid(const json_t *before, const json_t *after)
{
    const json_t *environment = json_get_array(container_of(after), "env", NULL);
    for (size_t i = 0; i < json_array_size(environment); i++) {
        const json_t *variable = json_array_get(environment, i);
        if (json_get(variable, "value", NULL) != NULL &&
            json_get(variable, "valueFrom", NULL) != NULL) {
            return false;
        }
    }
    if (!names_are_unique(json_get_array(container_of(after), "ports", NULL)) ||
        !names_are_unique(json_get_array(after, "spec", "ports", NULL))) {
        return false;
    }
    if (before == NULL) {
        return true;
    }
    const json_t *selector = json_get(before, "spec", "selector", "matchLabels", NULL);
    bool frozen = json_get_bool(before, false, "immutable", NULL);
    return (selector == NULL ||
            json_equal(selector, json_get(after, "spec", "selector", "matchLabels", NULL))) &&
           (json_get(before, "addressType", NULL) == NULL ||
            json_equal(json_get(before, "addressType", NULL),
                       json_get(after, "addressType", NULL))) &&
           (!frozen || json_equal(json_get(before, "data", NULL), json_get(after, "data", NULL)));
}

// Takes the manager's entry out of the list; NULL when it has none.
static json_t *take_managed_fields(json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;) {
        const json_t *entry = json_array_get(entries, i);
        if (str_equal(json_get_string(entry, "manager", NULL), WORLD_MANAGED_BY)) {
            json_t *fields = json_incref(json_get_object(entry, "fieldsV1", NULL));
            assert_int_equal(json_array_remove(entries, i), 0);
            return fields;
        }
    }
    return NULL;
}

json_t *model_apply(const json_t *before, json_t *body)
{
    json_auto_t *after = before == NULL ? json_object() : json_deep_copy(before);
    json_auto_t *old =
        take_managed_fields(json_get_array(after, "metadata", "managedFields", NULL));
    json_auto_t *new = fields_of(body, "");
    merge(after, body, "");
    remove_fields(after, "", old, new);
    drop_zero(after);
    if (!is_valid(before, after)) {
        return NULL;
    }
    json_t *metadata = json_object_get(after, "metadata");
    if (!json_is_array(json_object_get(metadata, "managedFields"))) {
        assert_int_equal(json_object_set_new(metadata, "managedFields", json_array()), 0);
    }
    json_t *entry = json_pack("{s:s, s:s, s:O}", "manager", WORLD_MANAGED_BY, "operation", "Apply",
                              "fieldsV1", new);
    assert_int_equal(json_array_append_new(json_object_get(metadata, "managedFields"), entry), 0);
    return TAKE_PTR(after);
}
