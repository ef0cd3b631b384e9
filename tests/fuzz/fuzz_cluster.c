// What an API server answers to an observation (its groups, a list of each kind, the ingress class,
// single objects, pods, what else lives in the namespace), and the plan that follows: nothing is
// done to what is not the program's. Words in the configuration: unwanted; homeless, while the
// registry has no address.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/fuzz/plans.h"
#include "tests/fuzz/play.h"

#include <string.h>

// As the contract says it, told once more.
static bool is_ours(const struct world_object *object)
{
    const char *label =
        json_get_string(object->object, "metadata", "labels", WORLD_LABEL_MANAGED_BY, NULL);
    bool labelled = str_equal(label, WORLD_MANAGED_BY);
    if (object->kind == KUBE_NAMESPACE) {
        return labelled;
    }
    const json_t *managers = json_get_array(object->object, "metadata", "managedFields", NULL);
    for (size_t i = 0; i < json_array_size(managers); i++) {
        labelled =
            labelled || str_equal(json_get_string(json_array_get(managers, i), "manager", NULL),
                                  WORLD_MANAGED_BY);
    }
    return labelled;
}

static void check_cluster_action(const struct play *play, const struct world_cluster *world,
                                 const struct action *action)
{
    _cleanup_free_ char *path = NULL;
    const struct world_object *object =
        world_cluster_object(world, action->kind, action->name_space, action->name);
    MUST(str_equal(action->cluster, PLAY_CLUSTER));
    MUST(kube_kind_path(action->kind, action->name_space, action->name, &path) == 0);
    switch (action->type) {
    case ACTION_OBJECT_APPLY:
        MUST(play->input.wanted);
        MUST(object == NULL || is_ours(object));
        MUST(str_equal(json_get_string(action->body, "kind", NULL), kube_kinds[action->kind].kind));
        MUST(str_equal(json_get_string(action->body, "metadata", "name", NULL), action->name));
        return;
    case ACTION_OBJECT_DELETE:
        MUST(object != NULL && is_ours(object));
        MUST(str_equal(object->uid, action->uid));
        MUST(action->kind != KUBE_NAMESPACE ||
             (str_equal(action->name, play->config->ui.name_space) && world->resident == NULL &&
              world->resident_doubt == NULL && !str_starts_with(action->name, "kube-") &&
              !str_equal(action->name, "default")));
        return;
    case ACTION_STORAGE_MAKE:
    case ACTION_IMAGE_PULL:
    case ACTION_CONTAINER_CREATE:
    case ACTION_CONTAINER_START:
    case ACTION_CONTAINER_STOP:
    case ACTION_CONTAINER_UNPAUSE:
    case ACTION_CONTAINER_RENAME:
    case ACTION_CONTAINER_UPDATE:
    case ACTION_CONTAINER_REMOVE:
    case ACTION_NETWORK_CONNECT:
    case ACTION_NETWORK_DISCONNECT:
    case ACTION_HOSTS_WRITE:
    case ACTION_HOSTS_REMOVE:
    case _ACTION_TYPE_COUNT:
        break;
    }
    must_fail(__FILE__, __LINE__, "it is an action of the cluster");
}

static void plan_and_act(struct play *play)
{
    _cleanup_(world_cluster_freep) struct world_cluster *world =
        TAKE_PTR(play->observation.cluster);
    struct plan plan = {0};
    struct error err = {0};
    if (world->pod_reason != NULL) {
        must_be_line(world->pod_reason);
    }
    MUST(plan_cluster(&play->input, PLAY_CLUSTER, world, &plan, &err) == 0);
    check_plan(&play->input, &plan);
    for (size_t i = 0; i < plan.action_count; i++) {
        check_cluster_action(play, world, &plan.actions[i]);
        play_act(play, &plan.actions[i]);
    }
    plan_done(&plan);
}

// The registry as far as a cluster cares.
static void give_address(struct play *play)
{
    struct world_container *container = calloc(1, sizeof(*container));
    struct world_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    MUST(container != NULL && endpoint != NULL);
    *container = (struct world_container){.endpoints = endpoint, .endpoint_count = 1};
    MUST(str_replace(&container->name, play->config->registry.name) == 0);
    MUST(str_replace(&endpoint->network, play->config->network) == 0);
    MUST(str_replace(&endpoint->ipv4, "172.18.0.4") == 0);
    MUST(str_replace(&endpoint->ipv6, "fc00::4") == 0);
    play->engine->containers = container;
    play->engine->container_count = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play;
    if (!play_begin(&play, data, size)) {
        return 0;
    }
    play_meet_cluster(&play);
    if (!play_says(&play, "homeless")) {
        give_address(&play);
    }
    play_answers(&play);
    if (play_observe(&play, "cluster/" PLAY_CLUSTER)) {
        plan_and_act(&play);
    }
    play_end(&play);
    return 0;
}
