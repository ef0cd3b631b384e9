// What the engine answers to an observation, and the plan that follows, carried out: nothing is
// done to what is not the program's, and nothing is made again for what it was made again for.
// Words in the configuration: unwanted, rejected; stored or readonly for the storage directory,
// which is missing otherwise; follow for events in place of a plan.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "lib/kinds/name.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/script.h"

#include <string.h>

#define ABOUT "200\nApi-Version: 1.41\n\nOK\n%%\n200\n\n{\"ServerVersion\":\"20.10.24\"}\n%%\n"
#define NOW_S 1795386200 // shortly after the times in the corpus

// ---- what is asked ----

static void check_path(const char *path)
{
    static const char *const places[] = {"/_ping", "/v2/", "/v1."};
    bool known = false;
    for (size_t i = 0; i < ELEMENTS(places) && !known; i++) {
        known = str_starts_with(path, places[i]);
    }
    MUST(known);
    size_t length = strcspn(path, "?");
    for (const char *segment = path; segment < path + length;) {
        size_t part = strcspn(segment + 1, "/?");
        MUST(!(part == 1 && segment[1] == '.'));
        MUST(!(part == 2 && segment[1] == '.' && segment[2] == '.'));
        segment += 1 + part;
    }
}

static void check_requests(const struct fake_transport *fake)
{
    for (size_t i = 0; i < fake_transport_count(fake); i++) {
        const struct fake_request *request = fake_transport_request(fake, i);
        check_path(request->path);
        MUST(request->method != HTTP_DELETE || str_ends_with(request->path, "?force=1&v=0"));
    }
}

// ---- what is observed ----

static void check_current(const struct current *current)
{
    const struct engine *engine = current->engine;
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        MUST(name_is_valid(node->name) && name_is_valid(node->id) && name_is_valid(node->cluster));
        MUST(i == 0 || strcmp(engine->nodes[i - 1].name, node->name) <= 0);
        MUST(node->address == NULL || name_is_valid_address(node->address));
    }
    for (size_t i = 0; i < engine->api_count; i++) {
        const struct engine_api *api = &engine->apis[i];
        MUST(engine_api(engine, api->cluster) == api);
        MUST(api->host_address[0] == '\0' || name_is_valid_address(api->host_address));
        MUST(api->host_port > 0);
    }
    for (size_t i = 0; i < current->container_count; i++) {
        MUST(name_is_valid(current->containers[i].name));
        MUST(name_is_valid(current->containers[i].id));
    }
}

// ---- what is planned ----

static const struct container *container_of(const struct current *current, const char *id)
{
    for (size_t i = 0; i < current->container_count; i++) {
        if (str_equal(current->containers[i].id, id)) {
            return &current->containers[i];
        }
    }
    return NULL;
}

// As the contract says it, told once more and shorter.
static bool is_ours(const struct play *play, const struct container *container)
{
    const struct current *current = play->current;
    const struct container_spec *spec = &current->specs.items[0];
    const char *owner = container_label(container, CONTAINER_LABEL_OWNER);
    bool same_storage = str_equal(container->storage, spec->storage);
    return owner != NULL ? str_equal(owner, spec->owner) || same_storage
                         : play->input.desired && same_storage;
}

// Values of variables are nowhere shown.
static void check_fields(const struct action *action)
{
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        if (str_starts_with(field->path, "environment.")) {
            MUST(field->current == NULL || str_equal(field->current, "(hidden)"));
            MUST(field->desired == NULL || str_equal(field->desired, "(hidden)"));
        }
    }
}

// Whether the container that the plan creates says of more than this one that it was made for it.
static bool mends_more(const struct plan *plan, const struct container *container)
{
    const char *before = container_label(container, CONTAINER_LABEL_MENDS);
    const char *after = NULL;
    for (size_t i = 0; i < plan->action_count && after == NULL; i++) {
        after = json_get_string(plan->actions[i]->body, "Labels", CONTAINER_LABEL_MENDS, NULL);
    }
    return after != NULL && strlen(after) > (before == NULL ? 0 : strlen(before));
}

