// What the engine answers about a node's files (HEADs, the tree, what containerd says), and the
// plan that follows, carried out and observed again: no file of anybody else is touched. The first
// part of the input has words that choose the circumstances: unwanted takes away what is there,
// repair edits config.toml.
#include "lib/base/str.h"
#include "lib/kinds/node/act.h"
#include "lib/kinds/node/config_edit.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/desired.h"
#include "lib/kinds/node/node.h"
#include "lib/kinds/node/observe.h"
#include "lib/kinds/node/plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/script.h"
#include "tests/support/node_rig.h"

#include <string.h>

#define ROUNDS_MAX 4

static void check_write(const struct play *play, const struct plan_file *file)
{
    struct arena arena = {0};
    const struct config *config = play->input.config;
    const struct hosts_dir *dir = node_current_dir(play->current, file->name);
    MUST(play->input.desired);
    MUST(strv_contains(&config->nodes.aliases, file->name));
    MUST(str_equal(file->content, hosts_toml_desired(config, NULL, &arena)));
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
    MUST(!play->input.desired || !strv_contains(&play->input.config->nodes.aliases, file->name));
}

static void check_config(const struct play *play, const struct action *action)
{
    const struct node_current *current = play->current;
    bool repairs = action->op == NODE_CONFIG_REPAIR;
    const char *before = repairs ? current->config_toml : current->former;
    _cleanup_free_ char *edited = config_edit(before);
    MUST(action->destructive && play->input.desired == repairs);
    MUST(action->file_count == (repairs ? 2 : 0));
    if (repairs) {
        MUST(play->input.config->nodes.config_path == CURE_REPAIR && current->set_up);
        MUST(str_equal(action->files[0].content, before));
        MUST(str_equal(action->files[1].content, edited));
        MUST(!str_equal(before, edited));
    } else {
        MUST(str_equal(current->config_toml, before) || str_equal(current->config_toml, edited));
    }
}

static void act(struct play *play, const struct action *action)
{
    MUST(str_equal(action->target, TEST_NODE_ID));
    if (action->op == NODE_CONFIG_REPAIR || action->op == NODE_CONFIG_RESTORE) {
        check_config(play, action);
    } else {
        MUST(action->file_count > 0 && action->file_count == action->field_count);
        for (size_t i = 0; i < action->file_count; i++) {
            (action->op == NODE_HOSTS_WRITE ? check_write : check_removal)(play, &action->files[i]);
        }
    }
    play_act(play, action);
    MUST(((const struct node_current *)play->memory)->stamps == NULL);
}

static void play_round(struct play *play)
{
    struct plan plan;
    play_plan(play, &plan);
    MUST(plan.condition_count == 1);
    MUST(plan.action_count == 0 || plan.conditions[0].ready == READY_FALSE);
    for (size_t i = 0; i < plan.action_count; i++) {
        act(play, plan.actions[i]);
    }
    plan_done(&plan);
}

static void on_negotiated(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    MUST(err == NULL);
    play_ended(ctx, NULL);
}

static void connect_engine(struct play *play)
{
    const struct fake_answer ping = {.status = 200, .headers = "Api-Version: 1.41\r\n"};
    const struct docker_options options = {.host = "unix:///x", .timeout_ms = 1000};
    MUST(docker_new(play->io.transport, &options, &play->io.docker, NULL) == 0);
    fake_transport_answer(play->fake, &ping);
    MUST(docker_negotiate(play->io.docker, on_negotiated, play, NULL) == 0);
    play_run(play);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_rig rig;
    struct play play;
    const char *rest = (const char *)data;
    size_t length = script_cut(&rest, &size);
    _cleanup_free_ char *setting = str_dup_n((const char *)data, length);
    node_rig_init(&rig);
    rig.input.desired = strstr(setting, "unwanted") == NULL;
    rig.config->nodes.config_path = strstr(setting, "repair") == NULL ? CURE_REPORT : CURE_REPAIR;
    play_begin(&play, &node_kind, rig.input);
    connect_engine(&play);
    script_answers(play.fake, rest, size);
    for (unsigned i = 0; i < ROUNDS_MAX && play_observe(&play); i++) {
        play_round(&play);
    }
    play_end(&play);
    node_rig_done(&rig);
    return 0;
}
