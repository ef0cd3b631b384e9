#include "tests/support/model_cluster.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/model_apply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OBJECT_MAX 64

struct entry {
    enum kube_kind kind;
    bool derived; // made by a controller
    json_t *object;
    json_t *observed; // as it last was; the same value as long as nothing changed
};

struct model_cluster {
    bool ipv6;
    unsigned serial;
    struct entry entries[OBJECT_MAX];
    size_t count;
};

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
    json_decref(entry->observed);
    *entry = model->entries[--model->count];
}

static bool is_deleting(const json_t *object)
{
    return json_get(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

static struct entry *insert(struct model_cluster *model, enum kube_kind kind, json_t *object)
{
    assert_true(model->count < OBJECT_MAX);
    _cleanup_free_ char *uid = str_printf("uid-%06u", ++model->serial);
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
    json_t *after = model_apply(entry == NULL ? NULL : entry->object, action->body);
    if (after == NULL) {
        return -EINVAL;
    }
    if (entry == NULL) {
        entry = insert(model, action->kind, after);
    } else {
        json_decref(entry->object);
        entry->object = after;
    }
    entry->derived = false;
    return 0;
}

static void start_deletion(json_t *object)
{
    assert_int_equal(json_object_set_new(json_object_get(object, "metadata"), "deletionTimestamp",
                                         json_string("2026-01-01T00:00:00Z")),
                     0);
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
        start_deletion(entry->object);
        return 0;
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
    json_t *status = json_pack("{s:I, s:I, s:I, s:I}", "replicas", replicas, "updatedReplicas",
                               replicas, "readyReplicas", replicas, "availableReplicas", replicas);
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
static json_t *observe(struct entry *entry)
{
    if (!json_equal(entry->observed, entry->object)) {
        json_decref(entry->observed);
        entry->observed = json_deep_copy(entry->object);
    }
    return entry->observed;
}

struct world_cluster *model_cluster_observe(struct model_cluster *model,
                                            const struct config *config, bool endpoint_slice_v1)
{
    struct world_cluster *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->apis = (struct world_apis){.endpoint_slice_v1 = endpoint_slice_v1, .ingress_v1 = true};
    world->ingress_class_present = true;
    for (size_t i = 0; i < model->count; i++) {
        struct entry *entry = &model->entries[i];
        const char *name_space = json_get_string(entry->object, "metadata", "namespace", NULL);
        const struct entry *home = find(model, KUBE_NAMESPACE, NULL, name_space);
        bool named = str_equal(name_space, config->ui.name_space) ||
                     str_equal(name_space, "kube-public") || entry->kind == KUBE_NAMESPACE;
        if (named || model_is_owned(entry->kind, entry->object)) {
            assert_int_equal(world_cluster_add(world, entry->kind, observe(entry), NULL), 0);
        }
        if (home != NULL && model_is_owned(KUBE_NAMESPACE, home->object) &&
            !model_is_owned(entry->kind, entry->object)) {
            assert_int_equal(str_replace(&world->resident, "somebody"), 0);
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

void model_cluster_remove(struct model_cluster *model, size_t i)
{
    if (model->entries[i].kind == KUBE_NAMESPACE) {
        start_deletion(model->entries[i].object);
    } else {
        remove_entry(model, &model->entries[i]);
    }
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
        json_decref(model->entries[i].observed);
    }
    free(model);
}
