// Plans over a model of an API server, from random beginnings and with others meddling: what was
// applied leaves nothing to do, nothing foreign is touched, and a namespace in which others live
// stays.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/kind.h"
#include "lib/kinds/object/desired.h"
#include "lib/kinds/object/diff.h"
#include "lib/kinds/object/plan.h"
#include "tests/support/json_text.h"
#include "tests/support/random.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEEDS 150
#define ATTEMPTS_MAX 8
#define KUBE_MODEL_MAX 64

struct kube_object {
    const struct object_api *api;
    const char *name_space; // NULL for a cluster-scoped kind
    const char *name;
    unsigned uid;
    unsigned version;
    json_t *json; // without what the server itself keeps in it
    bool applied; // by the program
    char *agreed; // version and digest of the latest dry run that changed nothing
};

struct kube_model {
    struct arena arena;
    bool ipv6;
    unsigned serial;
    struct kube_object objects[KUBE_MODEL_MAX];
    size_t count;
};

// ---- the server: as much of one as a plan needs ----
// An apply keeps what others have set; two fields are immutable; a namespace takes with it what
// lives in it.

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

// The first one of this kind and name; NULL when there is none.
static struct kube_object *kube_model_find(struct kube_model *model, const char *kind,
                                           const char *name)
{
    return find(model, object_api(kind), NULL, name);
}

// Puts an empty object of somebody else's there, unless there is one already.
static struct kube_object *kube_model_put(struct kube_model *model, const char *kind,
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

// Somebody else changes it: a JSON text is merged into it, whose nulls remove.
static void kube_object_edit(struct kube_object *object, const char *change)
{
    json_auto_t *value = json_of(change);
    store(object, merge(object->json, value));
}

static bool kube_object_is_labelled(const struct kube_object *object)
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
        str_replace(&object->agreed,
                    object_diff(NULL, NULL, desired->json, merged, false) ? NULL : version);
    }
}

// What an observation finds, with its dry runs, whose number is added to *dry_runs.
static struct object_current *kube_model_observe(struct kube_model *model,
                                                 const struct input *input, unsigned *dry_runs)
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
            kube_object_edit(home, "{'metadata':null}");
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

// Returns 0, or the status that the server refuses the action with.
static int kube_model_act(struct kube_model *model, const struct action *action)
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

static void kube_model_done(struct kube_model *model)
{
    while (model->count > 0) {
        remove_object(model, &model->objects[0]);
    }
    arena_done(&model->arena);
}

// ---- what happens to it ----

static uint64_t seed_at_work;

static struct config *random_config(struct random *random)
{
    static const char *const spaces[] = {"hostk8s", "tools"};
    static const char *const paths[] = {"/registry/", "/"};
    struct config *config = sample_config();
    config->ui.enabled = random_chance(random, 80);
    config->ui.replicas = random_below(random, 3);
    sample_set(&config->ui.name_space, RANDOM_PICK(random, spaces));
    sample_set(&config->ui.path, RANDOM_PICK(random, paths));
    sample_set(&config->ui.gateway, random_chance(random, 30) ? "a/b" : "");
    if (random_chance(random, 50)) {
        strmap_set(&config->ui.environment, "THEME", random_chance(random, 50) ? "x" : "");
    }
    return config;
}

// Somebody else's objects.
static void add_foreign(struct random *random, struct kube_model *model)
{
    static const struct {
        const char *kind;
        const char *name;
    } objects[] = {
        {"Namespace", "hostk8s"},   {"Namespace", "tools"},
        {"ConfigMap", "somebodys"}, {"ConfigMap", "local-registry-hosting"},
        {"Service", "registry-ui"}, {"Service", "somebodys"},
    };
    static const char *const spaces[] = {"hostk8s", "tools", "kube-public"};
    size_t i = random_below(random, ELEMENTS(objects));
    (void)kube_model_put(model, objects[i].kind, i < 2 ? NULL : RANDOM_PICK(random, spaces),
                         objects[i].name);
}

#define CONTAINERS(container)                                                                      \
    "{'spec':{'template':{'spec':{'containers':[{'name':'ui'," container "}]}}}}"
#define LABEL(value) "{'metadata':{'labels':{'app.kubernetes.io/managed-by':" value "}}}"

// Somebody else's changes of what is ours.
static void meddle(struct random *random, struct kube_model *model)
{
    static const struct {
        const char *kind;
        const char *name;
        const char *change;
    } edits[] = {
        {"Deployment", "registry-ui", "{'spec':{'replicas':7}}"},
        {"Deployment", "registry-ui", "{'spec':{'paused':true}}"},
        {"Deployment", "registry-ui", CONTAINERS("'image':'evil'")},
        {"Deployment", "registry-ui", CONTAINERS("'env':[{'name':'URL'}]")},
        {"Deployment", "registry-ui", "{'metadata':{'annotations':{'mine':'1'}}}"},
        {"Service", "registry-ui", "{'spec':{'ports':[]}}"},
        {"Service", "registry-ui", LABEL("null")},
        {"Service", "registry-api", "{'spec':{'selector':{'x':'y'}}}"},
        {"EndpointSlice", "registry-api", "{'addressType':'FQDN'}"},
        {"EndpointSlice", "registry-api", "{'endpoints':null}"},
        {"ConfigMap", "local-registry-hosting", "{'immutable':true}"},
        {"ConfigMap", "local-registry-hosting", "{'data':{'mine':'1'}}"},
        {"Namespace", "hostk8s", "{'metadata':{'labels':{'mine':'1'}}}"},
        {"Namespace", "tools", LABEL("null")},
        {"Ingress", "registry-ui", "{'spec':{'rules':[{'host':'x'}]}}"},
    };
    for (size_t i = 0; i < ELEMENTS(edits); i++) {
        struct kube_object *object = kube_model_find(model, edits[i].kind, edits[i].name);
        if (object != NULL && random_chance(random, 15)) {
            kube_object_edit(object, edits[i].change);
        }
    }
}

