// Whatever a cluster holds: carrying out the plan leaves nothing to do, also after interruptions,
// and what is not the program's stays as it is. Seeds are fixed; a failure names its own.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/meddle_cluster.h"
#include "tests/support/model_cluster.h"
#include "tests/support/random.h"
#include "tests/support/repeat.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 500
#define ROUNDS_MAX 12 // of plan and apply until nothing is left to do

static uint64_t seed_at_work; // to be named when it fails

// Everything that a plan of a cluster depends on beside the cluster.
struct inputs {
    struct config *config;
    bool slices;
    struct world_engine engine;
    struct world_container container;
    struct world_endpoint endpoint;
    struct desired_objects objects; // that the plans hand on
};

// Configurations of the same base differ in the environment alone.
static void inputs_make(struct random *random, struct random base, struct inputs *in)
{
    static const char *const namespaces[] = {"hostk8s", "hostk8s", "tools"};
    static const char *const images[] = {"joxit/docker-registry-ui:static", "localhost:5000/ui:2"};
    static const char *const paths[] = {"/registry/", "/a.b/", "/"};
    static const char *const listens[] = {"127.0.0.1", "0.0.0.0", "192.168.1.9"};
    static const char *const names[] = {"THEME", "URL", "EMPTY"};
    static const char *const values[] = {"dark", "", "http://x"};
    in->config = sample_config();
    struct config_ui *ui = &in->config->ui;
    ui->enabled = random_chance(&base, 85);
    ui->replicas = random_below(&base, 4);
    in->config->registry.delete_enabled = random_chance(&base, 70);
    sample_set(&ui->name_space, RANDOM_PICK(&base, namespaces));
    sample_set(&ui->image, RANDOM_PICK(&base, images));
    sample_set(&ui->path, RANDOM_PICK(&base, paths));
    sample_set(&in->config->registry.listen_address, RANDOM_PICK(&base, listens));
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        if (random_chance(random, 40)) {
            assert_int_equal(strmap_set(&ui->environment, names[i], RANDOM_PICK(random, values)),
                             0);
        }
    }
    in->slices = random_chance(&base, 60);
    static char ipv4[] = "172.18.0.4";
    static char other[] = "172.18.0.7";
    static char ipv6[] = "fc00::4";
    in->endpoint = (struct world_endpoint){.network = in->config->network};
    if (random_chance(&base, 85)) {
        in->endpoint.ipv4 = random_chance(&base, 50) ? ipv4 : other;
        in->endpoint.ipv6 = ipv6;
    }
    in->container = (struct world_container){
        .name = in->config->registry.name, .endpoints = &in->endpoint, .endpoint_count = 1};
    in->engine = (struct world_engine){.containers = &in->container, .container_count = 1};
}

static void check_action(const struct action *action)
{
    assert_false(action->type == ACTION_OBJECT_DELETE && action->kind == KUBE_NAMESPACE &&
                 str_starts_with(action->name, "kube-"));
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        assert_true(field->is != NULL || field->should != NULL);
        assert_false(str_equal(field->is, field->should) && !str_equal(field->is, "(hidden)"));
    }
}

// Plans and applies once; with interrupted, perhaps only the first actions. Returns how many
// actions there were to do.
static size_t round_once(struct random *random, struct model_cluster *model, struct inputs *in,
                         bool wanted, bool interrupted, struct plan *ret)
{
    struct world_cluster *world = model_cluster_observe(model, in->config, in->slices);
    struct plan_input input = {
        .config = in->config, .engine = &in->engine, .wanted = wanted, .objects = &in->objects};
    assert_int_equal(plan_cluster(&input, "dev", world, ret, NULL), 0);
    size_t todo = ret->action_count;
    if (interrupted && todo > 0) {
        todo = random_below(random, (uint32_t)todo + 1);
    }
    for (size_t i = 0; i < todo; i++) {
        check_action(&ret->actions[i]);
        if (model_cluster_act(model, &ret->actions[i]) < 0) {
            fail_msg("the API server refuses %s of %s", ret->actions[i].verb,
                     ret->actions[i].resource);
        }
    }
    model_cluster_settle(model);
    world_cluster_free(world);
    return ret->action_count;
}

// Plans and applies until nothing is left; returns the last plan.
static struct plan converge(struct random *random, struct model_cluster *model, struct inputs *in,
                            bool wanted)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        struct plan plan = {0};
        bool interrupted = round < ROUNDS_MAX / 2 && random_chance(random, 30);
        if (round_once(random, model, in, wanted, interrupted, &plan) == 0) {
            return plan;
        }
        plan_done(&plan);
    }
    fail_msg("after %d rounds there is still something to do", ROUNDS_MAX);
    return (struct plan){0};
}

