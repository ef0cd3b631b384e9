// What an API server answers to an observation (its groups, a list of each kind, single objects,
// dry runs, pods), the plan that follows, and what it answers to the plan's actions: nothing is
// done to what is not the program's. Words in the configuration: unwanted; homeless, while the
// registry has no address.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/client.h"
#include "lib/kinds/object/current.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/object/plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/script.h"

#include <string.h>

// A Namespace is ours by its label alone. Of other objects managedFields tell as well, which are
// not kept: what was found in them counts.
static bool is_ours(const struct object *object)
{
    const char *label =
        json_get_string(object->json, "metadata", "labels", OBJECT_LABEL_MANAGED_BY, NULL);
    return object->api->holds_objects ? str_equal(label, OBJECT_MANAGED_BY) : object->owned;
}

static const struct object *target_of(const struct object_current *current,
                                      const struct action *action)
{
    for (size_t i = 0; i < current->count; i++) {
        if (str_equal(current->objects[i]->path, action->target)) {
            return current->objects[i];
        }
    }
    return NULL;
}

static void check_action(const struct play *play, const struct action *action)
{
    const struct object *object = target_of(play->current, action);
    MUST(object != NULL);
    MUST(str_equal(action->cluster, play->input.name));
    if (action->op == OBJECT_APPLY) {
        MUST(play->input.desired);
        MUST(object->json == NULL || is_ours(object));
        MUST(str_equal(object->digest, action->argument));
        return;
    }
    bool is_home = object->api->holds_objects;
    MUST(object->json != NULL && is_ours(object) && str_equal(object->uid, action->argument));
    MUST(action->op == (is_home ? OBJECT_DELETE_NAMESPACE : OBJECT_DELETE));
    MUST(!is_home ||
         (!str_starts_with(object->name, "kube-") && !str_equal(object->name, "default")));
}

static void play_once(struct play *play)
{
    struct object_memory *memory = object_memory_get(&play->memory);
    char server[] = "https://127.0.0.1:6443";
    const struct kube_credentials credentials = {.server = server};
    memory->source = str_dup("id 127.0.0.1:6443");
    MUST(kube_new(play->io.transport, &credentials, 1000, NULL, &memory->kube, NULL) == 0);
    for (int again = 0; again < 2; again++) { // what was found to agree is not asked again
        if (!play_observe(play) || memory->kube == NULL || memory->source == NULL) {
            break;
        }
        struct plan plan;
        play_plan(play, &plan);
        for (size_t i = 0; i < plan.action_count; i++) {
            check_action(play, plan.actions[i]);
            play_act(play, plan.actions[i]);
        }
        plan_done(&plan);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct engine_node node = {
        .id = "id", .name = "dev-control-plane", .cluster = "dev", .running = true};
    static struct engine_api api = {
        .cluster = "dev", .host_address = "127.0.0.1", .host_port = 6443};
    struct engine engine = {.nodes = &node, .node_count = 1, .apis = &api, .api_count = 1};
    const char *rest = (const char *)data;
    size_t length = script_cut(&rest, &size);
    _cleanup_free_ char *setting = text_of_input(data, length);
    const struct config *config = play_config(setting);
    if (config == NULL) {
        return 0;
    }
    if (strstr(setting, "homeless") == NULL) {
        engine.registry_ipv4 = "172.18.0.4";
        engine.registry_ipv6 = "fc00::4";
    }
    struct play play;
    play_begin(&play, &object_kind,
               (struct input){.config = config,
                              .engine = &engine,
                              .name = "dev",
                              .desired = strstr(setting, "unwanted") == NULL});
    script_answers(play.fake, rest, size);
    play_once(&play);
    play_end(&play);
    return 0;
}
