#include "tests/support/kube_model.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/diff.h"
#include "lib/kinds/object/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// Of a change: takes away what has its type's zero value, as the server leaves that out.
static void drop_zeros(json_t *json, json_t *change)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach (change, key, value) {
        if (json_is_null(value) || json_is_false(value) ||
            (json_is_array(value) && json_array_size(value) == 0) ||
            (json_is_object(value) && json_object_size(value) == 0)) {
            json_object_del(json, key);
        } else if (json_is_object(value)) {
            drop_zeros(json_object_get(json, key), value);
        }
    }
}

static json_t *merge(const json_t *json, json_t *change)
{
    json_t *merged = json_deep_copy(json);
    json_auto_t *copy = json_deep_copy(change); // of which merged keeps parts
    assert_int_equal(json_object_update_recursive(merged, copy), 0);
    drop_zeros(merged, change);
    return merged;
}

// Returns the object as the program's apply would make it, NULL when it may not be changed so.
static json_t *apply(const struct kube_object *object, json_t *manifest)
{
    json_t *merged = merge(object->json, manifest);
    const json_t *type = json_object_get(object->json, "addressType");
    if ((type != NULL && !json_equal(type, json_object_get(merged, "addressType"))) ||
        (json_is_true(json_object_get(object->json, "immutable")) &&
         !json_is_true(json_object_get(merged, "immutable")))) {
        json_decref(merged);
        return NULL;
    }
    return merged;
}

// Steals json.
static void store(struct kube_object *object, json_t *json)
{
    object->version += !json_equal(json, object->json);
    json_decref(object->json);
    object->json = json;
}

// As the server answers.
static json_t *answer(const struct kube_model *model, const struct kube_object *object,
                      const json_t *json)
{
    json_t *whole = json_deep_copy(json);
    const json_t *replicas = json_get(json, "spec", "replicas", NULL);
    const char *ip = model->ipv6 ? "fd00::1" : "10.96.0.9";
    json_auto_t *more =
        json_pack("{s:{s:s, s:s*, s:o, s:o}, s:{s:s}}", "metadata", "name", object->name,
                  "namespace", object->name_space, "uid", json_sprintf("%u", object->uid),
                  "resourceVersion", json_sprintf("%u", object->version), "spec", "clusterIP", ip);
    if (object->applied) {
        json_object_set_new(json_object_get(more, "metadata"), "managedFields",
                            json_pack("[{s:s}]", "manager", OBJECT_MANAGED_BY));
    }
    if (replicas != NULL) {
        json_object_set_new(more, "status",
                            json_pack("{s:O, s:O, s:O}", "replicas", replicas, "updatedReplicas",
                                      replicas, "availableReplicas", replicas));
    }
    json_object_update_recursive(whole, more);
    return whole;
}

// ---- the outside ----

static struct kube_object *find(struct kube_model *model, const struct object_api *api,
                                const char *name_space, const char *name)
{
    for (size_t i = 0; i < model->count; i++) {
        struct kube_object *object = &model->objects[i];
        if (object->api == api && str_equal(object->name, name) &&
            (name_space == NULL || str_equal(object->name_space, name_space))) {
            return object;
        }
    }
    return NULL;
}

struct kube_object *kube_model_find(struct kube_model *model, const char *kind, const char *name)
{
    return find(model, object_api(kind), NULL, name);
}

struct kube_object *kube_model_put(struct kube_model *model, const char *kind,
                                   const char *name_space, const char *name)
{
    struct kube_object *found = find(model, object_api(kind), name_space, name);
    if (found != NULL) {
        return found;
    }
    assert_true(model->count < KUBE_MODEL_MAX);
    struct kube_object *object = &model->objects[model->count++];
    *object = (struct kube_object){
        .api = object_api(kind),
        .name_space = arena_dup(&model->arena, name_space),
        .name = arena_dup(&model->arena, name),
        .uid = ++model->serial,
        .json = json_object(),
    };
    return object;
}

