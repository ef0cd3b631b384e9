// Plans over a model of an API server, from random beginnings and with others meddling: what was
// applied leaves nothing to do, nothing foreign is touched, and a namespace in which others live
// stays.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/plan.h"
#include "tests/support/kube_model.h"
#include "tests/support/random.h"
#include "tests/support/repeat.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEEDS 150
#define ATTEMPTS_MAX 8

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
    "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"ui\"," container "}]}}}}"
#define LABEL(value) "{\"metadata\":{\"labels\":{\"app.kubernetes.io/managed-by\":" value "}}}"

// Somebody else's changes of what is ours.
static void meddle(struct random *random, struct kube_model *model)
{
    static const struct {
        const char *kind;
        const char *name;
        const char *change;
    } edits[] = {
        {"Deployment", "registry-ui", "{\"spec\":{\"replicas\":7}}"},
        {"Deployment", "registry-ui", "{\"spec\":{\"paused\":true}}"},
        {"Deployment", "registry-ui", CONTAINERS("\"image\":\"evil\"")},
        {"Deployment", "registry-ui", CONTAINERS("\"env\":[{\"name\":\"URL\"}]")},
        {"Deployment", "registry-ui", "{\"metadata\":{\"annotations\":{\"mine\":\"1\"}}}"},
        {"Service", "registry-ui", "{\"spec\":{\"ports\":[]}}"},
        {"Service", "registry-ui", LABEL("null")},
        {"Service", "registry-api", "{\"spec\":{\"selector\":{\"x\":\"y\"}}}"},
        {"EndpointSlice", "registry-api", "{\"addressType\":\"FQDN\"}"},
        {"EndpointSlice", "registry-api", "{\"endpoints\":null}"},
        {"ConfigMap", "local-registry-hosting", "{\"immutable\":true}"},
        {"ConfigMap", "local-registry-hosting", "{\"data\":{\"mine\":\"1\"}}"},
        {"Namespace", "hostk8s", "{\"metadata\":{\"labels\":{\"mine\":\"1\"}}}"},
        {"Namespace", "tools", LABEL("null")},
        {"Ingress", "registry-ui", "{\"spec\":{\"rules\":[{\"host\":\"x\"}]}}"},
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

static void test_convergence(void **state)
{
    (void)state;
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
