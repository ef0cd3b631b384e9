// Out of memory while the engine's and a node's plan is made: scenes that have most of its parts.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/support/alloc_cases.h"
#include "tests/support/engine_scene.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_is_there(struct scene *scene)
{
    scene->world->image_present = false;
    scene->world->storage_error = ENOENT;
}

static void everything_differs(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->image, "registry:1");
    sample_set(&container->bindings[0].host_address, "::");
    sample_set(&container->storage, NULL);
    sample_set(&container->restart_policy, "no");
    assert_int_equal(strmap_set(&container->environment, "REGISTRY_B", "secret"), 0);
    assert_int_equal(strmap_set(&container->labels, WORLD_LABEL_ENVIRONMENT, "REGISTRY_GONE"), 0);
}

static void restart_policy_differs(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->restart_policy, "no");
}

static void storage_was_lost(struct scene *scene)
{
    (void)scene_add_main(scene);
    scene->world->storage_error = ENOENT;
}

static void port_is_taken(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    container->state = CONTAINER_CREATED;
    sample_set(&container->state_error, "listen tcp4: bind: address already in use");
}

static void did_not_come_up(struct scene *scene)
{
    (void)scene_add_previous(scene);
    struct world_container *container = scene_add_main(scene);
    container->state = CONTAINER_EXITED;
    container->exit_code = 2;
}

static void was_rejected(struct scene *scene)
{
    everything_differs(scene);
    scene->rejected = true;
}

static void network_was_made_again(struct scene *scene)
{
    (void)scene_add_main(scene);
    sample_set(&scene->world->network_id, "net-2");
}

static void is_not_wanted(struct scene *scene)
{
    (void)scene_add_previous(scene);
    (void)scene_add_main(scene);
    scene->unwanted = true;
}

static int plan_of_engine(void *ctx)
{
    struct plan plan = {0};
    struct error err = {0};
    int r = plan_engine(ctx, &plan, &err);
    assert_int_equal(err.kind, r < 0 ? ERROR_FATAL : ERROR_NONE);
    assert_int_equal(plan.condition_count, r < 0 ? 0 : 2);
    plan_done(&plan);
    return r;
}

static void engine_one(void (*arrange)(struct scene *scene))
{
    struct scene scene;
    scene_begin(&scene);
    arrange(&scene);
    model_engine_observe(scene.model, scene.config);
    _cleanup_(desired_container_done) struct desired_container desired = {0};
    _cleanup_free_ char *digest = NULL;
    assert_int_equal(desired_container(scene.config, &desired), 0);
    assert_int_equal(desired_container_digest(&desired, &digest), 0);
    struct plan_input input = {
        .config = scene.config,
        .engine = scene.world,
        .wanted = !scene.unwanted,
        .rejected_digest = scene.rejected ? digest : NULL,
        .rejected_reason = REASON_UNAVAILABLE,
        .rejected_text = "it was tried",
    };
    assert_in_range(alloc_fail_each(plan_of_engine, &input, 0), 10, UINT64_MAX);
    scene_end(&scene);
}

static void engine(void **state)
{
    (void)state;
    static void (*const arrangements[])(struct scene * scene) = {
        nothing_is_there, everything_differs,     restart_policy_differs,
        storage_was_lost, port_is_taken,          did_not_come_up,
        was_rejected,     network_was_made_again, is_not_wanted,
    };
    for (size_t i = 0; i < ELEMENTS(arrangements); i++) {
        engine_one(arrangements[i]);
    }
}

struct node_scene {
    struct plan_input input;
    const struct world_node_files *files; // NULL: not running
};

static int plan_of_node(void *ctx)
{
    const struct node_scene *node = ctx;
    struct plan plan = {0};
    struct error err = {0};
    int r = plan_node(&node->input, "hostk8s-worker", node->files, &plan, &err);
    assert_int_equal(err.kind, r < 0 ? ERROR_FATAL : ERROR_NONE);
    assert_int_equal(plan.condition_count, r < 0 ? 0 : 1);
    plan_done(&plan);
    return r;
}

static void node(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    model_engine_add_dir(scene.model, "localhost:5002", DESIRED_HOSTS_MARK "\n# edited\n");
    model_engine_add_dir(scene.model, "old.example:80", DESIRED_HOSTS_MARK "\n");
    scene.model->files->config_path = CONFIG_PATH_ENABLED;
    static char name[] = "hostk8s-worker";
    static char cluster[] = "hostk8s";
    struct world_node worker = {.name = name, .cluster = cluster, .running = true};
    struct world_engine world = {.nodes = &worker, .node_count = 1};
    struct node_scene node = {
        .input = {.config = scene.config, .engine = &world, .wanted = true},
        .files = scene.model->files,
    };
    assert_in_range(alloc_fail_each(plan_of_node, &node, 0), 10, UINT64_MAX);

    // Somebody else's file is in the way.
    model_engine_add_dir(scene.model, "localhost:5000", "server = \"https://example.com\"\n");
    assert_in_range(alloc_fail_each(plan_of_node, &node, 0), 10, UINT64_MAX);

    node.input.wanted = false;
    assert_in_range(alloc_fail_each(plan_of_node, &node, 0), 5, UINT64_MAX);

    node.files = NULL;
    assert_in_range(alloc_fail_each(plan_of_node, &node, 0), 3, UINT64_MAX);
    scene_end(&scene);
}

struct unobserved {
    struct plan_input input;
    const char *key;
    const struct plan *before;
    size_t conditions;
};

static int plan_of_unobserved(void *ctx)
{
    static const struct error why = {
        .kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "connection refused"};
    const struct unobserved *unobserved = ctx;
    struct plan plan = {0};
    int r =
        plan_unobserved(&unobserved->input, unobserved->key, unobserved->before, &why, &plan, NULL);
    assert_int_equal(plan.condition_count, r < 0 ? 0 : unobserved->conditions);
    plan_done(&plan);
    return r;
}

static void unobserved(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    struct condition known = {.resource = (char[]){"kube/hostk8s/Namespace/hostk8s"},
                              .cluster = (char[]){"hostk8s"}};
    const struct plan before = {.conditions = &known, .condition_count = 1};
    struct unobserved cases[] = {
        {.key = "engine", .conditions = 2},
        {.key = "node/hostk8s-worker", .conditions = 1},
        {.key = "cluster/hostk8s", .conditions = 8},
        {.key = "cluster/hostk8s", .before = &before, .conditions = 1},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        cases[i].input = (struct plan_input){.config = config, .wanted = true};
        assert_in_range(alloc_fail_each(plan_of_unobserved, &cases[i], 0), 3, UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine),
        cmocka_unit_test(node),
        cmocka_unit_test(unobserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
