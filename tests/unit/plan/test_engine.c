// The registry's container alone: what the engine has, and the whole plan that
// follows.
#include "tests/support/engine_scene.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void starts_from_nothing(struct scene *scene)
{
    scene->world->storage_error = ENOENT;
    scene->world->image_present = false;
}

static void starts_without_network(struct scene *scene)
{
    scene->world->network_present = false;
}

static void storage_forbidden(struct scene *scene)
{
    scene->world->storage_error = EACCES;
}

static void storage_forbidden_but_running(struct scene *scene)
{
    scene->world->storage_error = EACCES;
    scene_add_main(scene);
}

static void storage_forbidden_and_drifted(struct scene *scene)
{
    scene->world->storage_error = 99999; // an errno without a name
    sample_set(&scene_add_main(scene)->image, "registry:1");
}

static void storage_taken_away(struct scene *scene)
{
    scene->world->storage_error = ENOENT;
    scene_add_main(scene);
}

static void is_converged(struct scene *scene)
{
    scene_add_main(scene);
}

static void is_silent_at_first(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    container->started_s = scene->world->now_s - 1;
    sample_set(&container->image, "mute");
    sample_set(&scene->config->registry.image, "mute");
}

static void is_silent_for_long(struct scene *scene)
{
    is_silent_at_first(scene);
    sample_set(&scene->config->registry.listen_address, "::1");
    sample_set(&scene->world->containers[0].bindings[0].host_address, "::1");
    scene->world->now_s += 60;
}

static void was_started_by_a_clock_that_is_ahead(struct scene *scene)
{
    is_silent_at_first(scene);
    scene->world->containers[0].started_s = scene->world->now_s + 3;
}

static void was_started_before_the_clock_was_set_back(struct scene *scene)
{
    is_silent_at_first(scene);
    scene->world->containers[0].started_s = scene->world->now_s + 3600;
}

static void is_stopped(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_EXITED;
}

static void is_stopped_by_a_taken_port(struct scene *scene)
{
    is_stopped(scene);
    sample_set(&scene->world->containers[0].state_error, "port is already allocated");
}

static void is_stopped_by_the_port_of_a_container(struct scene *scene)
{
    is_stopped_by_a_taken_port(scene);
    sample_set(&scene->world->port_holder, "hostk8s-registry-old");
}

static void is_stopped_by_the_port_of_the_previous_one(struct scene *scene)
{
    is_stopped_by_a_taken_port(scene);
    sample_set(&scene->world->port_holder, "hostk8s-registry-previous");
}

static void is_paused(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_PAUSED;
}

static void ends_again_and_again(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    container->state = CONTAINER_RESTARTING;
    container->exit_code = 2;
}

static void is_dead(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_DEAD;
}

static void is_dead_beside_a_foreign_one(struct scene *scene)
{
    is_dead(scene);
    (void)model_engine_add(scene->model, "hostk8s-registry-previous");
}

static void is_dead_and_storage_forbidden(struct scene *scene)
{
    is_dead(scene);
    scene->world->storage_error = EROFS;
}

static void is_of_unknown_state(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_UNKNOWN;
}

static void main_is_being_removed(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_REMOVING;
}

static void restart_policy_differs(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->restart_policy, "no");
}

static void everything_differs(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->image, "registry:1");
    sample_set(&container->bindings[0].host_address, "::");
    sample_set(&container->storage, NULL);
    assert_int_equal(strmap_set(&scene->config->registry.environment, "REGISTRY_A", "1"), 0);
    assert_int_equal(strmap_set(&scene->config->registry.environment, "REGISTRY_B", "1"), 0);
    assert_int_equal(strmap_set(&container->environment, "REGISTRY_B", "secret"), 0);
    assert_int_equal(strmap_set(&container->labels, WORLD_LABEL_ENVIRONMENT,
                                "REGISTRY_GONE,REGISTRY_STORAGE_DELETE_ENABLED"),
                     0);
}

static void has_no_port_and_no_image(struct scene *scene)
{
    scene->world->image_present = false;
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->bindings[0].container_port, "6000/tcp");
    container->state = CONTAINER_EXITED;
}

static void any_address_has_two_spellings(struct scene *scene)
{
    sample_set(&scene->config->registry.listen_address, "0.0.0.0");
    sample_set(&scene_add_main(scene)->bindings[0].host_address, "");
}

