// Random configurations and engines: applying the plan again and again, interrupted anywhere, ends
// with nothing to do; nothing that is not owned is touched; the old container goes only when the
// new one answers. PROPERTY_SEED and PROPERTY_RUNS in the environment choose the runs; a single one
// is told in full.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/plan/plan.h"
#include "tests/support/model_engine.h"
#include "tests/support/plan_text.h"
#include "tests/support/repeat.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RUNS 6000
#define ROUNDS_MAX 60
#define INTERRUPTED_ROUNDS 12
#define SNAPSHOTS_MAX 8
#define ROOT_VARIABLE "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

static uint64_t state;

static unsigned pick(unsigned below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(state >> 33) % below;
}

#define PICK(array) ((array)[pick(ELEMENTS(array))])

static const char *const names[] = {"hostk8s-registry",
                                    "hostk8s-registry",
                                    "hostk8s-registry-previous",
                                    "hostk8s-registry-previous",
                                    "moved",
                                    "other"};
static const char *const owners[] = {NULL, "hostk8s-registry", "hostk8s-registry", "elsewhere"};
static const char *const storages[] = {"/srv/a", "/srv/a", "/srv/a", "/srv/b", NULL};
static const char *const images[] = {"registry:2",      "registry:2",       "registry:3",
                                     "mute/registry:1", "crash/registry:1", "nginx:1"};
static const char *const ports[] = {"5002", "5002", "5003"};
static const enum container_state states[] = {
    CONTAINER_CREATED,  CONTAINER_RUNNING, CONTAINER_RUNNING, CONTAINER_PAUSED,
    CONTAINER_REMOVING, CONTAINER_EXITED,  CONTAINER_DEAD,    CONTAINER_RESTARTING,
};

struct run {
    struct config *config;
    struct model_engine *model;
    char *rejected_digest;
    char *foreign[SNAPSHOTS_MAX]; // texts of the containers that are not to be touched
    size_t foreign_count;
    bool wanted;
};

static bool is_labelled(const struct world_container *container)
{
    return strmap_get(&container->labels, WORLD_LABEL_OWNER) != NULL;
}

// As the contract says it, told once more and shorter.
static bool is_ours(const struct run *run, const struct world_container *container)
{
    const char *owner = strmap_get(&container->labels, WORLD_LABEL_OWNER);
    bool same_storage = str_equal(container->storage, run->config->registry.storage);
    const struct world_container *main =
        world_engine_container(run->model->world, run->config->registry.name);
    bool is_previous = str_equal(container->name, "hostk8s-registry-previous");
    bool elsewhere = strmap_get(&container->environment, ROOT_VARIABLE) != NULL;
    if (owner != NULL && (container == main || is_previous)) {
        return str_equal(owner, run->config->registry.name) || same_storage;
    }
    if (owner != NULL) {
        return same_storage && !elsewhere;
    }
    bool replaced =
        is_previous &&
        (main == NULL || str_equal(strmap_get(&main->labels, WORLD_LABEL_REPLACES), container->id));
    return run->wanted && (container == main || replaced) && same_storage &&
           container->binding_count > 0 && !elsewhere && container->other_mount == NULL;
}

