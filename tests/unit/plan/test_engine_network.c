// The network, and what is left when nothing is wanted: what the engine has, and the whole plan
// that follows.
#include "tests/support/engine_scene.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void is_not_attached(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->endpoints[1].network, "other");
}

static void lacks_the_alias(struct scene *scene)
{
    strv_done(&scene_add_main(scene)->endpoints[1].aliases);
}

static void lacks_the_address(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->endpoints[1].ipv4, NULL);
}

static void network_was_made_again(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_EXITED;
    sample_set(&scene->world->containers[0].endpoints[1].network_id, "net-0");
}

static void network_was_made_again_under_it(struct scene *scene)
{
    (void)scene_add_main(scene);
    sample_set(&scene->world->containers[0].endpoints[1].network_id, "net-0");
}

static void network_is_gone(struct scene *scene)
{
    scene_add_main(scene)->state = CONTAINER_EXITED;
    scene->world->network_present = false;
}

static void network_is_gone_and_name_is_taken(struct scene *scene)
{
    scene_unlabel(scene_add_previous(scene));
    scene_unlabel(scene_add_main(scene));
    scene->world->containers[1].state = CONTAINER_EXITED;
    scene->world->network_present = false;
}

static void adopted_lacks_network_beside_previous(struct scene *scene)
{
    (void)scene_add_previous(scene);
    scene_unlabel(scene_add_main(scene));
    scene->world->containers[1].state = CONTAINER_EXITED;
    scene->world->network_present = false;
}

static void removes_everything(struct scene *scene)
{
    scene->unwanted = true;
    (void)scene_add_previous(scene);
    (void)scene_add_main(scene);
    (void)model_engine_add(scene->model, "foreign");
}

static void removes_nothing(struct scene *scene)
{
    scene->unwanted = true;
}

static void leaves_the_adopted(struct scene *scene)
{
    scene->unwanted = true;
    scene_unlabel(scene_add_main(scene));
}

// The observation ends removals; this one comes between.
static void removal_goes_on(struct scene *scene)
{
    scene->unwanted = true;
    scene_add_main(scene)->state = CONTAINER_REMOVING;
}

#define NOW 1000000

// Nodes of the declared cluster: a control plane and a worker that ended at stopped_s, 0: it runs.
static void add_nodes(struct scene *scene, bool control_plane_runs, int64_t stopped_s)
{
    scene->world->now_s = NOW;
    (void)model_engine_add_node(scene->model, "hostk8s-control-plane", control_plane_runs);
    struct world_node *worker =
        model_engine_add_node(scene->model, "hostk8s-worker", stopped_s == 0);
    worker->stopped_s = stopped_s;
    sample_set(&worker->address, "172.18.0.9"); // which the declared container has
}

static void detach(struct scene *scene)
{
    sample_set(&scene_add_main(scene)->endpoints[1].network, "other");
}

static void node_is_coming_back(struct scene *scene)
{
    add_nodes(scene, true, NOW - 59);
    detach(scene);
}

static void node_has_had_its_time(struct scene *scene)
{
    add_nodes(scene, true, NOW - 60);
    detach(scene);
}

static void node_ended_before_the_clock_was_set_back(struct scene *scene)
{
    add_nodes(scene, true, NOW + 3600);
    detach(scene);
}

static void every_node_is_away(struct scene *scene)
{
    add_nodes(scene, false, NOW - 60);
    detach(scene);
}

static void nodes_of_others_are_away(struct scene *scene)
{
    add_nodes(scene, false, NOW - 1);
    sample_set(&scene->world->nodes[0].cluster, "other");
    sample_set(&scene->world->nodes[1].cluster, "other");
    detach(scene);
}

static void paused_node_keeps_its_address(struct scene *scene)
{
    add_nodes(scene, false, 0);
    sample_set(&scene->world->nodes[0].status, "paused");
    detach(scene);
}

static void sits_on_the_address_of_a_node(struct scene *scene)
{
    add_nodes(scene, true, NOW - 1);
    (void)scene_add_main(scene);
}

static void sits_on_the_address_of_one_long_away(struct scene *scene)
{
    add_nodes(scene, true, NOW - 60);
    (void)scene_add_main(scene);
}

static void sits_elsewhere(struct scene *scene)
{
    add_nodes(scene, false, NOW - 1);
    sample_set(&scene_add_main(scene)->endpoints[1].ipv4, "172.18.0.10");
}

static void its_start_would_take_an_address(struct scene *scene)
{
    add_nodes(scene, true, NOW - 1);
    scene_add_main(scene)->state = CONTAINER_EXITED;
}

static void is_made_while_a_node_is_away(struct scene *scene)
{
    add_nodes(scene, true, NOW - 1);
}

#define WAITS                                                                                      \
    "network/kind/hostk8s-registry False NodeNotRunning: waits for hostk8s-worker, which comes "   \
    "first to its address on the network; start it with `docker start hostk8s-worker`\n"