static void was_made_for_another_name(struct scene *scene)
{
    assert_int_equal(strmap_set(&scene_add_main(scene)->labels, WORLD_LABEL_OWNER, "old"), 0);
}

static void previous_name_is_taken(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->image, "registry:1");
    (void)model_engine_add(scene->model, "hostk8s-registry-previous");
}

static void spec_was_rejected(struct scene *scene)
{
    scene->rejected = true;
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->image, "registry:1");
    container->state = CONTAINER_EXITED;
}

static void says_what_is_no_line(struct scene *scene)
{
    scene_add_previous(scene);
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->state_error, "no\nroom \x1b[2J");
    container->state = CONTAINER_CREATED;
}

static void has_fields_that_are_no_lines(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->image, "registry\n\x1b[31m:1");
    container->state = CONTAINER_EXITED;
}

#define WAITS                                                                                      \
    "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "     \
    "run\n"

static const struct engine_case cases[] = {
    {starts_from_nothing, "storage-make /srv/a (make storage)\n"
                          "image-pull registry:2 (pull)\n"
                          "container-create hostk8s-registry (create)\n"
                          "container-start hostk8s-registry (start+)\n"
                          "network-connect hostk8s-registry > kind (attach)\n"
                          "container/hostk8s-registry False Converging: make storage is pending\n"
                          "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {starts_without_network, "container-create hostk8s-registry (create)\n"
                             "container-start hostk8s-registry (start+)\n"
                             "container/hostk8s-registry False Converging: create is pending\n"
                             "network/kind/hostk8s-registry False NetworkMissing: there is no "
                             "network kind; kind creates it with the first cluster\n"},
    {storage_forbidden,
     "container/hostk8s-registry False StorageNotWritable: /srv/a cannot be used (Permission "
     "denied); make the directory writable or change registry.storage\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {storage_forbidden_but_running, "container/hostk8s-registry True Converged: \n"
                                    "network/kind/hostk8s-registry True Converged: \n"},
    {storage_forbidden_and_drifted,
     "container/hostk8s-registry False StorageNotWritable: /srv/a cannot be used (unknown error); "
     "make the directory writable or change registry.storage\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {storage_taken_away, "container-stop hostk8s-registry (restart!)\n"
                         "storage-make /srv/a (make storage)\n"
                         "container-start hostk8s-registry (start+)\n"
                         "container/hostk8s-registry False Converging: restart is pending\n"
                         "network/kind/hostk8s-registry True Converged: \n"},
    {is_converged, "container/hostk8s-registry True Converged: \n"
                   "network/kind/hostk8s-registry True Converged: \n"},
    {is_silent_at_first, "container/hostk8s-registry False Converging: is started and does not "
                         "answer at http://127.0.0.1:5002/v2/ yet\n"
                         "network/kind/hostk8s-registry True Converged: \n"},
    {was_started_by_a_clock_that_is_ahead,
     "container/hostk8s-registry False Converging: is started and does not "
     "answer at http://127.0.0.1:5002/v2/ yet\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {was_started_before_the_clock_was_set_back,
     "container/hostk8s-registry False Unavailable: runs but does not answer at "
     "http://127.0.0.1:5002/v2/; see `docker logs hostk8s-registry`\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {is_silent_for_long, "container/hostk8s-registry False Unavailable: runs but does not answer "
                         "at http://[::1]:5002/v2/; see `docker logs hostk8s-registry`\n"
                         "network/kind/hostk8s-registry True Converged: \n"},
    {is_stopped, "container-start hostk8s-registry (start)\n"
                 "container/hostk8s-registry False Converging: start is pending\n"
                 "network/kind/hostk8s-registry False Converging: waits for "
                 "container/hostk8s-registry to run\n"},
    {is_stopped_by_a_taken_port,
     "container-start hostk8s-registry (start)\n"
     "container/hostk8s-registry False PortInUse: 127.0.0.1:5002 is taken by another process; "
     "change registry.listen or free the port\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {is_stopped_by_the_port_of_a_container,
     "container-start hostk8s-registry (start)\n"
     "container/hostk8s-registry False PortInUse: 127.0.0.1:5002 is taken by container "
     "hostk8s-registry-old; "
     "change registry.listen or free the port\n" WAITS},
    {is_stopped_by_the_port_of_the_previous_one,
     "container-start hostk8s-registry (start)\n"
     "container/hostk8s-registry False PortInUse: 127.0.0.1:5002 is taken by another process; "
     "change registry.listen or free the port\n" WAITS},
    {is_paused, "container-unpause hostk8s-registry (unpause)\n"
                "container/hostk8s-registry False Converging: unpause is pending\n"
                "network/kind/hostk8s-registry False Converging: waits for "
                "container/hostk8s-registry to run\n"},
    {ends_again_and_again, "container/hostk8s-registry False Unavailable: ends again and again, "
                           "last with exit code 2; see `docker logs hostk8s-registry`\n"
                           "network/kind/hostk8s-registry False Converging: waits for "
                           "container/hostk8s-registry to run\n"},
    {is_dead, "container-remove id-1 (recreate!) hostk8s-registry: present -> absent\n"
              "container-create hostk8s-registry (create+)\n"
              "container-start hostk8s-registry (start+)\n"
              "network-connect hostk8s-registry > kind (attach)\n"
              "container/hostk8s-registry False Converging: recreate is pending\n"
              "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {is_dead_beside_a_foreign_one,
     "container/hostk8s-registry False NameConflict: a recreate needs the name "
     "hostk8s-registry-previous, which another container has; rename or remove that container\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {is_dead_and_storage_forbidden,
     "container/hostk8s-registry False StorageNotWritable: /srv/a cannot be used (Read-only file "
     "system); make the directory writable or change registry.storage\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {is_of_unknown_state, "container/hostk8s-registry False Converging: waits for the engine to "
                          "end what it does with it\n"
                          "network/kind/hostk8s-registry False Converging: waits for "
                          "container/hostk8s-registry to run\n"},
    {main_is_being_removed, "container/hostk8s-registry False Converging: waits for the engine to "
                            "end what it does with it\n"
                            "network/kind/hostk8s-registry False Converging: waits for "
                            "container/hostk8s-registry to run\n"},
    {restart_policy_differs, "container-update hostk8s-registry (update) restart: no -> always\n"
                             "container/hostk8s-registry False Converging: update is pending\n"
                             "network/kind/hostk8s-registry True Converged: \n"},
    {everything_differs,
     "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) image: registry:1 "
     "-> registry:2, listen: [::]:5002 -> 127.0.0.1:5002, storage: absent -> /srv/a, "
     "environment.REGISTRY_A: absent -> (hidden), environment.REGISTRY_B: (hidden) -> (hidden), "
     "environment.REGISTRY_GONE: (hidden) -> absent\n"
     "container-create hostk8s-registry (create+)\n"
     "container-stop hostk8s-registry-previous (stop+)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {has_no_port_and_no_image,
     "image-pull registry:2 (pull)\n"
     "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) listen: absent -> "
     "127.0.0.1:5002\n"
     "container-create hostk8s-registry (create+)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: pull is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {any_address_has_two_spellings, "container/hostk8s-registry True Converged: \n"
                                    "network/kind/hostk8s-registry True Converged: \n"},
    {was_made_for_another_name,
     "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) "
     "labels.io.hostk8s.registryd.owner: old -> hostk8s-registry\n"
     "container-create hostk8s-registry (create+)\n"
     "container-stop hostk8s-registry-previous (stop+)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {previous_name_is_taken,
     "container/hostk8s-registry False NameConflict: a recreate needs the name "
     "hostk8s-registry-previous, which another container has; rename or remove that container\n"
     "network/kind/hostk8s-registry True Converged: \n"},
    {spec_was_rejected, "container-start hostk8s-registry (start)\n"
                        "container/hostk8s-registry False PortInUse: it was tried\n"
                        "network/kind/hostk8s-registry False Converging: waits for "
                        "container/hostk8s-registry to run\n"},
    {says_what_is_no_line,
     "container-remove id-2 (put back!) hostk8s-registry: present -> absent\n"
     "container-rename hostk8s-registry-previous > hostk8s-registry (put back+)\n"
     "container-start hostk8s-registry (put back+)\n"
     "container/hostk8s-registry False Error: the container does not start: no room ?[2J\n"
     "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "
     "run\n"},
    {has_fields_that_are_no_lines,
     "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) image: registry "
     "?[31m:1 -> registry:2\n"
     "container-create hostk8s-registry (create+)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
};

static void plans(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        engine_case_one(&cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