static void make_container(struct run *run, const char *name)
{
    struct model_engine *model = run->model;
    if (world_engine_container(model->world, name) != NULL) {
        return;
    }
    const char *port = PICK(ports);
    enum container_state its_state = PICK(states);
    for (size_t i = 0; i < model->world->container_count; i++) {
        const struct world_container *other = &model->world->containers[i];
        if (other->state != CONTAINER_EXITED && str_equal(other->bindings[0].host_port, port)) {
            its_state = CONTAINER_EXITED;
        }
    }
    struct world_container *container = model_engine_add(model, name);
    container->state = its_state;
    container->started_s = model->world->now_s - (int64_t)pick(40);
    sample_set(&container->image, PICK(images));
    bool crashes = strstr(container->image, "crash") != NULL;
    if (its_state == (crashes ? CONTAINER_RUNNING : CONTAINER_RESTARTING)) {
        container->state = CONTAINER_EXITED;
    }
    sample_set(&container->restart_policy, pick(3) > 0 ? "always" : "no");
    sample_set(&container->storage, PICK(storages));
    container->bindings = calloc(1, sizeof(*container->bindings));
    assert_non_null(container->bindings);
    container->binding_count = 1;
    sample_set(&container->bindings->container_port, WORLD_REGISTRY_PORT_KEY);
    sample_set(&container->bindings->host_address, pick(4) > 0 ? "127.0.0.1" : "");
    sample_set(&container->bindings->host_port, port);
    if (pick(4) > 0) {
        assert_int_equal(
            strmap_set(&container->environment, "REGISTRY_STORAGE_DELETE_ENABLED", "true"), 0);
    }
    if (pick(10) == 0) {
        assert_int_equal(strmap_set(&container->environment, ROOT_VARIABLE, "/data"), 0);
    }
    if (pick(10) == 0) {
        sample_set(&container->other_mount, "/auth");
    }
    const char *owner = PICK(owners);
    if (owner != NULL) {
        assert_int_equal(strmap_set(&container->labels, WORLD_LABEL_OWNER, owner), 0);
        assert_int_equal(strmap_set(&container->labels, WORLD_LABEL_ENVIRONMENT,
                                    pick(4) > 0 ? "REGISTRY_STORAGE_DELETE_ENABLED" : "GONE"),
                         0);
    }
    bool up = model_engine_is_up(container);
    if (pick(2) > 0 && (!up || model->world->network_present)) {
        const char *id = up || pick(2) > 0 ? "net-1" : "net-0";
        (void)model_engine_attach(container, "kind", id, pick(3) > 0 ? name : NULL);
    }
}

static void make_run(struct run *run)
{
    *run = (struct run){.config = sample_config(), .model = model_engine_new(), .wanted = true};
    struct config_registry *registry = &run->config->registry;
    sample_set(&registry->storage, "/srv/a");
    sample_set(&registry->image, PICK(images));
    registry->listen_port = pick(3) > 0 ? 5002 : 5003;
    registry->restart = pick(2) > 0 ? RESTART_ALWAYS : RESTART_NO;
    if (pick(3) == 0) {
        assert_int_equal(strmap_set(&registry->environment, "REGISTRY_LOG_LEVEL", "debug"), 0);
    }
    run->wanted = pick(8) > 0;

    struct world_engine *world = run->model->world;
    world->image_present = pick(3) > 0;
    world->network_present = pick(4) > 0;
    sample_set(&world->network_id, "net-1");
    world->storage_error = pick(6) == 0 ? ENOENT : pick(8) == 0 ? EACCES : 0;
    run->model->taken_port = pick(10) == 0 ? "5002" : NULL;
    run->model->remote = pick(10) == 0;
    for (unsigned i = pick(5); i > 0; i--) {
        make_container(run, PICK(names));
    }
    if (pick(3) == 0) {
        struct world_node *node = model_engine_add_node(run->model, "hostk8s-worker", false);
        node->stopped_s = world->now_s - (int64_t)pick(120);
        sample_set(&node->address, "172.18.0.9"); // the model's containers have it
    }
    model_engine_observe(run->model, run->config);
    for (size_t i = 0; i < world->container_count; i++) {
        if (!is_ours(run, &world->containers[i])) {
            run->foreign[run->foreign_count++] = model_container_text(&world->containers[i]);
        }
    }
}

static void end_run(struct run *run)
{
    for (size_t i = 0; i < run->foreign_count; i++) {
        free(run->foreign[i]);
    }
    free(run->rejected_digest);
    model_engine_free(run->model);
    config_free(run->config);
}

