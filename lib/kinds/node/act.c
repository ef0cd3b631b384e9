// Each action goes by the container's id: whoever has the name by then may be another node. What it
// changes is changed by one request or one command, which goes on without this program.
#include "lib/kinds/node/act.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/io.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/plan.h"

#include <errno.h>
#include <string.h>

#define OUTPUT_SHOWN_MAX 300

struct act {
    struct docker *docker;
    const struct action *action;
    const struct secrets *secrets;
    act_done_fn done;
    void *ctx;
};

// Whatever was answered last.
static void end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    act->done(act->ctx, err);
    free(act);
}

static void on_command_ended(void *ctx, int exit_code, const char *output, const struct error *err)
{
    static const char *const commands[NODE_OPS] = {
        [NODE_HOSTS_REMOVE] = "find",
        [NODE_CONFIG_REPAIR] = "the edit of " NODE_CONFIG_FILE,
        [NODE_CONFIG_RESTORE] = "the restoring of " NODE_CONFIG_FILE,
    };
    struct act *act = ctx;
    struct error error = {0};
    if (err == NULL && exit_code != 0) {
        char shown[OUTPUT_SHOWN_MAX];
        _cleanup_free_ char *hidden = secrets_hide(act->secrets, output);
        str_excerpt(hidden, shown, sizeof(shown));
        (void)error_set(&error, ERROR_PERMANENT, EIO, "%s: %s ended with %d: %s",
                        act->action->resource, commands[act->action->op], exit_code, shown);
        err = &error;
    }
    end(act, NULL, err);
}

// A file of the action is put into NODE_CONFIG_DIR as PREFIX NAME SUFFIX.
static int put_files(struct act *act, const char *prefix, const char *suffix, docker_done_fn done,
                     struct error *err)
{
    const struct action *action = act->action;
    struct docker_file *files = xcalloc(action->file_count, sizeof(*files));
    for (size_t i = 0; i < action->file_count; i++) {
        const struct plan_file *file = &action->files[i];
        files[i] = (struct docker_file){.path = str_printf("%s%s%s", prefix, file->name, suffix),
                                        .content = str_dup(file->content),
                                        .length = strlen(file->content)};
    }
    int r = docker_archive_put(act->docker, action->target, NODE_CONFIG_DIR, files,
                               action->file_count, done, act, err);
    docker_files_free(files, action->file_count);
    return r;
}

// find does it without a shell and in one go, so that no empty directory is left when it is cut
// off. A directory that holds something else stays.
static int remove_hosts(struct act *act, struct error *err)
{
    static const char *const what[] = {"-maxdepth",     "1",  "(",     "-type", "f",      "-name",
                                       NODE_HOSTS_FILE, "-o", "-type", "d",     "-empty", ")",
                                       "-delete",       NULL};
    const struct action *action = act->action;
    _cleanup_(arena_done) struct arena arena = {0};
    const char **argv = NULL;
    size_t count = 0;
    *ARENA_GROW(&arena, argv, count) = "find";
    for (size_t i = 0; i < action->file_count; i++) {
        *ARENA_GROW(&arena, argv, count) =
            arena_printf(&arena, NODE_CERTS_DIR "/%s", action->files[i].name);
    }
    for (size_t i = 0; i < ELEMENTS(what); i++) {
        *ARENA_GROW(&arena, argv, count) = what[i];
    }
    return docker_exec(act->docker, action->target, argv, API_CHANGES, on_command_ended, act, err);
}

// ---- config.toml ----

#define RESTART "systemctl restart containerd"

// containerd is asked what it makes of the edited file before that takes the place of the former
// one. When it has started, the plugin that this is all about may not be loaded.
static const char repair_script[] =
    "cd " NODE_CONFIG_DIR " || exit\n"
    "refuse() { rm -f " NODE_CONFIG_STAGED "; echo \"$1\" | tail -n 1; exit 1; }\n"
    "restart() { " RESTART " && ! ctr plugins ls | grep -E '[. ]cri[. ].* error'; }\n"
    "dump=$(containerd --config $PWD/" NODE_CONFIG_STAGED " config dump 2>&1) || refuse \"$dump\"\n"
    "case $dump in\n"
    "*.registry.mirrors.* | *.registry.configs.*.tls]*)\n"
    "  refuse 'mirrors, or the tls of configs, are set where it was not edited' ;;\n"
    "*'config_path = '[\\'\\\"]" NODE_CERTS_DIR "*) ;;\n"
    "*) refuse 'containerd takes no config_path from it' ;;\n"
    "esac\n"
    "mv " NODE_CONFIG_STAGED " config.toml || refuse 'it cannot be replaced: is it mounted?'\n"
    "restart && exit\n"
    "cp " NODE_CONFIG_FORMER " config.toml\n"
    "restart\n"
    "echo 'containerd did not come back with it; the former file is in its place again'\n"
    "exit 1\n";

static const char restore_script[] =
    "cd " NODE_CONFIG_DIR " || exit\n"
    "cmp -s " NODE_CONFIG_FORMER " config.toml ||\n"
    "  { cp " NODE_CONFIG_FORMER " config.toml && " RESTART "; } || exit\n"
    "rm -f " NODE_CONFIG_FORMER " " NODE_CONFIG_STAGED "\n";

static int run_script(struct act *act, const char *script, struct error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    return docker_exec(act->docker, act->action->target, argv, API_CHANGES, on_command_ended, act,
                       err);
}

static void on_staged(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    struct error error = {0};
    if (err != NULL || run_script(act, repair_script, &error) < 0) {
        end(act, NULL, err != NULL ? err : &error);
    }
}

// ---- the whole ----

int node_act(struct io *io, memory_t *memory, const struct action *action,
             _unused_ const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    if (io->docker == NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: not connected");
    }
    node_current_unref(TAKE_PTR(*memory));
    *memory = node_current_new(action->target); // nothing more is known from here on
    struct act *act = xmalloc(sizeof(*act));
    *act = (struct act){io->docker, action, io->secrets, done, ctx};
    int r = 0;
    switch ((enum node_op)action->op) {
    case NODE_HOSTS_WRITE:
        r = put_files(act, NODE_CERTS "/", "/" NODE_HOSTS_FILE, end, err);
        break;
    case NODE_HOSTS_REMOVE:
        r = remove_hosts(act, err);
        break;
    case NODE_CONFIG_REPAIR:
        r = put_files(act, "", "", on_staged, err);
        break;
    case NODE_CONFIG_RESTORE:
        r = run_script(act, restore_script, err);
        break;
    case NODE_OPS:
        break;
    }
    if (r < 0) {
        free(act);
    }
    return r;
}
