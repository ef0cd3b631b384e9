#include "tests/support/engine_scene.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/support/plan_text.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void scene_begin(struct scene *scene)
{
    *scene = (struct scene){.config = sample_config(), .model = model_engine_new()};
    scene->world = scene->model->world;
    scene->world->image_present = true;
    scene->world->network_present = true;
    sample_set(&scene->world->network_id, "net-1");
    sample_set(&scene->config->registry.storage, "/srv/a");
}

void scene_end(struct scene *scene)
{
    model_engine_free(scene->model);
    config_free(scene->config);
}

struct world_container *scene_add_main(struct scene *scene)
{
    return model_engine_add_declared(scene->model, scene->config);
}

struct world_container *scene_add_previous(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->name, "hostk8s-registry-previous");
    sample_set(&container->image, "registry:1");
    container->state = CONTAINER_EXITED;
    return container;
}

void scene_unlabel(struct world_container *container)
{
    strmap_done(&container->labels);
}

void engine_case_one(const struct engine_case *test)
{
    struct scene scene;
    scene_begin(&scene);
    test->arrange(&scene);
    // An observation would end a removal.
    if (scene.world->container_count == 0 ||
        scene.world->containers[0].state != CONTAINER_REMOVING) {
        model_engine_observe(scene.model, scene.config);
    }

    struct desired_container desired = {0};
    _cleanup_free_ char *digest = NULL;
    assert_int_equal(desired_container(scene.config, &desired), 0);
    assert_int_equal(desired_container_digest(&desired, &digest), 0);
    desired_container_done(&desired);

    const struct plan_input input = {
        .config = scene.config,
        .engine = scene.world,
        .wanted = !scene.unwanted,
        .rejected_digest = scene.rejected ? digest : "0",
        .rejected_reason = REASON_PORT_IN_USE,
        .rejected_text = "it was tried",
    };
    struct plan plan = {0};
    assert_int_equal(plan_engine(&input, &plan, NULL), 0);
    assert_plan_text(&plan, test->plan);
    plan_done(&plan);
    scene_end(&scene);
}
