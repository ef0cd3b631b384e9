// What the engine answers about a node's files (HEADs, the tree, what containerd says), and the
// plan that follows, carried out and observed again: no file of anybody else is touched. The first
// part of the input has words that choose the circumstances: unwanted takes away what is there,
// repair edits config.toml.
#include "lib/base/str.h"
#include "lib/kinds/io.h"
#include "lib/kinds/node/act.h"
#include "lib/kinds/node/config_edit.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/desired.h"
#include "lib/kinds/node/node.h"
#include "lib/kinds/node/observe.h"
#include "lib/kinds/node/plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"
#include "tests/support/node_rig.h"

#include <string.h>

#define ROUNDS_MAX 4

struct play {
    struct node_rig node;
    struct fake_transport *fake;
    struct io io;
    memory_t memory;
    struct node_current *current; // of the latest observation, NULL when it failed
    unsigned ended;
};

static void check_error(const struct play *play, const struct action *action,
                        const struct error *err)
{
    char message[2 * ERROR_TEXT_MAX];
    must_explain(err);
    enum reason reason =
        node_kind.explain(&play->node.input, action, err, message, sizeof(message));
    MUST(reason < _REASON_COUNT && reason != REASON_CONVERGED);
    must_be_line(message);
    MUST(message[0] != '\0');
}

// Answers what is under way, or cancels it, until it ends.
static void run(struct play *play)
{
    MUST(play->ended == 0);
    (void)fake_transport_run(play->fake);
    if (play->ended == 0) {
        node_kind.cancel(&play->io, play->memory, true);
        (void)fake_transport_run(play->fake);
    }
    MUST(play->ended == 1);
    MUST(fake_transport_under_way(play->fake) == 0);
}

static void on_negotiated(void *ctx, json_t *answer, const struct error *err)
{
    (void)answer;
    struct play *play = ctx;
    MUST(err == NULL);
    play->ended++;
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct play *play = ctx;
    play->ended++;
    play->current = current;
    MUST((current == NULL) == (err != NULL));
    if (err != NULL) {
        check_error(play, NULL, err);
    }
}

static void check_write(const struct play *play, const struct plan_file *file)
{
    struct arena arena = {0};
    const struct config *config = play->node.config;
    const struct hosts_dir *dir = node_current_dir(play->current, file->name);
    MUST(play->node.input.desired);
    MUST(strv_contains(&config->nodes.aliases, file->name));
    MUST(str_equal(file->content, hosts_toml_desired(config, &arena)));
    if (dir != NULL) {
        MUST(dir->not_directory == NULL && dir->not_file == NULL);
        MUST(!str_equal(dir->content, file->content));
        MUST(dir->content == NULL || hosts_toml_is_own(dir->content) ||
             strstr(dir->content, "http://") != NULL);
    }
    arena_done(&arena);
}

static void check_removal(const struct play *play, const struct plan_file *file)
{
    const struct hosts_dir *dir = node_current_dir(play->current, file->name);
    MUST(file->name[0] != '\0' && strchr(file->name, '/') == NULL);
    MUST(!str_equal(file->name, ".") && !str_equal(file->name, ".."));
    MUST(file->content == NULL);
    MUST(dir != NULL && dir->content != NULL && hosts_toml_is_own(dir->content));
    MUST(!play->node.input.desired ||
         !strv_contains(&play->node.config->nodes.aliases, file->name));
}

static void check_config(const struct play *play, const struct action *action)
{
    const struct node_current *current = play->current;
    bool repairs = action->op == NODE_CONFIG_REPAIR;
    const char *before = repairs ? current->config_toml : current->former;
    _cleanup_free_ char *edited = config_edit(before);
    MUST(action->destructive && play->node.input.desired == repairs);
    MUST(action->file_count == (repairs ? 2 : 0));
    if (repairs) {
        MUST(play->node.config->nodes.config_path == CURE_REPAIR && current->set_up);
        MUST(str_equal(action->files[0].content, before));
        MUST(str_equal(action->files[1].content, edited));
        MUST(!str_equal(before, edited));
    } else {
        MUST(str_equal(current->config_toml, before) || str_equal(current->config_toml, edited));
    }
}

struct acting {
    struct play *play;
    const struct action *action;
};

static void on_acted(void *ctx, const struct error *err)
{
    const struct acting *acting = ctx;
    acting->play->ended++;
    if (err != NULL) {
        check_error(acting->play, acting->action, err);
    }
}

static void act(struct play *play, const struct action *action)
{
    struct error err = {0};
    struct acting acting = {play, action};
    MUST(str_equal(action->target, TEST_NODE_ID));
    for (size_t i = 0; i < action->field_count; i++) {
        must_be_line(action->fields[i].path);
    }
    if (action->op == NODE_CONFIG_REPAIR || action->op == NODE_CONFIG_RESTORE) {
        check_config(play, action);
    } else {
        MUST(action->file_count > 0 && action->file_count == action->field_count);
        for (size_t i = 0; i < action->file_count; i++) {
            (action->op == NODE_HOSTS_WRITE ? check_write : check_removal)(play, &action->files[i]);
        }
    }
    play->ended = 0;
    MUST(node_act(&play->io, &play->memory, action, &play->node.input, on_acted, &acting, &err) ==
         0);
    MUST(((const struct node_current *)play->memory)->stamps == NULL);
    run(play);
}

// Returns whether there is something to be observed again.
static bool play_round(struct play *play)
{
    struct error err = {0};
    play->ended = 0;
    MUST(node_observe(&play->io, &play->memory, &play->node.input, on_observed, play, &err) == 0);
    run(play);
    if (play->current == NULL) {
        return false;
    }
    struct plan plan = {0};
    node_plan(&play->node.input, play->current, &plan);
    MUST(plan.condition_count == 1);
    must_be_line(plan.conditions[0].message);
    MUST(plan.action_count == 0 || plan.conditions[0].ready == READY_FALSE);
    for (size_t i = 0; i < plan.action_count; i++) {
        act(play, plan.actions[i]);
    }
    plan_done(&plan);
    node_kind.free_current(play->current);
    return true;
}

static void play_begin(struct play *play)
{
    const struct fake_answer ping = {.status = 200, .headers = "Api-Version: 1.41\r\n"};
    struct error err = {0};
    *play = (struct play){.fake = fake_transport_new()};
    node_rig_init(&play->node);
    play->io.secrets = play->node.io.secrets;
    const struct docker_options options = {.host = "unix:///x", .timeout_ms = 1000};
    MUST(docker_new(fake_transport_http(play->fake), &options, &play->io.docker, &err) == 0);
    fake_transport_answer(play->fake, &ping);
    MUST(docker_negotiate(play->io.docker, on_negotiated, play, &err) == 0);
    run(play);
}

static void play_end(struct play *play)
{
    node_kind.invalidate(&play->io, &play->memory);
    docker_free(play->io.docker);
    fake_transport_free(play->fake);
    node_rig_done(&play->node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play;
    play_begin(&play);
    const char *rest = (const char *)data;
    size_t rest_length = size;
    size_t length = script_cut(&rest, &rest_length);
    _cleanup_free_ char *setting = str_dup_n((const char *)data, length);
    play.node.input.desired = strstr(setting, "unwanted") == NULL;
    play.node.config->nodes.config_path =
        strstr(setting, "repair") == NULL ? CURE_REPORT : CURE_REPAIR;
    script_answers(play.fake, rest, rest_length);
    for (unsigned i = 0; i < ROUNDS_MAX && play_round(&play); i++) {
    }
    play_end(&play);
    return 0;
}