// Plans once and carries the plan out, or with interrupted perhaps only its beginning. Returns how
// many actions it had.
static size_t attempt(struct random *random, struct kube_model *model, const struct input *input,
                      bool interrupted, struct plan *ret, unsigned *dry_runs)
{
    struct object_current *current = kube_model_observe(model, input, dry_runs);
    object_plan(input, current, ret);
    size_t todo = ret->action_count;
    if (interrupted && todo > 0) {
        todo = random_below(random, (uint32_t)todo + 1);
    }
    for (size_t i = 0; i < todo; i++) {
        const struct action *action = ret->actions[i];
        assert_true(action->op != OBJECT_APPLY || input->desired);
        assert_true(action->field_count > 0 || action->op != OBJECT_APPLY ||
                    str_equal(action->verb, "create"));
        if (kube_model_act(model, action) != 0) {
            fail_msg("the API server refuses %s of %s", action->verb, action->resource);
        }
    }
    object_current_free(current);
    return ret->action_count;
}

static void check_conditions(const struct plan *plan, const struct input *input)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        bool waits = str_starts_with(condition->message, "waits for network/kind/");
        if (condition->ready != READY_TRUE && condition->reason != REASON_NAME_CONFLICT &&
            condition->reason != REASON_GATEWAY_MISSING &&
            !(waits && input->engine->registry_ipv4 == NULL)) {
            fail_msg("%s: %s: %s", condition->resource, reason_name(condition->reason),
                     condition->message);
        }
    }
    assert_int_equal(plan->condition_count, !input->desired             ? 0
                                            : input->config->ui.enabled ? 8
                                                                        : 1);
}

static void converge(struct random *random, struct kube_model *model, const struct input *input)
{
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        struct plan plan = {0};
        unsigned dry_runs = 0;
        bool done = attempt(random, model, input, i < 4 && random_chance(random, 30), &plan,
                            &dry_runs) == 0;
        if (done) {
            check_conditions(&plan, input);
        }
        plan_done(&plan);
        if (done) {
            // Now nothing is asked any more, either.
            dry_runs = 0;
            assert_int_equal(attempt(random, model, input, false, &plan, &dry_runs), 0);
            assert_int_equal(dry_runs, 0);
            plan_done(&plan);
            return;
        }
    }
    fail_msg("after %d attempts there is still something to do", ATTEMPTS_MAX);
}

// What the program has neither made nor labelled.
static json_t *foreign(const struct kube_model *model)
{
    json_t *all = json_object();
    for (size_t i = 0; i < model->count; i++) {
        const struct kube_object *object = &model->objects[i];
        if (!kube_object_is_labelled(object) && !object->applied) {
            _cleanup_free_ char *uid = str_printf("%u", object->uid);
            json_object_set_new(all, uid, json_deep_copy(object->json));
        }
    }
    return all;
}

// A Namespace whose label somebody took off is not the program's any more.
static void check_gone(const struct kube_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        assert_false(kube_object_is_labelled(&model->objects[i]));
        assert_true(model->objects[i].api->holds_objects || !model->objects[i].applied);
    }
}

static void property_one(uint64_t seed)
{
    struct random random = {seed};
    struct kube_model model = {.ipv6 = random_chance(&random, 20)};
    (void)kube_model_put(&model, "Namespace", NULL, "kube-public");
    (void)kube_model_put(&model, "IngressClass", NULL, "nginx");
    for (unsigned reload = 0; reload < 4; reload++) {
        struct config *config = random_config(&random);
        const struct engine engine = {.registry_ipv4 =
                                          random_chance(&random, 85) ? "172.18.0.4" : NULL,
                                      .registry_ipv6 = "fc00::4"};
        const struct input input = {
            .config = config, .engine = &engine, .name = "dev", .desired = reload < 3};
        add_foreign(&random, &model);
        meddle(&random, &model);
        json_auto_t *before = foreign(&model);
        converge(&random, &model, &input);
        json_auto_t *after = foreign(&model);
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach (before, key, value) {
            if (!json_equal(value, json_object_get(after, key))) {
                fail_msg("object %s of somebody else is another than before", key);
            }
        }
        if (!input.desired) {
            check_gone(&model);
        }
        config_free(config);
    }
    kube_model_done(&model);
}

static void test_convergence(_unused_ void **state)
{
    unsigned seeds = repetitions(SEEDS);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        seed_at_work = seed;
        property_one(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convergence),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) {
        print_error("seed %llu\n", (unsigned long long)seed_at_work);
    }
    return failed;
}