static void check_foreign(const struct run *run)
{
    size_t found = 0;
    for (size_t i = 0; i < run->model->world->container_count; i++) {
        _cleanup_free_ char *text = model_container_text(&run->model->world->containers[i]);
        for (size_t j = 0; j < run->foreign_count; j++) {
            found += str_equal(text, run->foreign[j]) ? 1 : 0;
        }
    }
    assert_int_equal(found, run->foreign_count);
}

static const struct world_container *by_id(const struct run *run, const char *id)
{
    for (size_t i = 0; i < run->model->world->container_count; i++) {
        if (str_equal(run->model->world->containers[i].id, id)) {
            return &run->model->world->containers[i];
        }
    }
    return NULL;
}

// What holds of every single action.
static void check_action(const struct run *run, const struct action *action)
{
    bool takes_away =
        action->type == ACTION_CONTAINER_REMOVE || action->type == ACTION_HOSTS_REMOVE;
    if (takes_away) {
        assert_string_not_equal(action->target, run->config->registry.storage);
        assert_true(action->destructive);
    }
    if (action->type != ACTION_CONTAINER_REMOVE) {
        return;
    }
    const struct world_container *container = by_id(run, action->target);
    if (container == NULL) {
        fail_msg("%s is removed, which is not there", action->target);
        abort();
    }
    assert_true(is_ours(run, container));
    bool is_main = str_equal(container->name, run->config->registry.name);
    if (!run->wanted) {
        assert_true(is_labelled(container));
    } else if (!is_main && container->state != CONTAINER_DEAD) {
        const struct world_container *main =
            world_engine_container(run->model->world, run->config->registry.name);
        assert_true(main != NULL &&
                    (model_engine_answers(main, run->config) || run->model->remote));
    }
}

// As the reconciler does it: a spec that did not come up is not tried again.
static void reject(struct run *run)
{
    struct desired_container desired = {0};
    assert_int_equal(desired_container(run->config, &desired), 0);
    free(run->rejected_digest);
    assert_int_equal(desired_container_digest(&desired, &run->rejected_digest), 0);
    desired_container_done(&desired);
}

static void act(struct run *run, const struct plan *plan, size_t limit)
{
    for (size_t i = 0; i < plan->action_count && i < limit; i++) {
        const struct action *action = &plan->actions[i];
        struct error err = {0};
        check_action(run, action);
        if (i == 0) {
            assert_false(action->step);
        }
        int r = model_engine_act(run->model, action, &err);
        if (str_equal(action->verb, PLAN_VERB_PUT_BACK) &&
            action->type == ACTION_CONTAINER_REMOVE) {
            reject(run);
        }
        if (r < 0) {
            return;
        }
    }
}

static void plan_run(const struct run *run, struct plan *plan)
{
    const struct plan_input input = {
        .config = run->config,
        .engine = run->model->world,
        .wanted = run->wanted,
        .rejected_digest = run->rejected_digest,
        .rejected_reason = REASON_UNAVAILABLE,
        .rejected_text = "did not come up",
    };
    assert_int_equal(plan_engine(&input, plan, NULL), 0);
    assert_int_equal(plan->condition_count, 2);
}

static const struct condition *condition_of(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (str_equal(plan->conditions[i].resource, resource)) {
            return &plan->conditions[i];
        }
    }
    fail_msg("no condition for %s", resource);
    abort();
}

static bool is_bad_image(const char *image)
{
    return strstr(image, "crash") != NULL || strstr(image, "mute") != NULL;
}

// Something outside is in the way: a plan without an end is right then, as it is tried again with
// the queue's back-off, and so is an end without Ready.
static bool is_obstructed(const struct run *run)
{
    bool obstacle = run->model->taken_port != NULL || is_bad_image(run->config->registry.image) ||
                    run->rejected_digest != NULL || run->model->world->storage_error == EACCES;
    for (size_t i = 0; i < run->model->world->container_count; i++) {
        const struct world_container *container = &run->model->world->containers[i];
        obstacle |= is_ours(run, container) ? is_bad_image(container->image)
                                            : model_engine_is_up(container);
    }
    return obstacle;
}

