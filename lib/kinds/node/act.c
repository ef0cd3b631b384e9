// Each action is one request to the engine. It goes by the container's id: whoever has the name by
// then may be another node.
#include "lib/kinds/node/act.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/io.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/plan.h"

#include <errno.h>
#include <string.h>

struct act {
    const struct action *action;
    const struct secrets *secrets;
    act_done_fn done;
    void *ctx;
};

static void end(struct act *act, const struct error *err)
{
    act->done(act->ctx, err);
    free(act);
}

static void on_written(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    end(ctx, err);
}

static void on_removed(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct act *act = ctx;
    struct error error = {0};
    if (err == NULL && exit_code != 0) {
        _cleanup_free_ char *shown = secrets_hide(act->secrets, output);
        (void)error_set(&error, ERROR_PERMANENT, EIO, "%s: find ended with %d: %s",
                        act->action->resource, exit_code, shown);
        err = &error;
    }
    end(act, err);
}

static int write_files(struct docker *docker, struct act *act, struct error *err)
{
    const struct action *action = act->action;
    struct docker_file *files = xcalloc(action->file_count, sizeof(*files));
    for (size_t i = 0; i < action->file_count; i++) {
        const struct plan_file *file = &action->files[i];
        files[i].path = str_printf(NODE_CERTS "/%s/" NODE_HOSTS_FILE, file->name);
        files[i].content = str_dup(file->content);
        files[i].length = strlen(file->content);
    }
    int r = docker_archive_put(docker, action->target, NODE_CONFIG_DIR, files, action->file_count,
                               on_written, act, err);
    docker_files_free(files, action->file_count);
    return r;
}

// find does it without a shell and in one go, so that no empty directory is left when it is cut
// off. A directory that holds something else stays.
static int remove_files(struct docker *docker, struct act *act, struct error *err)
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
    return docker_exec(docker, action->target, argv, API_CHANGES, on_removed, act, err);
}

int node_act(struct io *io, memory_t *memory, const struct action *action,
             _unused_ const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    if (io->docker == NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: not connected");
    }
    node_current_unref(TAKE_PTR(*memory));
    struct act *act = xmalloc(sizeof(*act));
    *act = (struct act){action, io->secrets, done, ctx};
    int r = (action->op == NODE_HOSTS_WRITE ? write_files : remove_files)(io->docker, act, err);
    if (r < 0) {
        free(act);
    }
    return r;
}
