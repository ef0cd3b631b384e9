// Whatever a cluster holds: carrying out the plan leaves nothing to do, also after interruptions,
// and what is not the program's stays as it is. Seeds are fixed; a failure names its own.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/model_cluster.h"
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

struct random {
    uint64_t state;
};

// splitmix64
static uint32_t next(struct random *random, uint32_t below)
{
    uint64_t z = (random->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

static bool chance(struct random *random, uint32_t percent)
{
    return next(random, 100) < percent;
}

#define PICK(random, array) ((array)[next((random), (uint32_t)ELEMENTS(array))])

// Everything that a plan of a cluster depends on beside the cluster.
struct inputs {
    struct config *config;
    bool slices;
    struct world_engine engine;
    struct world_container container;
    struct world_endpoint endpoint;
};

static void inputs_make(struct random *random, struct inputs *in)
{
    static const char *const namespaces[] = {"hostk8s", "hostk8s", "tools"};
    static const char *const images[] = {"joxit/docker-registry-ui:static", "localhost:5000/ui:2"};
    static const char *const paths[] = {"/registry/", "/a.b/", "/"};
    static const char *const listens[] = {"127.0.0.1", "0.0.0.0", "192.168.1.9"};
    static const char *const names[] = {"THEME", "URL", "EMPTY"};
    static const char *const values[] = {"dark", "", "http://x"};
    in->config = sample_config();
    struct config_ui *ui = &in->config->ui;
    ui->enabled = chance(random, 85);
    ui->replicas = next(random, 4);
    in->config->registry.delete_enabled = chance(random, 70);
    sample_set(&ui->name_space, PICK(random, namespaces));
    sample_set(&ui->image, PICK(random, images));
    sample_set(&ui->path, PICK(random, paths));
    sample_set(&in->config->registry.listen_address, PICK(random, listens));
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        if (chance(random, 40)) {
            assert_int_equal(strmap_set(&ui->environment, names[i], PICK(random, values)), 0);
        }
    }
    in->slices = chance(random, 60);
    static char ipv4[] = "172.18.0.4";
    static char other[] = "172.18.0.7";
    static char ipv6[] = "fc00::4";
    in->endpoint = (struct world_endpoint){.network = in->config->network};
    if (chance(random, 85)) {
        in->endpoint.ipv4 = chance(random, 50) ? ipv4 : other;
        in->endpoint.ipv6 = ipv6;
    }
    in->container = (struct world_container){
        .name = in->config->registry.name, .endpoints = &in->endpoint, .endpoint_count = 1};
    in->engine = (struct world_engine){.containers = &in->container, .container_count = 1};
}

// --- what others do ---

static json_t *at(json_t *object, const char *list)
{
    json_t *container =
        json_array_get(json_get_array(object, "spec", "template", "spec", "containers", NULL), 0);
    return json_array_get(json_object_get(container, list), 0);
}

static void edit(json_t *object, const char *change)
{
    json_auto_t *value = json_loads(change, 0, NULL);
    assert_non_null(value);
    assert_int_equal(json_object_update_recursive(object, value), 0);
}

static void edit_deployment(struct random *random, json_t *object)
{
    static const char *const edits[] = {
        "{\"spec\":{\"paused\":true}}",
        "{\"spec\":{\"replicas\":7}}",
        "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"mine\":\"1\"}}}}}",
        "{\"spec\":{\"template\":{\"spec\":{\"enableServiceLinks\":true}}}}",
    };
    static const char *const container_edits[] = {
        "{\"image\":\"evil\"}",
        "{\"command\":[\"sh\"]}",
        "{\"args\":[\"x\"]}",
        "{\"readinessProbe\":{\"periodSeconds\":99}}",
    };
    json_t *containers = json_get_array(object, "spec", "template", "spec", "containers", NULL);
    json_t *container = json_array_get(containers, 0);
    switch (next(random, 6)) {
    case 0:
        edit(object, PICK(random, edits));
        break;
    case 1:
        edit(container, PICK(random, container_edits));
        break;
    case 2:
        edit(at(object, "env"), "{\"value\":\"evil\"}");
        break;
    case 3:
        (void)json_object_del(at(object, "env"), "value");
        edit(at(object, "env"), "{\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"x\"}}}");
        break;
    case 4:
        edit(at(object, "ports"), "{\"containerPort\":81}");
        break;
    default:
        assert_int_equal(
            json_array_append_new(containers,
                                  json_pack("{s:s, s:s}", "name", "sidecar", "image", "envoy:1")),
            0);
    }
}

static void edit_list(struct random *random, json_t *list, const char *change)
{
    if (json_array_size(list) == 0) { // a controller's endpoints
        return;
    }
    if (chance(random, 30)) {
        assert_int_equal(json_array_append(list, json_array_get(list, 0)), 0);
    } else if (chance(random, 30)) {
        assert_int_equal(json_array_clear(list), 0);
    } else {
        edit(json_array_get(list, 0), change);
    }
}

static void edit_object(struct random *random, enum kube_kind kind, json_t *object)
{
    switch (kind) {
    case KUBE_NAMESPACE:
    case _KUBE_KIND_COUNT:
        break;
    case KUBE_CONFIG_MAP:
        edit(object, chance(random, 50) ? "{\"data\":{\"localRegistryHosting.v1\":\"x\"}}"
                                        : "{\"immutable\":true,\"data\":{\"other\":\"x\"}}");
        break;
    case KUBE_DEPLOYMENT:
        edit_deployment(random, object);
        break;
    case KUBE_SERVICE:
        if (chance(random, 50)) {
            edit(object, "{\"spec\":{\"selector\":{\"x\":\"y\"}}}");
        } else {
            edit(json_array_get(json_get_array(object, "spec", "ports", NULL), 0),
                 chance(random, 50) ? "{\"port\":99}" : "{\"targetPort\":99}");
        }
        break;
    case KUBE_ENDPOINTS:
        edit_list(random, json_object_get(object, "subsets"),
                  "{\"addresses\":[{\"ip\":\"1.1.1.1\"}]}");
        break;
    case KUBE_ENDPOINT_SLICE:
        edit_list(random, json_object_get(object, "endpoints"), "{\"addresses\":[\"1.1.1.1\"]}");
        break;
    case KUBE_INGRESS:
        edit_list(random, json_get_array(object, "spec", "rules", NULL), "{\"host\":\"foo.bar\"}");
        break;
    }
    if (chance(random, 20)) {
        edit(object, "{\"metadata\":{\"annotations\":{\"mine\":\"1\"}}}");
    }
    if (kind != KUBE_NAMESPACE && chance(random, 20)) {
        (void)json_object_del(json_get_object(object, "metadata", "labels", NULL),
                              WORLD_LABEL_MANAGED_BY);
    }
}

static void meddle(struct random *random, struct model_cluster *model)
{
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        json_t *object = model_cluster_at(model, i, &kind);
        if (model_is_owned(kind, object) && chance(random, 30)) {
            edit_object(random, kind, object);
        }
    }
}