// What must be true when nothing is left to do and the configuration can be had.
static void check_end(const struct run *run, const struct plan *plan)
{
    const struct world_engine *world = run->model->world;
    const struct condition *container = condition_of(plan, "container/hostk8s-registry");
    const struct condition *network = condition_of(plan, "network/kind/hostk8s-registry");
    if (!run->wanted) {
        assert_int_equal(container->ready, READY_TRUE);
        assert_int_equal(network->ready, READY_TRUE);
        for (size_t i = 0; i < world->container_count; i++) {
            assert_false(is_labelled(&world->containers[i]) && is_ours(run, &world->containers[i]));
        }
        return;
    }
    const struct world_container *main = world_engine_container(world, run->config->registry.name);
    if (main != NULL && !is_ours(run, main)) {
        assert_int_equal(container->reason, REASON_NAME_CONFLICT);
        return;
    }
    if (container->ready == READY_TRUE) {
        assert_true(main != NULL && main->state == CONTAINER_RUNNING &&
                    str_equal(main->image, run->config->registry.image));
        bool waits = world->network_present && world->node_count > 0; // for the node, for ever
        assert_int_equal(network->ready,
                         world->network_present && !waits ? READY_TRUE : READY_FALSE);
        if (waits) {
            assert_int_equal(network->reason, REASON_NODE_NOT_RUNNING);
            assert_null(world_container_endpoint(main, run->config->network));
        }
        for (size_t i = 0; i < world->container_count; i++) {
            bool beside = &world->containers[i] != main && is_ours(run, &world->containers[i]);
            assert_false(beside && (!run->model->remote || is_labelled(&world->containers[i])));
        }
        return;
    }
    assert_true(is_obstructed(run) || container->reason == REASON_NAME_CONFLICT);
}

static void trace(const struct run *run, const struct plan *plan, unsigned round)
{
    print_message("round %u\n", round);
    for (size_t i = 0; i < run->model->world->container_count; i++) {
        _cleanup_free_ char *is = model_container_text(&run->model->world->containers[i]);
        print_message("  is %s", is);
    }
    _cleanup_free_ char *text = plan_text(plan);
    print_message("%s", text);
}

static void one_run(bool verbose)
{
    struct run run;
    make_run(&run);
    bool ended = false;
    for (unsigned round = 0; round < ROUNDS_MAX && !ended; round++) {
        model_engine_observe(run.model, run.config);
        struct plan plan = {0};
        plan_run(&run, &plan);
        if (verbose) {
            trace(&run, &plan, round);
        }
        bool interrupted = round < INTERRUPTED_ROUNDS && pick(2) == 0;
        act(&run, &plan, interrupted ? pick(4) : SIZE_MAX);
        check_foreign(&run);
        if (plan.action_count == 0 && round > INTERRUPTED_ROUNDS) {
            check_end(&run, &plan);
            ended = true;
        }
        plan_done(&plan);
        // What waits for time to pass is not its end.
        run.model->world->now_s += round < INTERRUPTED_ROUNDS ? pick(2) * 25 : 25;
    }
    assert_true(ended || is_obstructed(&run));
    end_run(&run);
}

static uint64_t number(const char *variable, uint64_t fallback)
{
    uint64_t value = fallback;
    if (getenv(variable) != NULL) {
        assert_int_equal(str_to_u64(getenv(variable), UINT64_MAX, &value), 0);
    }
    return value;
}

static uint64_t seed;

static void engine_converges(void **unused)
{
    (void)unused;
    uint64_t runs = number("PROPERTY_RUNS", repetitions(RUNS));
    uint64_t first = number("PROPERTY_SEED", 1);
    for (seed = first; seed < first + runs; seed++) {
        state = seed;
        (void)pick(2);
        one_run(runs == 1);
    }
}

static int tell_seed(void **unused)
{
    (void)unused;
    print_message("ended before PROPERTY_SEED=%llu\n", (unsigned long long)seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(engine_converges, tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
