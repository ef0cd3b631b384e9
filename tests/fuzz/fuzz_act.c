// What the engine and the API server answer to the requests of actions: pull progress, exec, status
// and error messages. The types of the actions are named in the configuration; without any all are
// done.
#include "lib/base/str.h"
#include "lib/plan/plan.h"
#include "tests/fuzz/play.h"

static void act(struct play *play, enum action_type type)
{
    const struct config *config = play->config;
    static char alias[] = "localhost:5000";
    static char content[] = "server = \"x\"\n";
    static char node[] = PLAY_NODE;
    static char cluster[] = PLAY_CLUSTER;
    static char resource[] = "resource";
    static char previous[] = "previous";
    static char uid[] = "u1";
    struct plan_file file = {.alias = alias, .content = content};
    json_auto_t *body = json_object();
    bool pulls = type == ACTION_IMAGE_PULL;
    bool on_network = type == ACTION_NETWORK_CONNECT || type == ACTION_NETWORK_DISCONNECT;
    bool in_node = type == ACTION_HOSTS_WRITE || type == ACTION_HOSTS_REMOVE;
    const struct action action = {
        .type = type,
        .verb = action_type_name(type),
        .resource = resource,
        .target = in_node ? node
                  : pulls ? config->registry.image
                          : config->registry.name,
        .argument = on_network ? config->network : previous,
        .body = body,
        .files = &file,
        .file_count = 1,
        .cluster = cluster,
        .kind = KUBE_DEPLOYMENT,
        .name_space = config->ui.name_space,
        .name = config->registry.name,
        .uid = uid,
    };
    play_act(play, &action);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play;
    if (!play_begin(&play, data, size)) {
        return 0;
    }
    bool chosen = false;
    for (enum action_type type = 0; type < _ACTION_TYPE_COUNT; type++) {
        chosen = chosen || play_says(&play, action_type_name(type));
    }
    play_meet_cluster(&play);
    (void)play_observe(&play, "cluster/" PLAY_CLUSTER);
    play_answers(&play);
    for (enum action_type type = 0; type < _ACTION_TYPE_COUNT; type++) {
        if (!chosen || play_says(&play, action_type_name(type))) {
            act(&play, type);
        }
    }
    play_end(&play);
    return 0;
}
