// Random configurations over random engines of every accent: applying the plan again and again,
// interrupted anywhere and begun anew by another process, ends with nothing to do; nothing that is
// not owned is touched; the old container goes only when the new one answers; whatever the engine
// makes of a spec, no more than two containers are made of it. PROPERTY_SEED and PROPERTY_RUNS in
// the environment choose the runs; a single one is told in full.
#include "lib/base/str.h"
#include "lib/kinds/container/compare.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "tests/support/container_case.h"
#include "tests/support/random.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUNS 1000
#define ROUNDS_MAX 60
#define INTERRUPTED_ROUNDS 12
#define FOREIGN_MAX 8
#define MAIN "hostk8s-registry"
#define PREVIOUS "hostk8s-registry-previous"
#define ROOT_VARIABLE "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

static struct random random_state;

static unsigned pick(unsigned below)
{
    return random_below(&random_state, below);
}

#define PICK(array) RANDOM_PICK(&random_state, array)

static const char *const names[] = {MAIN, MAIN, PREVIOUS, PREVIOUS, "moved", "other"};
static const char *const owners[] = {NULL, MAIN, MAIN, "elsewhere"};
static const char *const storages[] = {"/srv/a", "/srv/a", "/srv/a", "/srv/b"};
static const char *const images[] = {"registry:2",       "docker.io/library/registry:2",
                                     "registry:3",       "mute/registry:1",
                                     "crash/registry:1", "nginx:1"};
static const char *const ports[] = {"5002", "5002", "5003"};
static const char *const statuses[] = {"created",  "running", "running", "paused",
                                       "removing", "exited",  "dead",    "restarting"};
static const struct engine_node absent_node = {
    .name = "hostk8s-worker", .cluster = "hostk8s", .status = "exited"};

struct run {
    struct config *config;
    struct secrets *secrets;
    struct accent_engine engine;
    struct current *current; // the latest observed
    unsigned created;        // of the present spec
    bool rejected;
    bool desired;
    char *foreign[FOREIGN_MAX]; // texts of the containers that are not to be touched
    size_t foreign_count;
};

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *status_of(const json_t *container)
{
    return text_at(json_object_get(container, "State"), "Status");
}

static void observe(struct run *run)
{
    // An engine ends its removals.
    for (size_t i = json_array_size(run->engine.containers); i-- > 0;) {
        if (str_equal(status_of(json_array_get(run->engine.containers, i)), "removing")) {
            json_array_remove(run->engine.containers, i);
        }
    }
    current_free(run->current);
    run->current = accent_engine_observe(&run->engine, run->config, run->secrets);
}

static const struct container *by_id(const struct run *run, const char *id)
{
    for (size_t i = 0; i < run->current->container_count; i++) {
        if (str_equal(run->current->containers[i].id, id)) {
            return &run->current->containers[i];
        }
    }
    return NULL;
}

static const struct container *by_name(const struct run *run, const char *name)
{
    return current_container(run->current, name);
}

static bool answers(const struct run *run)
{
    return run->current->facts[0].probe == PROBE_ANSWERS;
}

// As the contract says it, told once more and shorter.
static bool is_ours(const struct run *run, const struct container *container)
{
    const char *owner = container_label(container, CONTAINER_LABEL_OWNER);
    bool same_storage = str_equal(container->storage, "/srv/a");
    const struct container *main = by_name(run, MAIN);
    bool is_previous = str_equal(container->name, PREVIOUS);
    bool elsewhere = container_variable(container, ROOT_VARIABLE) != NULL;
    if (owner != NULL && (container == main || (is_previous && !elsewhere))) {
        return str_equal(owner, MAIN) || same_storage;
    }
    if (owner != NULL) {
        return same_storage && !elsewhere;
    }
    bool replaced =
        is_previous &&
        (main == NULL || str_equal(container_label(main, CONTAINER_LABEL_REPLACES), container->id));
    return run->desired && (container == main || replaced) && same_storage &&
           json_array_size(container->bindings) > 0 && !elsewhere && container->other_mount == NULL;
}

// ---- what there is at first ----