static void check_action(const struct play *play, const struct plan *plan,
                         const struct action *action, bool created)
{
    const struct current *current = play->current;
    const struct container_spec *spec = &current->specs.items[0];
    check_fields(action);
    switch ((enum container_op)action->op) {
    case CONTAINER_OP_STORAGE_MAKE:
        MUST(play->input.desired && str_equal(action->target, spec->storage));
        return;
    case CONTAINER_OP_IMAGE_PULL:
        MUST(play->input.desired && action->background);
        return;
    case CONTAINER_OP_CREATE: {
        const struct container *bearer = current_container(current, spec->name);
        MUST(bearer == NULL || is_ours(play, bearer));
        MUST(str_equal(action->target, spec->name));
        return;
    }
    case CONTAINER_OP_RENAME:
    case CONTAINER_OP_REMOVE:
    case CONTAINER_OP_STOP:
    case CONTAINER_OP_UNPAUSE:
    case CONTAINER_OP_UPDATE:
    case CONTAINER_OP_LOGIN_WRITE:
    case CONTAINER_OP_START:
    case CONTAINER_OP_CONNECT:
    case CONTAINER_OP_DISCONNECT:
        break;
    case _CONTAINER_OP_COUNT:
        must_fail(__FILE__, __LINE__, "it is an action of the kind");
    }
    const struct container *target = container_of(current, action->target);
    MUST(action->target == NULL ? created : target != NULL && is_ours(play, target));
    if (target != NULL && str_equal(action->verb, "recreate") && action->op != CONTAINER_OP_STOP &&
        action->op != CONTAINER_OP_START) {
        bool lost_network = target->endpoint != NULL && !current->network_present;
        MUST(!str_equal(container_label(target, CONTAINER_LABEL_SPEC), spec->digest) ||
             target->state == CONTAINER_DEAD || lost_network || mends_more(plan, target));
    }
}

static void plan_and_act(struct play *play, const char *setting)
{
    const struct current *current = play->current;
    current->facts[0].storage.state = strstr(setting, "stored") != NULL     ? STORAGE_USABLE
                                      : strstr(setting, "readonly") != NULL ? STORAGE_FORBIDDEN
                                                                            : STORAGE_MISSING;
    current->engine->now_s = NOW_S;
    char resource[] = "container/hostk8s-registry";
    char message[] = "it was tried";
    struct record record = {.resource = resource,
                            .reason = REASON_UNAVAILABLE,
                            .message = message,
                            .digest = current->specs.items[0].digest,
                            .rejected_until_ms = strstr(setting, "rejected") != NULL ? 2 : 0};
    const struct records records = {.items = (struct record *[]){&record}, .count = 1};
    play->input.records = &records;
    play->input.now_ms = 1;

    struct plan plan;
    bool created = false;
    play_plan(play, &plan);
    MUST(plan.condition_count == 2);
    for (size_t i = 0; i < plan.action_count; i++) {
        check_action(play, &plan, plan.actions[i], created);
        created = created || plan.actions[i]->op == CONTAINER_OP_CREATE;
        if (plan.actions[i]->op != CONTAINER_OP_STORAGE_MAKE) {
            play_act(play, plan.actions[i]);
        }
    }
    plan_done(&plan);
}

// ---- events ----

static void on_dirty(void *ctx, const char *key)
{
    const struct play *play = ctx;
    MUST(play->ended == 0);
    MUST(str_equal(key, "engine") ||
         (str_starts_with(key, "node/") && name_is_valid(key + strlen("node/"))));
}

static void follow_events(struct play *play)
{
    struct error err = {0};
    play->ended = 0;
    if (container_kind.watch(&play->io, &play->memory, &play->input, on_dirty, play_ended, play,
                             &err) == 0) {
        (void)fake_transport_run(play->fake);
        container_kind.unwatch(&play->io, play->memory);
        (void)fake_transport_run(play->fake);
        MUST(play->ended == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char nothing_there[] = "200\n\n[]\n%%\n404\n%%\n404\n%%\n";
    const char *rest = (const char *)data;
    size_t length = script_cut(&rest, &size);
    _cleanup_free_ char *setting = text_of_input(data, length);
    const struct config *config = play_config(setting);
    if (config == NULL) {
        return 0;
    }
    struct play play;
    play_begin(&play, &container_kind,
               (struct input){
                   .config = config, .name = "", .desired = strstr(setting, "unwanted") == NULL});
    bool follows = strstr(setting, "follow") != NULL;
    script_answers(play.fake, ABOUT, strlen(ABOUT));
    script_answers(play.fake, nothing_there, follows ? strlen(nothing_there) : 0);
    script_answers(play.fake, rest, size);
    bool observed = play_observe(&play);
    MUST(play.io.docker != NULL); // it was found, else no answer would be asked for
    if (observed && follows) {
        follow_events(&play);
    } else if (observed) {
        check_current(play.current);
        plan_and_act(&play, setting);
    }
    check_requests(play.fake);
    play_end(&play);
    return 0;
}
