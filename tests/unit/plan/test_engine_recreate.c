// A container beside the registry's: the one that a recreate replaces, or one that has lost the
// name: what the engine has, and the whole plan that follows.
#include "tests/support/engine_scene.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void is_started_beside_previous(struct scene *scene)
{
    (void)scene_add_previous(scene);
    scene_add_main(scene)->started_s = scene->world->now_s - 1;
    sample_set(&scene->config->registry.image, "mute");
    sample_set(&scene->world->containers[1].image, "mute");
}

static void answers_beside_previous(struct scene *scene)
{
    (void)scene_add_previous(scene);
    (void)scene_add_main(scene);
}

static void cannot_be_asked_beside_previous(struct scene *scene)
{
    answers_beside_previous(scene);
    scene->model->remote = true;
}

static void is_silent_beside_previous(struct scene *scene)
{
    is_started_beside_previous(scene);
    scene->world->now_s += 60;
}

static void ended_beside_previous(struct scene *scene)
{
    (void)scene_add_previous(scene);
    struct world_container *container = scene_add_main(scene);
    container->state = CONTAINER_EXITED;
    container->exit_code = 2;
}

static void did_not_start_beside_previous(struct scene *scene)
{
    scene_add_previous(scene)->state = CONTAINER_PAUSED;
    struct world_container *container = scene_add_main(scene);
    container->state = CONTAINER_CREATED;
    sample_set(&container->state_error, "listen tcp4: bind: address already in use");
}

static void failed_to_start_beside_previous(struct scene *scene)
{
    ended_beside_previous(scene);
    sample_set(&scene->world->containers[1].state_error, "no such device");
}

static void is_created_beside_previous(struct scene *scene)
{
    scene_add_previous(scene)->state = CONTAINER_RUNNING;
    scene_add_main(scene)->state = CONTAINER_CREATED;
}

static void is_created_for_an_older_configuration(struct scene *scene)
{
    is_created_beside_previous(scene);
    sample_set(&scene->world->containers[1].image, "registry:0");
}

static void is_silent_for_an_older_configuration(struct scene *scene)
{
    is_started_beside_previous(scene);
    sample_set(&scene->config->registry.image, "registry:3");
}

static void ended_for_an_older_configuration(struct scene *scene)
{
    ended_beside_previous(scene);
    sample_set(&scene->world->containers[1].image, "registry:0");
}

static void previous_is_dead(struct scene *scene)
{
    is_started_beside_previous(scene);
    scene->world->containers[0].state = CONTAINER_DEAD;
}

static void previous_is_of_unknown_state(struct scene *scene)
{
    is_started_beside_previous(scene);
    scene->world->containers[0].state = CONTAINER_UNKNOWN;
}

static void adopted_stands_beside_an_own_previous(struct scene *scene)
{
    is_started_beside_previous(scene);
    scene_unlabel(&scene->world->containers[1]);
    sample_set(&scene->world->containers[1].image, "registry-mute");
}

static void only_previous_is_there(struct scene *scene)
{
    (void)scene_add_previous(scene);
}

static void only_previous_and_no_image(struct scene *scene)
{
    scene->world->image_present = false;
    (void)scene_add_previous(scene);
}

static void only_previous_and_as_declared(struct scene *scene)
{
    sample_set(&scene_add_previous(scene)->image, "registry:2");
    scene->world->containers[0].state = CONTAINER_PAUSED;
}

static void only_previous_and_rejected(struct scene *scene)
{
    scene_add_previous(scene)->state = CONTAINER_RUNNING;
    scene->rejected = true;
}

static void only_previous_and_dead(struct scene *scene)
{
    scene_add_previous(scene)->state = CONTAINER_DEAD;
}

static void only_an_adopted_previous(struct scene *scene)
{
    scene_unlabel(scene_add_previous(scene));
}

static void was_renamed(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->name, "moved");
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->name, "moved-too");
    scene->world->containers[0].state = CONTAINER_EXITED;
}

static void was_renamed_and_stopped(struct scene *scene)
{
    was_renamed(scene);
    scene->world->containers[1].state = CONTAINER_EXITED;
    sample_set(&scene->world->containers[1].endpoints[1].network_id, "net-0");
    sample_set(&scene->world->containers[0].endpoints[1].network_id, "net-0");
}

