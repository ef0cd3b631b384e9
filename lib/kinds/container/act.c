#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/observe.h"
#include "lib/kinds/container/planner.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

// A registry finishes uploads under way when it is asked to stop.
#define STOP_SECONDS 10u
// As `docker ps` shows an id, of ID_LENGTH characters.
#define SHORT_ID_LENGTH 12
#define ID_LENGTH 64
#define DIRECTORY_MODE 0755

struct act {
    struct io *io;
    struct container_memory *memory;
    const struct action *action;
    act_done_fn done;
    void *ctx;
    uint64_t began_ms; // as io->now_ms
};

// Cuts the ids in the engine's sentences to the length in which people see them.
static void shorten_ids(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        size_t length = strspn(from, "0123456789abcdef");
        size_t kept = length == ID_LENGTH ? SHORT_ID_LENGTH : length > 0 ? length : 1;
        memmove(to, from, kept);
        to += kept;
        from += length > 0 ? length : 1;
    }
    *to = '\0';
}

static void act_end(struct act *act, const struct error *err)
{
    struct error error = {0};
    if (err != NULL) {
        error = *err;
        shorten_ids(error.text);
    }
    act->done(act->ctx, err == NULL ? NULL : &error);
    memory_unref(act->memory);
    free(act);
}

static void show_progress(const struct io *io, const char *line)
{
    if (io->progress != NULL) {
        io->progress(io->told_ctx, line);
    }
}

static void on_done(void *ctx, json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    const char *target = act->action->target;
    const char *id = json_get_string(answer, "Id", NULL);
    if (act->action->op == CONTAINER_OP_CREATE && err == NULL && id != NULL) {
        strmap_set(&act->memory->created, target, id);
    }
    // podman before 5 serves no update: it says 404 of a container that is there.
    if (act->action->op == CONTAINER_OP_UPDATE && err != NULL && err->status == 404) {
        str_replace(&act->memory->kept_policy, target);
    }
    if (act->action->op == CONTAINER_OP_IMAGE_PULL) {
        show_progress(act->io, "");
    }
    act_end(act, err);
}

static void on_progress(void *ctx, const char *line, uint64_t bytes)
{
    const struct act *act = ctx;
    uint64_t ms = act->io->now_ms - act->began_ms;
    _cleanup_free_ char *text =
        ms == 0 ? str_dup(line)
                : str_printf("%s, %.1f MB/s", line, (double)bytes / 1e3 / (double)ms);
    show_progress(act->io, text);
}

// ---- the storage directory, whose file system may hang ----

struct storage_making {
    struct error error;
    uint32_t user; // who may write there, too; 0: nobody
    char path[];
};

// Makes the directory and those above it.
static void storage_make(void *block)
{
    struct storage_making *making = block;
    char *end = making->path;
    do {
        end = strchrnul(end + 1, '/');
        char kept = *end;
        *end = '\0';
        struct stat st;
        int code = mkdir(making->path, DIRECTORY_MODE) < 0 ? errno : 0;
        if (code == EEXIST) {
            code = stat(making->path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
        }
        if (code != 0) {
            (void)error_set(&making->error, ERROR_PERMANENT, code, "cannot make %s: %s",
                            making->path, strerror(code));
            return;
        }
        *end = kept;
    } while (*end != '\0');
    if (making->user != 0) {
        storage_admit(making->path, making->user);
    }
}

static void on_storage(void *ctx, void *block, const struct error *err)
{
    const struct storage_making *making = block;
    ((struct act *)ctx)->memory->makes_storage = false;
    act_end(ctx, making == NULL ? err : making->error.kind == ERROR_NONE ? NULL : &making->error);
}

static void make_storage(struct act *act, const struct input *input)
{
    const char *path = act->action->target;
    assert(path != NULL);
    struct storage_making *making = xcalloc(1, sizeof(*making) + strlen(path) + 1);
    memcpy(making->path, path, strlen(path) + 1);
    uint64_t user = 0;
    if (act->action->argument != NULL &&
        str_to_u64(act->action->argument, UINT32_MAX, &user) == 0) {
        making->user = (uint32_t)user;
    }
    const struct work work = {.name = path,
                              .run = storage_make,
                              .timeout_ms = input->config->reconcile.timeout_ms,
                              .done = on_storage,
                              .ctx = act};
    act->memory->makes_storage = true;
    work_submit(act->io->worker, &work, making);
}

// ----

static int submit(struct act *act, const struct input *input, struct error *err)
{
    struct docker *docker = act->io->docker;
    const struct action *action = act->action;
    // Of the container; both resources end with it.
    const char *name = strrchr(action->resource, '/') + 1;
    // As observed, or as the engine told when it was created.
    const char *id =
        action->target != NULL ? action->target : strmap_get(&act->memory->created, name);
    if (docker == NULL || id == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "%s is not known any more", action->resource);
    }
    switch ((enum container_op)action->op) {
    case CONTAINER_OP_STORAGE_MAKE:
        make_storage(act, input);
        return 0;
    case CONTAINER_OP_IMAGE_PULL:
        return docker_image_pull(docker, id, on_progress, on_done, act, err);
    case CONTAINER_OP_CREATE:
        if (action->body == NULL) {
            return error_set(err, ERROR_PERMANENT, EILSEQ,
                             "what is declared for %s is not all UTF-8, so that no engine takes it",
                             name);
        }
        return docker_container_create(docker, name, action->body, on_done, act, err);
    case CONTAINER_OP_START:
        return docker_container_start(docker, id, on_done, act, err);
    case CONTAINER_OP_STOP:
        return docker_container_stop(docker, id, STOP_SECONDS, on_done, act, err);
    case CONTAINER_OP_UNPAUSE:
        return docker_container_unpause(docker, id, on_done, act, err);
    case CONTAINER_OP_RENAME:
        return docker_container_rename(docker, id, action->argument, on_done, act, err);
    case CONTAINER_OP_UPDATE:
        return docker_container_update(docker, id, action->body, on_done, act, err);
    case CONTAINER_OP_REMOVE:
        return docker_container_remove(docker, id, on_done, act, err);
    case CONTAINER_OP_CONNECT:
        return docker_network_connect(docker, action->argument, id, name, on_done, act, err);
    case CONTAINER_OP_DISCONNECT:
        return docker_network_disconnect(docker, action->argument, id, on_done, act, err);
    case _CONTAINER_OP_COUNT:
        break;
    }
    return error_set(err, ERROR_FATAL, EINVAL, "%s is no action of a container", action->name);
}

int container_act(struct io *io, memory_t *memory, const struct action *action,
                  const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    struct act *act = xcalloc(1, sizeof(*act));
    *act = (struct act){io, memory_take(memory), action, done, ctx, io->now_ms};
    int r = submit(act, input, err);
    if (r < 0) {
        memory_unref(act->memory);
        free(act);
    }
    return r;
}