// The body of a request, as this program or somebody else may have sent it.
static json_t *make_body(const char *image, const char *port)
{
    const char *owner = PICK(owners);
    json_auto_t *environment = json_array();
    json_auto_t *labels = json_object();
    if (pick(4) > 0) {
        json_array_append_new(environment, json_string("REGISTRY_STORAGE_DELETE_ENABLED=true"));
    }
    if (pick(10) == 0) {
        json_array_append_new(environment, json_string(ROOT_VARIABLE "=/data"));
    }
    if (owner != NULL) {
        const char *declared = pick(4) > 0 ? "REGISTRY_STORAGE_DELETE_ENABLED" : "GONE";
        json_object_set_new(labels, CONTAINER_LABEL_OWNER, json_string(owner));
        json_object_set_new(labels, CONTAINER_LABEL_ENVIRONMENT, json_string(declared));
    }
    if (owner != NULL && pick(3) == 0) {
        json_object_set_new(labels, CONTAINER_LABEL_SPEC, json_string("0123456789abcdef"));
    }
    const char *address = pick(4) > 0 ? "127.0.0.1" : "";
    const char *policy = pick(3) > 0 ? "always" : "no";
    return json_pack("{s:s, s:O, s:O, s:{s:s, s:[s+], s:{s:[{s:s, s:s}]}, s:{s:s}}}", "Image",
                     image, "Env", environment, "Labels", labels, "HostConfig", "NetworkMode",
                     "bridge", "Binds", PICK(storages), ":" CONTAINER_STORAGE, "PortBindings",
                     CONTAINER_PORT, "HostIp", address, "HostPort", port, "RestartPolicy", "Name",
                     policy);
}

// No two are up over one port, and only what crashes is started again and again.
static bool may_be(const struct run *run, const char *status, const char *image)
{
    bool restarts = str_equal(status, "restarting");
    bool up = restarts || str_equal(status, "running") || str_equal(status, "paused");
    bool may = !up || restarts == (strstr(image, "crash") != NULL);
    for (size_t i = 0; i < json_array_size(run->engine.containers) && up && may; i++) {
        const char *other = status_of(json_array_get(run->engine.containers, i));
        may = !str_equal(other, "running") && !str_equal(other, "paused") &&
              !str_equal(other, "restarting");
    }
    return may;
}

static void make_container(struct run *run, const char *name)
{
    struct accent_engine *engine = &run->engine;
    const char *status = PICK(statuses);
    const char *image = PICK(images);
    status = may_be(run, status, image) ? status : "exited";
    json_auto_t *body = make_body(image, PICK(ports));
    json_t *container = accent_engine_create(engine, name, body);
    accent_engine_set_state(engine, container, status, pick(40));
    bool up = str_equal(status, "running") || str_equal(status, "paused") ||
              str_equal(status, "restarting");
    if (pick(2) > 0 && (!up || engine->network_present)) {
        accent_engine_connect(engine, container, up || pick(2) > 0 ? "net-1" : "net-0",
                              pick(3) > 0 ? name : NULL);
    }
}

static bool has_name(const struct run *run, const char *name)
{
    bool has = false;
    for (size_t i = 0; i < json_array_size(run->engine.containers) && !has; i++) {
        has = str_equal(text_at(json_array_get(run->engine.containers, i), "Name") + 1, name);
    }
    return has;
}

static void make_run(struct run *run)
{
    *run = (struct run){.config = sample_config(), .desired = pick(8) > 0};
    struct accent_engine *engine = &run->engine;
    run->secrets = secrets_new();
    accent_engine_begin(engine, &accents[pick(ACCENTS)]);
    struct config_registry *registry = &run->config->registry;
    sample_set(&registry->storage, "/srv/a");
    sample_set(&registry->image, PICK(images));
    registry->listen_port = pick(3) > 0 ? 5002 : 5003;
    registry->restart = pick(2) > 0 ? RESTART_ALWAYS : RESTART_NO;
    engine->image_present = pick(3) > 0;
    engine->network_present = pick(4) > 0;
    engine->storage.state = pick(6) == 0   ? STORAGE_MISSING
                            : pick(8) == 0 ? STORAGE_FORBIDDEN
                                           : STORAGE_USABLE;
    engine->taken_port = pick(10) == 0 ? "5002" : NULL;
    engine->remote = pick(10) == 0;
    engine->nodes = &absent_node;
    engine->node_count = pick(6) == 0 ? 1 : 0;
    for (unsigned i = pick(5); i > 0; i--) {
        const char *name = PICK(names);
        if (!has_name(run, name)) {
            make_container(run, name);
        }
    }
    observe(run);
    for (size_t i = 0; i < json_array_size(engine->containers); i++) {
        const json_t *container = json_array_get(engine->containers, i);
        const struct container *decoded = by_id(run, text_at(container, "Id"));
        if (decoded == NULL || !is_ours(run, decoded)) {
            run->foreign[run->foreign_count++] = json_dumps(container, JSON_SORT_KEYS);
        }
    }
}

