// What the engine answers to an observation, and the plan that follows: nothing is done to what is
// not the program's. Words in the configuration: unwanted, rejected; stored or readonly for the
// storage directory, which is missing otherwise.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/world/name.h"
#include "tests/fuzz/plans.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/script.h"

#include <errno.h>
#include <string.h>

#define PING "200\nApi-Version: 1.41\n\nOK"

static void check_world(const struct world_engine *engine)
{
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct world_node *node = &engine->nodes[i];
        MUST(world_name_is_valid(node->name));
        MUST(world_name_is_valid(node->id));
        MUST(world_name_is_valid(node->cluster));
        MUST(i == 0 || strcmp(engine->nodes[i - 1].name, node->name) <= 0);
    }
    for (size_t i = 0; i < engine->api_count; i++) {
        MUST(world_engine_api(engine, engine->apis[i].cluster) == &engine->apis[i]);
        MUST(engine->apis[i].host_address[0] == '\0' ||
             world_address_is_valid(engine->apis[i].host_address));
        MUST(engine->apis[i].host_port > 0);
    }
    for (size_t i = 0; i < engine->container_count; i++) {
        MUST(world_name_is_valid(engine->containers[i].name));
        MUST(world_name_is_valid(engine->containers[i].id));
    }
}

// As the contract says it, told once more and shorter.
static bool is_ours(const struct play *play, const struct world_container *container)
{
    const struct config_registry *registry = &play->config->registry;
    const char *owner = strmap_get(&container->labels, WORLD_LABEL_OWNER);
    bool same_storage = str_equal(container->storage, registry->storage);
    return owner != NULL ? str_equal(owner, registry->name) || same_storage
                         : play->input.wanted && same_storage;
}

// What an action names is to be ours, or made by a step of this plan before it.
static void check_target(const struct play *play, const struct plan *plan, size_t index)
{
    const struct action *action = &plan->actions[index];
    const struct world_engine *engine = play->engine;
    bool found = false;
    for (size_t i = 0; i < index; i++) {
        const struct action *before = &plan->actions[i];
        found =
            found ||
            (before->type == ACTION_CONTAINER_RENAME &&
             str_equal(before->argument, action->target)) ||
            (before->type == ACTION_CONTAINER_CREATE && str_equal(before->target, action->target));
    }
    for (size_t i = 0; i < engine->container_count && !found; i++) {
        const struct world_container *container = &engine->containers[i];
        found = is_ours(play, container) && (str_equal(container->name, action->target) ||
                                             str_equal(container->id, action->target));
    }
    MUST(found);
}

// The name is free by then, or its bearer is ours and has been taken away.
static void check_name(const struct play *play, const char *name)
{
    const struct world_container *bearer = world_engine_container(play->engine, name);
    MUST(bearer == NULL || is_ours(play, bearer));
}

static void check_engine_action(const struct play *play, const struct plan *plan, size_t index)
{
    const struct action *action = &plan->actions[index];
    switch (action->type) {
    case ACTION_STORAGE_MAKE:
    case ACTION_IMAGE_PULL:
        MUST(play->input.wanted);
        return;
    case ACTION_CONTAINER_CREATE:
        MUST(str_equal(action->target, play->config->registry.name));
        check_name(play, action->target);
        return;
    case ACTION_CONTAINER_RENAME:
        check_name(play, action->argument);
        check_target(play, plan, index);
        return;
    case ACTION_NETWORK_CONNECT:
    case ACTION_NETWORK_DISCONNECT:
        MUST(str_equal(action->argument, play->config->network));
        check_target(play, plan, index);
        return;
    case ACTION_CONTAINER_START:
    case ACTION_CONTAINER_STOP:
    case ACTION_CONTAINER_UNPAUSE:
    case ACTION_CONTAINER_UPDATE:
    case ACTION_CONTAINER_REMOVE:
        check_target(play, plan, index);
        return;
    case ACTION_HOSTS_WRITE:
    case ACTION_HOSTS_REMOVE:
    case ACTION_OBJECT_APPLY:
    case ACTION_OBJECT_DELETE:
    case _ACTION_TYPE_COUNT:
        break;
    }
    must_fail(__FILE__, __LINE__, "it is an action of the engine");
}

static char *digest_of(const struct config *config)
{
    struct desired_container desired = {0};
    char *digest = NULL;
    MUST(desired_container(config, &desired) == 0);
    MUST(desired_container_digest(&desired, &digest) == 0);
    desired_container_done(&desired);
    return digest;
}

static void plan_and_act(struct play *play)
{
    struct plan plan = {0};
    struct error err = {0};
    _cleanup_free_ char *digest = digest_of(play->config);
    if (play_says(play, "rejected")) {
        play->input.rejected_digest = digest;
        play->input.rejected_reason = REASON_UNAVAILABLE;
        play->input.rejected_text = "it was tried";
    }
    MUST(plan_engine(&play->input, &plan, &err) == 0);
    check_plan(&play->input, &plan);
    MUST(plan.condition_count == 2);
    for (size_t i = 0; i < plan.action_count; i++) {
        check_engine_action(play, &plan, i);
        play_act(play, &plan.actions[i]);
    }
    plan_done(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play;
    if (!play_begin(&play, data, size)) {
        return 0;
    }
    script_answers(play.fake, PING, strlen(PING));
    play_answers(&play);
    if (play_observe(&play, "engine")) {
        play.engine = TAKE_PTR(play.observation.engine);
        play.engine->now_s = PLAY_NOW_S;
        play.engine->storage_error = play_says(&play, "stored")     ? 0
                                     : play_says(&play, "readonly") ? EROFS
                                                                    : ENOENT;
        play.input.engine = play.engine;
        check_world(play.engine);
        plan_and_act(&play);
    }
    play_end(&play);
    return 0;
}