static void a_stray_is_left(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->name, "moved");
    (void)scene_add_main(scene);
}

static void a_stray_of_another_storage_runs(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->name, "moved");
    sample_set(&container->storage, "/srv/b");
}

static void a_copy_is_left(struct scene *scene)
{
    a_stray_of_another_storage_runs(scene);
    (void)scene_add_main(scene);
}

static void a_stray_holds_images(struct scene *scene)
{
    a_stray_is_left(scene);
    assert_int_equal(strmap_set(&scene->world->containers[0].environment,
                                "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data"),
                     0);
}

static void a_copy_is_left_at_the_end(struct scene *scene)
{
    a_stray_of_another_storage_runs(scene);
    scene->unwanted = true;
}

static void a_backup_has_the_name(struct scene *scene)
{
    scene_unlabel(scene_add_previous(scene));
    (void)scene_add_main(scene);
}

static void an_adopted_one_is_replaced(struct scene *scene)
{
    a_backup_has_the_name(scene);
    assert_int_equal(strmap_set(&scene->world->containers[1].labels, WORLD_LABEL_REPLACES, "id-1"),
                     0);
}

// Whether it would come up is not waited for.
#define REPLACED                                                                                   \
    "container-remove id-2 (recreate!) hostk8s-registry: present -> absent\n"                      \
    "container/hostk8s-registry False Converging: recreate is pending\n"                           \
    "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "     \
    "run\n"

#define CONVERGED                                                                                  \
    "container/hostk8s-registry True Converged: \n"                                                \
    "network/kind/hostk8s-registry True Converged: \n"