// With nothing left to do each resource is converged, or waits for what the plan cannot change.
static void check_conditions(const struct plan *plan, const struct inputs *in, bool wanted)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        bool no_address = str_starts_with(condition->message, "waits for network/kind/");
        bool settled = condition->ready == READY_TRUE ||
                       condition->reason == REASON_NAME_CONFLICT ||
                       (no_address && in->endpoint.ipv4 == NULL);
        if (!settled) {
            fail_msg("%s: %s: %s", condition->resource, reason_name(condition->reason),
                     condition->message);
        }
    }
    assert_true(wanted ? plan->condition_count >= (in->config->ui.enabled ? 8 : 1)
                       : plan->condition_count <= 2);
}

// After the teardown nothing owned is left but namespaces in which others live.
static void check_gone(struct model_cluster *model)
{
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        const json_t *object = model_cluster_at(model, i, &kind);
        assert_true(kind == KUBE_NAMESPACE || !model_is_owned(kind, object));
    }
}

static const json_t *twin_of(struct model_cluster *model, enum kube_kind kind, const json_t *object)
{
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind other_kind = KUBE_NAMESPACE;
        const json_t *other = model_cluster_at(model, i, &other_kind);
        if (kind == other_kind && str_equal(json_get_string(object, "metadata", "name", NULL),
                                            json_get_string(other, "metadata", "name", NULL))) {
            return other;
        }
    }
    return NULL;
}

static const json_t *ui_container(const json_t *object)
{
    return json_array_get(json_get_array(object, "spec", "template", "spec", "containers", NULL),
                          0);
}

// Nothing of earlier configurations or of meddling is left where the program owns all there is.
static void check_twins(const json_t *object, const json_t *twin)
{
    static const char *const whole[][2] = {
        {"spec", "rules"}, {"spec", "selector"}, {"spec", "paused"},
        {"subsets", NULL}, {"endpoints", NULL},  {"addressType", NULL},
    };
    for (size_t i = 0; i < ELEMENTS(whole); i++) {
        const json_t *is = json_get(object, whole[i][0], whole[i][1], NULL);
        const json_t *fresh = json_get(twin, whole[i][0], whole[i][1], NULL);
        bool is_unset = is == NULL || json_is_false(is);
        assert_true(is_unset ? fresh == NULL : json_equal(is, fresh));
    }
    const json_t *container = ui_container(object);
    const json_t *fresh_container = ui_container(twin);
    assert_int_equal(json_array_size(json_object_get(container, "env")),
                     json_array_size(json_object_get(fresh_container, "env")));
    assert_null(json_object_get(container, "command"));
    assert_null(json_object_get(container, "args"));
}

static void check_as_fresh(struct random *random, struct model_cluster *model, struct inputs *in,
                           bool ipv6)
{
    struct model_cluster *fresh = model_cluster_new(ipv6);
    struct plan plan = converge(random, fresh, in, true);
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        const json_t *object = model_cluster_at(model, i, &kind);
        const json_t *twin = model_is_owned(kind, object) ? twin_of(fresh, kind, object) : NULL;
        if (twin != NULL) {
            check_twins(object, twin);
        }
    }
    plan_done(&plan);
    model_cluster_free(fresh);
}

static void property_one(uint64_t seed)
{
    struct random random = {seed};
    bool ipv6 = random_chance(&random, 20);
    struct model_cluster *model = model_cluster_new(ipv6);
    meddle_add(&random, model);
    model_cluster_settle(model);
    struct random base = {seed};
    // Three configurations one after the other, the last perhaps a teardown.
    for (unsigned reload = 0; reload < 3; reload++) {
        struct inputs in = {0};
        if (random_chance(&random, 50)) {
            base = (struct random){random_below(&random, UINT32_MAX)};
        }
        inputs_make(&random, base, &in);
        bool wanted = reload < 2 || random_chance(&random, 50);
        meddle_edit(&random, model);
        meddle_add(&random, model);
        json_auto_t *before = model_cluster_foreign(model);
        struct plan plan = converge(&random, model, &in, wanted);
        json_auto_t *after = model_cluster_foreign(model);
        assert_true(json_equal(before, after));
        check_conditions(&plan, &in, wanted);
        if (!wanted) {
            check_gone(model);
        } else {
            check_as_fresh(&random, model, &in, ipv6);
        }
        plan_done(&plan);
        desired_objects_done(&in.objects);
        config_free(in.config);
    }
    model_cluster_free(model);
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
