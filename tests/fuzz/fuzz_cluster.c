// What an API server answers to an observation (its groups, a list of each kind, single objects,
// dry runs, pods), the plan that follows, and what it answers to the plan's actions: nothing is
// done to what is not the program's. Words in the configuration: unwanted; homeless, while the
// registry has no address.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/io.h"
#include "lib/kinds/object/client.h"
#include "lib/kinds/object/current.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/object/plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#include <string.h>

struct play {
    struct fake_transport *fake;
    struct io io;
    memory_t memory;
    struct input input;
    struct object_current *current;
    unsigned done;
    struct error err;
};

static const char *get_variable(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

// NULL when it is refused. Borrowed until the next call: most inputs have the configuration of the
// one before, and to read it takes longer than all the rest.
static const struct config *read_setting(const char *text)
{
    static const struct config_environment environment = {.get = get_variable};
    static char *before;
    static struct config *config;
    if (!str_equal(before, text)) {
        struct problems problems = {0};
        str_replace(&before, text);
        config_free(TAKE_PTR(config));
        (void)config_parse(text, strlen(text), "/home/user/registryd.yaml", &environment, &config,
                           &problems);
        problems_done(&problems);
        if (config != NULL) {
            free(TAKE_PTR(config->kubeconfig)); // no file of this machine is read
        }
    }
    return config;
}

static void on_progress(void *ctx, const char *line)
{
    (void)ctx;
    must_be_line(line);
}

static void end(struct play *play, const struct error *err)
{
    play->done++;
    play->err = err == NULL ? (struct error){0} : *err;
    if (err != NULL) {
        must_explain(err);
    }
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct play *play = ctx;
    MUST((current == NULL) == (err != NULL));
    play->current = current;
    end(play, err);
}

// What tells of something else that was done is no failure.
static void on_acted(void *ctx, const struct error *err)
{
    struct play *play = ctx;
    if (err == NULL || err->kind != ERROR_NONE) {
        end(play, err);
        return;
    }
    MUST(err->text[0] != '\0');
    must_be_line(err->text);
    end(play, NULL);
}

// r is of the function that began it. Whatever has no answer is cancelled.
static void run(struct play *play, int r)
{
    MUST(play->done == 0);
    if (r < 0) {
        must_explain(&play->err);
        return;
    }
    (void)fake_transport_run(play->fake);
    if (play->done == 0) {
        object_kind.cancel(&play->io, play->memory, true);
        (void)fake_transport_run(play->fake);
    }
    MUST(play->done == 1);
    play->done = 0;
}

// As the contract says it, told once more.
static bool is_ours(const struct object *object)
{
    const json_t *json = object->json;
    const char *label = json_get_string(json, "metadata", "labels", OBJECT_LABEL_MANAGED_BY, NULL);
    bool ours = str_equal(label, OBJECT_MANAGED_BY);
    const json_t *managers = json_get_array(json, "metadata", "managedFields", NULL);
    for (size_t i = 0; i < json_array_size(managers) && !object->api->holds_objects; i++) {
        ours = ours || str_equal(json_get_string(json_array_get(managers, i), "manager", NULL),
                                 OBJECT_MANAGED_BY);
    }
    return ours;
}

static const struct object *target_of(const struct play *play, const struct action *action)
{
    for (size_t i = 0; i < play->current->count; i++) {
        if (str_equal(play->current->objects[i]->path, action->target)) {
            return play->current->objects[i];
        }
    }
    return NULL;
}

static void check_action(const struct play *play, const struct plan *plan,
                         const struct action *action)
{
    const struct object *object = target_of(play, action);
    MUST(object != NULL);
    must_be_line(action->resource);
    must_be_line(action->target);
    MUST(str_equal(action->cluster, play->input.name));
    MUST(plan_condition(plan, action->resource)->ready != READY_TRUE);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        must_be_line(field->path);
        MUST(field->current != NULL || field->desired != NULL);
        must_be_line(field->current == NULL ? "" : field->current);
        must_be_line(field->desired == NULL ? "" : field->desired);
    }
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

static void check_plan(const struct play *play, const struct plan *plan)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        must_be_line(condition->resource);
        must_be_line(condition->message);
        MUST(condition == plan_condition(plan, condition->resource));
        // Whoever is not told what to do is told that there is nothing to be done.
        MUST(condition->ready == READY_TRUE || condition->message[0] != '\0');
    }
    for (size_t i = 0; i < plan->action_count; i++) {
        check_action(play, plan, plan->actions[i]);
    }
}

static void plan_and_act(struct play *play)
{
    struct plan plan = {0};
    object_plan(&play->input, play->current, &plan);
    check_plan(play, &plan);
    for (size_t i = 0; i < plan.action_count; i++) {
        char message[2 * ERROR_TEXT_MAX];
        const struct action *action = plan.actions[i];
        run(play, object_kind.act(&play->io, &play->memory, action, &play->input, on_acted, play,
                                  &play->err));
        if (play->err.kind != ERROR_NONE) {
            (void)object_explain(&play->input, action, &play->err, message, sizeof(message));
            must_be_line(message);
        }
    }
    plan_done(&plan);
}

static void play_once(struct play *play)
{
    struct object_memory *memory = object_memory_get(&play->memory);
    char server[] = "https://127.0.0.1:6443";
    const struct kube_credentials credentials = {.server = server};
    memory->source = str_dup("id 127.0.0.1:6443");
    MUST(kube_new(play->io.transport, &credentials, 1000, NULL, &memory->kube, NULL) == 0);
    for (int again = 0; again < 2; again++) { // what was found to agree is not asked again
        run(play, object_kind.observe(&play->io, &play->memory, &play->input, on_observed, play,
                                      &play->err));
        if (play->current == NULL || memory->kube == NULL || memory->source == NULL) {
            break;
        }
        plan_and_act(play);
        object_current_free(TAKE_PTR(play->current));
    }
    object_current_free(play->current);
    object_kind.invalidate(&play->io, &play->memory);
    (void)fake_transport_run(play->fake);
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
    const struct config *config = read_setting(setting);
    if (config == NULL) {
        return 0;
    }
    if (strstr(setting, "homeless") == NULL) {
        engine.registry_ipv4 = "172.18.0.4";
        engine.registry_ipv6 = "fc00::4";
    }
    struct play play = {
        .fake = fake_transport_new(),
        .input = {.config = config,
                  .engine = &engine,
                  .name = "dev",
                  .desired = strstr(setting, "unwanted") == NULL},
    };
    play.io = (struct io){.transport = fake_transport_http(play.fake), .progress = on_progress};
    script_answers(play.fake, rest, size);
    play_once(&play);
    fake_transport_free(play.fake);
    return 0;
}
