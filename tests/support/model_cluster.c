#include "tests/support/model_cluster.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OBJECT_MAX 64
#define KEYS_MAX 2

struct entry {
    enum kube_kind kind;
    bool derived; // made by a controller
    json_t *object;
};

struct model_cluster {
    bool ipv6;
    unsigned serial;
    struct entry entries[OBJECT_MAX];
    size_t count;
};

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

static struct entry *find(const struct model_cluster *model, enum kube_kind kind,
                          const char *name_space, const char *name)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        if (entry->kind == kind &&
            str_equal(json_get_string(entry->object, "metadata", "namespace", NULL), name_space) &&
            str_equal(json_get_string(entry->object, "metadata", "name", NULL), name)) {
            return (struct entry *)entry;
        }
    }
    return NULL;
}

static void remove_entry(struct model_cluster *model, struct entry *entry)
{
    json_decref(entry->object);
    *entry = model->entries[--model->count];
}

static bool is_deleting(const json_t *object)
{
    return json_get(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

static struct entry *insert(struct model_cluster *model, enum kube_kind kind, json_t *object)
{
    assert_true(model->count < OBJECT_MAX);
    _cleanup_free_ char *uid = str_printf("uid-%u", ++model->serial);
    json_t *metadata = json_object_get(object, "metadata");
    assert_int_equal(json_object_set_new(metadata, "uid", json_string(uid)), 0);
    if (kind == KUBE_SERVICE) {
        assert_int_equal(json_object_set_new(json_object_get(object, "spec"), "clusterIP",
                                             json_string(model->ipv6 ? "fd00::1" : "10.96.0.9")),
                         0);
    }
    model->entries[model->count] = (struct entry){.kind = kind, .object = object};
    return &model->entries[model->count++];
}

void model_cluster_put(struct model_cluster *model, enum kube_kind kind, json_t *object)
{
    assert_non_null(object);
    const char *name_space = json_get_string(object, "metadata", "namespace", NULL);
    const char *name = json_get_string(object, "metadata", "name", NULL);
    if (find(model, kind, name_space, name) != NULL) {
        json_decref(object);
        return;
    }
    (void)insert(model, kind, object);
}

static int apply(struct model_cluster *model, const struct action *action)
{
    const struct entry *home = find(model, KUBE_NAMESPACE, NULL, action->name_space);
    bool system = str_equal(action->name_space, "kube-public");
    if (action->name_space != NULL && !system && (home == NULL || is_deleting(home->object))) {
        return -ENOENT;
    }
    struct entry *entry = find(model, action->kind, action->name_space, action->name);
    json_auto_t *after = entry == NULL ? json_object() : json_deep_copy(entry->object);
    json_t *entries = json_get_array(after, "metadata", "managedFields", NULL);
    json_auto_t *old = NULL;
    for (size_t i = json_array_size(entries); i-- > 0;) {
        const json_t *manager = json_array_get(entries, i);
        if (str_equal(json_get_string(manager, "manager", NULL), WORLD_MANAGED_BY)) {
            old = json_incref(json_get_object(manager, "fieldsV1", NULL));
            assert_int_equal(json_array_remove(entries, i), 0);
        }
    }
    json_auto_t *new = fields_of(action->body, "");
    merge(after, action->body, "");
    remove_fields(after, "", old, new);
    drop_zero(after);
    if (!is_valid(entry == NULL ? NULL : entry->object, after)) {
        return -EINVAL;
    }

    json_t *metadata = json_object_get(after, "metadata");
    if (!json_is_array(json_object_get(metadata, "managedFields"))) {
        assert_int_equal(json_object_set_new(metadata, "managedFields", json_array()), 0);
    }
    assert_int_equal(json_array_append_new(json_object_get(metadata, "managedFields"),
                                           json_pack("{s:s, s:s, s:O}", "manager", WORLD_MANAGED_BY,
                                                     "operation", "Apply", "fieldsV1", new)),
                     0);
    if (entry == NULL) {
        entry = insert(model, action->kind, TAKE_PTR(after));
    } else {
        json_decref(entry->object);
        entry->object = TAKE_PTR(after);
    }
    entry->derived = false;
    return 0;
}

// A Namespace takes its time; without finalizers everything else is gone at once.
static int delete (struct model_cluster *model, const struct action *action)
{
    struct entry *entry = find(model, action->kind, action->name_space, action->name);
    if (entry == NULL) {
        return 0;
    }
    if (!str_equal(json_get_string(entry->object, "metadata", "uid", NULL), action->uid)) {
        return -EEXIST;
    }
    if (action->kind == KUBE_NAMESPACE) {
        return json_object_set_new(json_object_get(entry->object, "metadata"), "deletionTimestamp",
                                   json_string("2026-01-01T00:00:00Z"));
    }
    remove_entry(model, entry);
    return 0;
}

int model_cluster_act(struct model_cluster *model, const struct action *action)
{
    return action->type == ACTION_OBJECT_APPLY ? apply(model, action) : delete (model, action);
}

static void settle_service(struct model_cluster *model, const json_t *service)
{
    const char *name_space = json_get_string(service, "metadata", "namespace", NULL);
    const char *name = json_get_string(service, "metadata", "name", NULL);
    if (json_object_size(json_get_object(service, "spec", "selector", NULL)) == 0 ||
        find(model, KUBE_ENDPOINTS, name_space, name) != NULL) {
        return;
    }
    json_t *labels = json_deep_copy(json_get_object(service, "metadata", "labels", NULL));
    json_t *endpoints = json_pack("{s:{s:s, s:s, s:o*}}", "metadata", "name", name, "namespace",
                                  name_space, "labels", labels);
    assert_non_null(endpoints);
    insert(model, KUBE_ENDPOINTS, endpoints)->derived = true;
}

static void settle_deployment(json_t *deployment)
{
    json_int_t replicas = json_get_int(deployment, 1, "spec", "replicas", NULL);
    json_t *status = json_pack("{s:I, s:I, s:I}", "replicas", replicas, "updatedReplicas", replicas,
                               "availableReplicas", replicas);
    assert_int_equal(json_object_set_new(deployment, "status", status), 0);
}

// Whether what the entry belongs to is gone or going.
static bool is_orphan(const struct model_cluster *model, const struct entry *entry)
{
    const char *name_space = json_get_string(entry->object, "metadata", "namespace", NULL);
    const char *name = json_get_string(entry->object, "metadata", "name", NULL);
    const struct entry *home = find(model, KUBE_NAMESPACE, NULL, name_space);
    return (home != NULL && is_deleting(home->object)) ||
           (entry->derived && find(model, KUBE_SERVICE, name_space, name) == NULL);
}

void model_cluster_settle(struct model_cluster *model)
{
    for (size_t i = model->count; i-- > 0;) {
        if (is_orphan(model, &model->entries[i])) {
            remove_entry(model, &model->entries[i]);
        }
    }
    for (size_t i = model->count; i-- > 0;) {
        struct entry *entry = &model->entries[i];
        if (is_deleting(entry->object)) {
            remove_entry(model, entry);
        } else if (entry->kind == KUBE_SERVICE) {
            settle_service(model, entry->object);
        } else if (entry->kind == KUBE_DEPLOYMENT) {
            settle_deployment(entry->object);
        }
    }
}

bool model_is_owned(enum kube_kind kind, const json_t *object)
{
    bool labelled =
        str_equal(json_get_string(object, "metadata", "labels", WORLD_LABEL_MANAGED_BY, NULL),
                  WORLD_MANAGED_BY);
    bool managed = json_get_array(object, "metadata", "managedFields", NULL) != NULL;
    return labelled || (managed && kind != KUBE_NAMESPACE);
}

// As the backend finds it: labelled objects by a list, those of a wanted name each by itself.
struct world_cluster *model_cluster_observe(const struct model_cluster *model,
                                            const struct config *config, bool endpoint_slice_v1)
{
    struct world_cluster *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->apis = (struct world_apis){.endpoint_slice_v1 = endpoint_slice_v1, .ingress_v1 = true};
    world->ingress_class_present = true;
    for (size_t i = 0; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        const char *name_space = json_get_string(entry->object, "metadata", "namespace", NULL);
        const struct entry *home = find(model, KUBE_NAMESPACE, NULL, name_space);
        json_auto_t *copy = json_deep_copy(entry->object);
        bool named = str_equal(name_space, config->ui.name_space) ||
                     str_equal(name_space, "kube-public") || entry->kind == KUBE_NAMESPACE;
        if (named || model_is_owned(entry->kind, entry->object)) {
            assert_int_equal(world_cluster_add(world, entry->kind, copy, NULL), 0);
        }
        if (home != NULL && model_is_owned(KUBE_NAMESPACE, home->object) &&
            !model_is_owned(entry->kind, entry->object)) {
            world->namespace_foreign = true;
        }
    }
    return world;
}

json_t *model_cluster_foreign(const struct model_cluster *model)
{
    json_t *foreign = json_object();
    for (size_t i = 0; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        if (!entry->derived && !model_is_owned(entry->kind, entry->object)) {
            const char *uid = json_get_string(entry->object, "metadata", "uid", NULL);
            json_t *copy = json_deep_copy(entry->object);
            (void)json_object_del(copy, "status");
            assert_int_equal(json_object_set_new(foreign, uid, copy), 0);
        }
    }
    return foreign;
}

size_t model_cluster_count(const struct model_cluster *model)
{
    return model->count;
}

json_t *model_cluster_at(struct model_cluster *model, size_t i, enum kube_kind *ret_kind)
{
    *ret_kind = model->entries[i].kind;
    return model->entries[i].object;
}

struct model_cluster *model_cluster_new(bool ipv6)
{
    struct model_cluster *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->ipv6 = ipv6;
    return model;
}

void model_cluster_free(struct model_cluster *model)
{
    for (size_t i = 0; i < model->count; i++) {
        json_decref(model->entries[i].object);
    }
    free(model);
}