static void put_foreign(struct random *random, struct model_cluster *model)
{
    static const char *const spaces[] = {"hostk8s", "tools", "elsewhere"};
    static const char *const names[] = {"registry-ui", "registry-api", "theirs"};
    for (enum kube_kind kind = KUBE_CONFIG_MAP; kind < _KUBE_KIND_COUNT; kind++) {
        if (chance(random, 12)) {
            const char *space = PICK(random, spaces);
            model_cluster_put(model, KUBE_NAMESPACE,
                              json_pack("{s:{s:s}}", "metadata", "name", space));
            model_cluster_put(model, kind,
                              json_pack("{s:{s:s, s:s}, s:{}}", "metadata", "name",
                                        PICK(random, names), "namespace", space, "spec"));
        }
    }
    if (chance(random, 10)) {
        model_cluster_put(model, KUBE_CONFIG_MAP,
                          json_pack("{s:{s:s, s:s}}", "metadata", "name", "local-registry-hosting",
                                    "namespace", "kube-public"));
    }
}

// --- the properties ---

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
    struct plan_input input = {.config = in->config, .engine = &in->engine, .wanted = wanted};
    assert_int_equal(plan_cluster(&input, "dev", world, ret, NULL), 0);
    size_t todo = ret->action_count;
    if (interrupted && todo > 0) {
        todo = next(random, (uint32_t)todo + 1);
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
        bool interrupted = round < ROUNDS_MAX / 2 && chance(random, 30);
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

static void property_one(uint64_t seed)
{
    struct random random = {seed};
    struct model_cluster *model = model_cluster_new(chance(&random, 20));
    put_foreign(&random, model);
    model_cluster_settle(model);
    // Three configurations one after the other, the last perhaps a teardown.
    for (unsigned reload = 0; reload < 3; reload++) {
        struct inputs in = {0};
        inputs_make(&random, &in);
        bool wanted = reload < 2 || chance(&random, 50);
        meddle(&random, model);
        put_foreign(&random, model);
        json_auto_t *before = model_cluster_foreign(model);
        struct plan plan = converge(&random, model, &in, wanted);
        json_auto_t *after = model_cluster_foreign(model);
        assert_true(json_equal(before, after));
        check_conditions(&plan, &in, wanted);
        if (!wanted) {
            check_gone(model);
        }
        plan_done(&plan);
        config_free(in.config);
    }
    model_cluster_free(model);
}

static void test_convergence(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
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
