// What the engine answers about a node's files (HEAD for each known one, the tree, a run of
// `containerd --version`), and the plan that follows: no file of anybody else is touched. The word
// unwanted in the configuration takes what is there away.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/fuzz/plans.h"
#include "tests/fuzz/play.h"

#include <string.h>

#define HOSTS_BYTES_MAX (64u * 1024u)

static void check_name(const char *dir)
{
    MUST(dir[0] != '\0' && strchr(dir, '/') == NULL);
    MUST(!str_equal(dir, ".") && !str_equal(dir, ".."));
}

static void check_write(const struct play *play, const struct world_node_files *files,
                        const struct plan_file *file)
{
    _cleanup_buf_ struct buf declared = BUF_INIT(HOSTS_BYTES_MAX);
    MUST(play->input.wanted);
    MUST(strv_contains(&play->config->nodes.aliases, file->alias));
    MUST(desired_hosts_toml(play->config, &declared) == 0);
    MUST(str_equal(file->content, buf_str(&declared)));
    const struct world_hosts_dir *dir = world_node_files_dir(files, file->alias);
    if (dir != NULL && dir->content != NULL) {
        MUST(!str_equal(dir->content, file->content));
        MUST(str_starts_with(dir->content, DESIRED_HOSTS_MARK) ||
             strstr(dir->content, "[host.\"http://") != NULL);
    }
}

static void check_removal(const struct play *play, const struct world_node_files *files,
                          const struct plan_file *file)
{
    const struct world_hosts_dir *dir = world_node_files_dir(files, file->alias);
    check_name(file->alias);
    MUST(file->content == NULL);
    MUST(dir != NULL && dir->content != NULL);
    MUST(str_starts_with(dir->content, DESIRED_HOSTS_MARK));
    MUST(!play->input.wanted || !strv_contains(&play->config->nodes.aliases, file->alias));
}

static void check_node_action(const struct play *play, const struct world_node_files *files,
                              const struct action *action)
{
    MUST(action->type == ACTION_HOSTS_WRITE || action->type == ACTION_HOSTS_REMOVE);
    MUST(str_equal(action->target, PLAY_NODE));
    MUST(action->file_count > 0 && action->file_count == action->field_count);
    for (size_t i = 0; i < action->file_count; i++) {
        if (action->type == ACTION_HOSTS_WRITE) {
            check_write(play, files, &action->files[i]);
        } else {
            check_removal(play, files, &action->files[i]);
        }
    }
}

static void plan_and_act(struct play *play)
{
    _cleanup_(world_node_files_freep) struct world_node_files *files =
        TAKE_PTR(play->observation.node);
    struct plan plan = {0};
    struct error err = {0};
    for (size_t i = 0; i < files->dir_count; i++) {
        check_name(files->dirs[i].name);
        MUST(world_node_files_dir(files, files->dirs[i].name) == &files->dirs[i]);
    }
    MUST(plan_node(&play->input, PLAY_NODE, files, &plan, &err) == 0);
    check_plan(&play->input, &plan);
    MUST(plan.condition_count == 1);
    for (size_t i = 0; i < plan.action_count; i++) {
        check_node_action(play, files, &plan.actions[i]);
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
    play_meet_engine(&play);
    play_answers(&play);
    if (play_observe(&play, "node/" PLAY_NODE)) {
        plan_and_act(&play);
    }
    play_end(&play);
    return 0;
}