static void end_run(struct run *run)
{
    for (size_t i = 0; i < run->foreign_count; i++) {
        free(run->foreign[i]);
    }
    current_free(run->current);
    accent_engine_end(&run->engine);
    secrets_free(run->secrets);
    config_free(run->config);
}

// ---- what holds of every step ----

static void check_foreign(const struct run *run)
{
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(run->engine.containers); i++) {
        _cleanup_free_ char *text =
            json_dumps(json_array_get(run->engine.containers, i), JSON_SORT_KEYS);
        for (size_t j = 0; j < run->foreign_count; j++) {
            found += str_equal(text, run->foreign[j]) ? 1 : 0;
        }
    }
    assert_int_equal(found, run->foreign_count);
}

static void check_action(const struct run *run, const struct action *action)
{
    const struct container_spec *spec = &run->current->specs.items[0];
    const struct container *container =
        action->op == CONTAINER_OP_REMOVE || action->op == CONTAINER_OP_RENAME
            ? by_id(run, action->target)
            : NULL;
    if (container == NULL) {
        return;
    }
    assert_true(is_ours(run, container));
    if (action->op == CONTAINER_OP_RENAME) {
        return;
    }
    assert_true(action->destructive);
    if (!run->desired) {
        assert_non_null(container_label(container, CONTAINER_LABEL_OWNER));
    } else if (!str_equal(container->name, MAIN) && container->state != CONTAINER_DEAD) {
        const struct container *main = by_name(run, MAIN);
        assert_true(main != NULL &&
                    (answers(run) || run->engine.remote || compare_is_elsewhere(spec, main)));
    }
}

static void act(struct run *run, const struct plan *plan, size_t limit)
{
    for (size_t i = 0; i < plan->action_count && i < limit; i++) {
        const struct action *action = plan->actions[i];
        struct error err = {0};
        check_action(run, action);
        assert_false(i == 0 && action->part);
        int r = accent_engine_act(&run->engine, action, &err);
        run->created += action->op == CONTAINER_OP_CREATE && r == 0 ? 1 : 0;
        // As the reconciler does it: a spec that did not come up is not tried again.
        run->rejected = run->rejected || (r == 0 && action->gives_up) ||
                        (r < 0 && action->digest != NULL && container_kind.rejects(action, &err));
        if (r < 0) {
            return;
        }
    }
}

static void make_plan(const struct run *run, struct plan *ret)
{
    char resource[] = "container/" MAIN;
    char message[] = "did not come up";
    struct record record = {.resource = resource,
                            .reason = REASON_UNAVAILABLE,
                            .message = message,
                            .digest = run->current->specs.items[0].digest,
                            .rejected_until_ms = run->rejected ? 2 : 0};
    const struct records records = {.items = (struct record *[]){&record}, .count = 1};
    const struct input input = {
        .config = run->config, .desired = run->desired, .records = &records, .now_ms = 1};
    container_kind.plan(&input, run->current, ret);
    assert_int_equal(ret->condition_count, 2);
}

// ---- its end ----

static bool is_bad_image(const char *image)
{
    return strstr(image, "crash") != NULL || strstr(image, "mute") != NULL;
}