#define WAITS_FOR_CONTROL_PLANE                                                                    \
    "network/kind/hostk8s-registry False NodeNotRunning: waits for hostk8s-control-plane, which "  \
    "comes first to its address on the network; start it with `docker start "                      \
    "hostk8s-control-plane`\n"
#define ATTACHES                                                                                   \
    "network-connect hostk8s-registry > kind (attach)\n"                                           \
    "container/hostk8s-registry True Converged: \n"                                                \
    "network/kind/hostk8s-registry False Converging: attach is pending\n"
#define CONVERGED                                                                                  \
    "container/hostk8s-registry True Converged: \n"                                                \
    "network/kind/hostk8s-registry True Converged: \n"

static const struct engine_case cases[] = {
    {node_is_coming_back, "container/hostk8s-registry True Converged: \n" WAITS},
    {node_has_had_its_time, ATTACHES},
    {node_ended_before_the_clock_was_set_back, ATTACHES},
    {every_node_is_away, "container/hostk8s-registry True Converged: \n" WAITS_FOR_CONTROL_PLANE},
    {nodes_of_others_are_away, ATTACHES},
    {paused_node_keeps_its_address, ATTACHES},
    {sits_on_the_address_of_a_node,
     "network-disconnect hostk8s-registry > kind (give way) address: 172.18.0.9 -> absent\n"
     "container/hostk8s-registry True Converged: \n" WAITS},
    {sits_on_the_address_of_one_long_away, CONVERGED},
    {sits_elsewhere, CONVERGED},
    {its_start_would_take_an_address,
     "network-disconnect hostk8s-registry > kind (give way) address: 172.18.0.9 -> absent\n"
     "container-start hostk8s-registry (start)\n"
     "container/hostk8s-registry False Converging: start is pending\n" WAITS},
    {is_made_while_a_node_is_away,
     "container-create hostk8s-registry (create)\n"
     "container-start hostk8s-registry (start+)\n"
     "container/hostk8s-registry False Converging: create is pending\n" WAITS},
    {is_not_attached, "network-connect hostk8s-registry > kind (attach)\n"
                      "container/hostk8s-registry True Converged: \n"
                      "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {lacks_the_alias, "network-disconnect hostk8s-registry > kind (attach)\n"
                      "network-connect hostk8s-registry > kind (attach+)\n"
                      "container/hostk8s-registry True Converged: \n"
                      "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {lacks_the_address, "network-disconnect hostk8s-registry > kind (attach)\n"
                        "network-connect hostk8s-registry > kind (attach+)\n"
                        "container/hostk8s-registry True Converged: \n"
                        "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {network_was_made_again, "network-disconnect hostk8s-registry > kind (attach)\n"
                             "container-start hostk8s-registry (start)\n"
                             "network-connect hostk8s-registry > kind (attach+)\n"
                             "container/hostk8s-registry False Converging: start is pending\n"
                             "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {network_was_made_again_under_it,
     "network-disconnect hostk8s-registry > kind (attach)\n"
     "network-connect hostk8s-registry > kind (attach+)\n"
     "container/hostk8s-registry True Converged: \n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
    {network_is_gone, "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) "
                      "network: kind -> absent\n"
                      "container-create hostk8s-registry (create+)\n"
                      "container-start hostk8s-registry (start+)\n"
                      "container/hostk8s-registry False Converging: recreate is pending\n"
                      "network/kind/hostk8s-registry False NetworkMissing: there is no network "
                      "kind; kind creates it with the first cluster\n"},
    {network_is_gone_and_name_is_taken,
     "container/hostk8s-registry False NameConflict: a recreate needs the name "
     "hostk8s-registry-previous, which another container has; rename or remove that container\n"
     "network/kind/hostk8s-registry False NetworkMissing: there is no network kind; kind creates "
     "it with the first cluster\n"},
    {adopted_lacks_network_beside_previous,
     "container/hostk8s-registry False NameConflict: a recreate needs the name "
     "hostk8s-registry-previous, which another container has; rename or remove that container\n"
     "network/kind/hostk8s-registry False NetworkMissing: there is no network kind; kind creates "
     "it with the first cluster\n"},
    {removes_everything,
     "network-disconnect hostk8s-registry-previous > kind (detach!)\n"
     "container-remove id-1 (remove!) hostk8s-registry-previous: present -> absent\n"
     "network-disconnect hostk8s-registry > kind (detach!)\n"
     "container-stop hostk8s-registry (remove!)\n"
     "container-remove id-2 (remove!+) hostk8s-registry: present -> absent\n"
     "container/hostk8s-registry False Converging: remove is pending\n"
     "network/kind/hostk8s-registry False Converging: detach is pending\n"},
    {removes_nothing, "container/hostk8s-registry True Converged: \n"
                      "network/kind/hostk8s-registry True Converged: \n"},
    {leaves_the_adopted, "container/hostk8s-registry True Converged: hostk8s-registry is left "
                         "alone: it was not made by this program\n"
                         "network/kind/hostk8s-registry True Converged: \n"},
    {removal_goes_on,
     "container/hostk8s-registry False Converging: hostk8s-registry is being removed\n"
     "network/kind/hostk8s-registry True Converged: \n"},
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