static const struct engine_case cases[] = {
    {is_started_beside_previous, "container/hostk8s-registry False Converging: is started; "
                                 "hostk8s-registry-previous is kept until it answers\n"
                                 "network/kind/hostk8s-registry True Converged: \n"},
    {answers_beside_previous,
     "container-remove id-1 (remove!) hostk8s-registry-previous: present -> absent\n"
     "container/hostk8s-registry False Converging: remove is pending\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {cannot_be_asked_beside_previous,
     "container-remove id-1 (remove!) hostk8s-registry-previous: present -> absent\n"
     "container/hostk8s-registry False Converging: remove is pending\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {is_silent_beside_previous,
     "container-remove id-2 (put back!) hostk8s-registry: present -> absent\n"
     "container-rename hostk8s-registry-previous > hostk8s-registry (put back+)\n"
     "container-start hostk8s-registry (put back+)\n"
     "container/hostk8s-registry False Unavailable: the new container runs but does not answer\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {ended_beside_previous,
     "container-remove id-2 (put back!) hostk8s-registry: present -> absent\n"
     "container-rename hostk8s-registry-previous > hostk8s-registry (put back+)\n"
     "container-start hostk8s-registry (put back+)\n"
     "container/hostk8s-registry False Unavailable: the new container ended with exit code 2\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {did_not_start_beside_previous,
     "container-remove id-2 (put back!) hostk8s-registry: present -> absent\n"
     "container-rename hostk8s-registry-previous > hostk8s-registry (put back+)\n"
     "container-unpause hostk8s-registry (unpause+)\n"
     "container/hostk8s-registry False PortInUse: 127.0.0.1:5002 is taken by another process; "
     "change registry.listen or free the port\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {failed_to_start_beside_previous,
     "container-remove id-2 (put back!) hostk8s-registry: present -> absent\n"
     "container-rename hostk8s-registry-previous > hostk8s-registry (put back+)\n"
     "container-start hostk8s-registry (put back+)\n"
     "container/hostk8s-registry False Error: the container does not start: no such device\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {is_created_beside_previous,
     "container-stop hostk8s-registry-previous (recreate)\n"
     "container-start hostk8s-registry (recreate+)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {is_created_for_an_older_configuration, REPLACED},
    {is_silent_for_an_older_configuration, REPLACED},
    {ended_for_an_older_configuration, REPLACED},
    {previous_is_dead,
     "container-remove id-1 (remove!) hostk8s-registry-previous: present -> absent\n"
     "container/hostk8s-registry False Converging: remove is pending\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {previous_is_of_unknown_state, "container/hostk8s-registry False Converging: waits for the "
                                   "engine to end what it does with hostk8s-registry-previous\n"
                                   "network/kind/hostk8s-registry True Converged: \n"},
    {adopted_stands_beside_an_own_previous,
     "container/hostk8s-registry False NameConflict: a recreate needs the name "
     "hostk8s-registry-previous, which another container has; rename or remove that container\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {only_previous_is_there,
     "container-create hostk8s-registry (recreate!) image: registry:1 -> registry:2\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {only_previous_and_no_image,
     "container-rename hostk8s-registry-previous > hostk8s-registry (restore)\n"
     "container-start hostk8s-registry (restore+)\n"
     "container/hostk8s-registry False Converging: restore is pending\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {only_previous_and_as_declared,
     "container-rename hostk8s-registry-previous > hostk8s-registry (restore)\n"
     "container-unpause hostk8s-registry (unpause+)\n"
     "container/hostk8s-registry False Converging: restore is pending\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {only_previous_and_rejected,
     "container-rename hostk8s-registry-previous > hostk8s-registry (restore)\n"
     "container/hostk8s-registry False PortInUse: it was tried\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {only_previous_and_dead, "container-create hostk8s-registry (recreate!)\n"
                             "container-start hostk8s-registry (start+)\n"
                             "network-connect hostk8s-registry > kind (attach)\n"
                             "container/hostk8s-registry False Converging: recreate is pending\n"
                             "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {only_an_adopted_previous,
     "container-create hostk8s-registry (recreate!) image: registry:1 -> registry:2\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {was_renamed, "container-rename moved-too > hostk8s-registry (rename)\n"
                  "container/hostk8s-registry False Converging: rename is pending\n"
                  "network/kind/hostk8s-registry False Converging: waits for "
                  "container/hostk8s-registry to run\n"},
    {was_renamed_and_stopped,
     "container-rename moved > hostk8s-registry (rename)\n"
     "network-disconnect hostk8s-registry > kind (attach)\n"
     "container-start hostk8s-registry (rename+)\n"
     "container/hostk8s-registry False Converging: rename is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {a_stray_is_left, "container-remove id-1 (remove!) moved: present -> absent\n"
                      "container/hostk8s-registry False Converging: remove is pending\n"
                      "network/kind/hostk8s-registry True Converged: \n"},
    {a_stray_of_another_storage_runs,
     "container-create hostk8s-registry (create)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: create is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {a_copy_is_left, CONVERGED},
    {a_stray_holds_images, CONVERGED},
    {a_copy_is_left_at_the_end, CONVERGED},
    {a_backup_has_the_name, CONVERGED},
    {an_adopted_one_is_replaced,
     "container-remove id-1 (remove!) hostk8s-registry-previous: present -> absent\n"
     "container/hostk8s-registry False Converging: remove is pending\n"
     "network/kind/hostk8s-registry True Converged: \n"},
};

static void plans(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        engine_case_one(&cases[i]);
    }
}

// Cut off after any of its actions, an adoption goes on with the container that it began with.
static void adoption_is_finished(void **unused)
{
    (void)unused;
    for (size_t limit = 1; limit <= 5; limit++) {
        struct scene scene;
        scene_begin(&scene);
        struct world_container *adopted = scene_add_main(&scene);
        scene_unlabel(adopted);
        sample_set(&adopted->image, "registry:1");
        size_t actions = 0;
        for (size_t round = 0; round == 0 || actions > 0; round++) {
            assert_true(round < 8);
            model_engine_observe(scene.model, scene.config);
            const struct plan_input input = {
                .config = scene.config, .engine = scene.world, .wanted = true};
            struct plan plan = {0};
            assert_int_equal(plan_engine(&input, &plan, NULL), 0);
            actions = plan.action_count;
            for (size_t i = 0; i < actions && (round > 0 || i < limit); i++) {
                assert_int_equal(model_engine_act(scene.model, &plan.actions[i], NULL), 0);
            }
            plan_done(&plan);
        }
        assert_int_equal(scene.world->container_count, 1);
        assert_string_equal(scene.world->containers[0].image, "registry:2");
        scene_end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
        cmocka_unit_test(adoption_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