// Something outside keeps a container of the spec from coming up.
static bool is_hindered(const struct run *run)
{
    bool is = run->engine.taken_port != NULL || is_bad_image(run->config->registry.image);
    for (size_t i = 0; i < json_array_size(run->engine.containers) && !is; i++) {
        const json_t *document = json_array_get(run->engine.containers, i);
        const struct container *container = by_id(run, text_at(document, "Id"));
        is = container != NULL && is_ours(run, container)
                 ? is_bad_image(text_at(document, "Asked"))
                 : container == NULL || container_is_up(container);
    }
    return is;
}

// A plan without an end is right then, since it is tried again with a back-off, and so is an end
// without Ready.
static bool is_obstructed(const struct run *run)
{
    const struct container *main = by_name(run, MAIN);
    bool told = main != NULL && run->engine.accent >= &accents[ACCENTS_SOUND];
    return is_hindered(run) || run->rejected || told ||
           run->engine.storage.state == STORAGE_FORBIDDEN;
}

// What must be true when nothing is left to do.
static void check_end(const struct run *run, const struct plan *plan)
{
    const struct condition *container = plan_condition(plan, "container/" MAIN);
    const struct condition *network = plan_condition(plan, "network/kind/" MAIN);
    const struct container *main = by_name(run, MAIN);
    bool waits = run->engine.network_present && run->engine.node_count > 0; // for ever
    if (!run->desired) {
        assert_int_equal(container->ready, READY_TRUE);
        assert_int_equal(network->ready, READY_TRUE);
    } else if (main != NULL && !is_ours(run, main)) {
        assert_int_equal(container->reason, REASON_NAME_CONFLICT);
    } else if (container->ready == READY_TRUE) {
        assert_non_null(main);
        assert_int_equal(main->state, CONTAINER_RUNNING);
        assert_int_equal(network->reason, waits                         ? REASON_NODE_NOT_RUNNING
                                          : run->engine.network_present ? REASON_CONVERGED
                                                                        : REASON_NETWORK_MISSING);
    } else {
        assert_true(is_obstructed(run) || container->reason == REASON_NAME_CONFLICT);
    }
    for (size_t i = 0; i < run->current->container_count; i++) {
        const struct container *other = &run->current->containers[i];
        bool ours = is_ours(run, other) && container_label(other, CONTAINER_LABEL_OWNER) != NULL;
        assert_false(ours && container->ready == READY_TRUE && (other != main || !run->desired));
    }
}

static void one_run(bool verbose)
{
    struct run run;
    make_run(&run);
    bool ended = false;
    for (unsigned round = 0; round < ROUNDS_MAX && !ended; round++) {
        bool interrupted = round < INTERRUPTED_ROUNDS && pick(2) == 0;
        struct plan plan = {0};
        observe(&run);
        make_plan(&run, &plan);
        if (verbose) {
            _cleanup_free_ char *is = json_dumps(run.engine.containers, JSON_INDENT(1));
            _cleanup_free_ char *text = container_plan_text(&plan);
            print_message("round %u of %s\n%s\n%s", round, run.engine.accent->name, is, text);
        }
        act(&run, &plan, interrupted ? pick(4) : SIZE_MAX);
        check_foreign(&run);
        assert_true(run.created <= 2 || is_hindered(&run));
        if (plan.action_count == 0 && round > INTERRUPTED_ROUNDS) {
            check_end(&run, &plan);
            ended = true;
        }
        plan_done(&plan);
        // What waits for time to pass is not its end.
        run.engine.now_s += round < INTERRUPTED_ROUNDS ? pick(2) * 25 : 25;
        if (round < INTERRUPTED_ROUNDS / 2 && pick(6) == 0) {
            // The configuration changes in the middle, and back again.
            strmap_set(&run.config->registry.environment, "REGISTRY_LOG_LEVEL",
                       pick(2) == 0 ? "debug" : "info");
            run.created = 0;
            run.rejected = false;
        }
        // Another process goes on, which knows nothing of what this one has tried.
        run.rejected = run.rejected && pick(10) > 0;
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

static void engines_converge(void **unused)
{
    (void)unused;
    uint64_t runs = number("PROPERTY_RUNS", repetitions(RUNS));
    uint64_t first = number("PROPERTY_SEED", 1);
    for (seed = first; seed < first + runs; seed++) {
        random_state.state = seed;
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
        cmocka_unit_test_teardown(engines_converge, tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