void kube_object_edit(struct kube_object *object, const char *change)
{
    json_auto_t *value = json_loads(change, 0, NULL);
    assert_non_null(value);
    store(object, merge(object->json, value));
}

bool kube_object_is_labelled(const struct kube_object *object)
{
    return str_equal(
        json_get_string(object->json, "metadata", "labels", OBJECT_LABEL_MANAGED_BY, NULL),
        OBJECT_MANAGED_BY);
}

static void remove_object(struct kube_model *model, struct kube_object *object)
{
    json_decref(object->json);
    free(object->agreed);
    *object = model->objects[--model->count];
}

static void dry_run(struct kube_model *model, struct object_current *current,
                    struct object *desired, unsigned *dry_runs)
{
    struct kube_object *object = find(model, desired->api, desired->name_space, desired->name);
    if (object == NULL) {
        fail_msg("%s is not there", desired->name);
        return;
    }
    _cleanup_free_ char *version = str_printf("%u %s", object->version, desired->digest);
    if (str_equal(version, object->agreed)) {
        return;
    }
    json_auto_t *json = apply(object, desired->manifest);
    ++*dry_runs;
    desired->immutable = json == NULL;
    if (json != NULL) {
        json_auto_t *merged = answer(model, object, json);
        desired->merged = object_current_keep(current, merged);
        str_replace(&object->agreed, object_differs(desired->json, merged) ? NULL : version);
    }
}

struct object_current *kube_model_observe(struct kube_model *model, const struct input *input,
                                          unsigned *dry_runs)
{
    struct object_current *current = object_current_new(input->name);
    for (size_t i = 0; i < object_api_count; i++) {
        current->served[i] = true;
    }
    for (size_t i = 0; i < model->count; i++) {
        const struct kube_object *object = &model->objects[i];
        json_auto_t *json = answer(model, object, object->json);
        assert_int_equal(object_current_add(current, object->api, json, NULL), 0);
    }
    object_desired_set(current, input->config, input->engine);
    for (size_t i = 0; i < current->count && input->desired; i++) {
        struct object *object = current->objects[i];
        if (object->row != NULL && object->owned && object->waits == NULL) {
            dry_run(model, current, object, dry_runs);
        }
    }
    return current;
}

// Others that live in it keep it, and it is released.
static void delete_namespace(struct kube_model *model, struct kube_object *home)
{
    const char *name = home->name;
    for (size_t i = 0; i < model->count; i++) {
        if (str_equal(model->objects[i].name_space, name) &&
            !kube_object_is_labelled(&model->objects[i])) {
            home->applied = false;
            kube_object_edit(home, "{\"metadata\":null}");
            return;
        }
    }
    remove_object(model, home);
    for (size_t i = model->count; i-- > 0;) {
        if (str_equal(model->objects[i].name_space, name)) {
            remove_object(model, &model->objects[i]);
        }
    }
}

int kube_model_act(struct kube_model *model, const struct action *action)
{
    if (action->op != OBJECT_APPLY) {
        uint64_t uid = 0;
        assert_int_equal(str_to_u64(action->argument, UINT32_MAX, &uid), 0);
        for (size_t i = 0; i < model->count; i++) {
            if (model->objects[i].uid == uid) {
                (action->op == OBJECT_DELETE ? remove_object
                                             : delete_namespace)(model, &model->objects[i]);
                return 0;
            }
        }
        return 409;
    }
    const char *home = json_get_string(action->body, "metadata", "namespace", NULL);
    if (home != NULL && kube_model_find(model, "Namespace", home) == NULL) {
        return 404;
    }
    struct kube_object *object =
        kube_model_put(model, json_get_string(action->body, "kind", NULL), home,
                       json_get_string(action->body, "metadata", "name", NULL));
    json_t *json = apply(object, action->body);
    if (json == NULL) {
        return 422;
    }
    store(object, json);
    object->applied = true;
    return 0;
}

void kube_model_done(struct kube_model *model)
{
    while (model->count > 0) {
        remove_object(model, &model->objects[0]);
    }
    arena_done(&model->arena);
}
