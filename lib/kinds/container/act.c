#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/observe.h"
#include "lib/kinds/container/planner.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define RATE_AFTER_MS 500 // what a pull's first moments say of its rate is chance

struct act {
    struct io *io;
    struct container_memory *memory;
    const struct action *action;
    const struct input *input;
    act_done_fn done;
    void *ctx;
    uint64_t began_ms; // as io->now_ms
};

static void act_end(struct act *act, const struct error *err)
{
    act->done(act->ctx, err);
    memory_unref(act->memory);
    free(act);
}

// The name of the container; both resources end with it.
static const char *container_of(const struct action *action)
{
    return strrchr(action->resource, '/') + 1;
}

// As observed, or as the engine told when it was created; NULL when it has told of none.
static const char *id_of(const struct act *act)
{
    const struct action *action = act->action;
    return action->target != NULL ? action->target
                                  : strmap_get(&act->memory->created, container_of(action));
}

static void show_progress(const struct io *io, const char *line)
{
    if (io->progress != NULL) {
        io->progress(io->progress_ctx, line);
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
        ms < RATE_AFTER_MS ? str_dup(line)
                           : str_printf("%s, %.1f MB/s", line, (double)bytes / 1e3 / (double)ms);
    show_progress(act->io, text);
}

// ---- files of this machine, whose file system may hang ----

static void submit_work(struct act *act, const char *path, void (*run)(void *block),
                        void (*done)(void *ctx, void *block, const struct error *err))
{
    assert(path != NULL);
    struct file_job *file = file_job_new(path);
    uint64_t user = 0;
    if (act->action->op == CONTAINER_OP_STORAGE_MAKE && act->action->argument != NULL) {
        (void)str_to_u64(act->action->argument, UINT32_MAX, &user);
    }
    file->user = (uint32_t)user;
    const struct work work = {path, run, file_job_free, act->input->config->reconcile.timeout_ms,
                              done, act};
    act->memory->has_work = true;
    work_submit(act->io->worker, &work, file);
}

static void on_storage(void *ctx, void *block, const struct error *err)
{
    const struct file_job *file = block;
    ((struct act *)ctx)->memory->has_work = false;
    act_end(ctx, file == NULL ? err : file->error.kind == ERROR_NONE ? NULL : &file->error);
}

// ---- the login of a cache ----

static int put_login(struct act *act, const char *id, char *password, struct error *err)
{
    struct container_specs specs;
    password[strcspn(password, "\r\n")] = '\0'; // editors end the line
    secrets_add(act->io->secrets, password);
    container_specs_make(act->input->config, &specs);
    const struct container_spec *spec = container_specs_find(&specs, act->action->resource);
    json_auto_t *json =
        spec == NULL || str_empty(password) ? NULL : container_spec_login(spec, password);
    _cleanup_(secret_wipep) char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    container_specs_done(&specs);
    if (text == NULL) {
        return error_set(err, ERROR_PERMANENT, EILSEQ,
                         "%s has no password in UTF-8 in its first line; " CONTAINER_LOGIN_CURE,
                         act->action->argument);
    }
    const struct docker_file file = {
        .path = (char *)CONTAINER_LOGIN_FILE,
        .content = text,
        .length = strlen(text),
        .is_private = true,
    };
    return docker_archive_put(act->io->docker, id, CONTAINER_LOGIN_DIR, &file, 1, on_done, act,
                              err);
}

static void on_login(void *ctx, void *block, const struct error *err)
{
    struct act *act = ctx;
    struct file_job *login = block;
    struct error error = login == NULL ? *err : login->error;
    act->memory->has_work = false;
    if (error.code == ETIMEDOUT) { // which would speak of the engine, likewise
        (void)error_set(&error, ERROR_PERMANENT, EINVAL, "the file system of %s does not answer",
                        act->action->argument);
    }
    if (login != NULL && login->password != NULL) {
        const char *id = id_of(act);
        if (act->io->docker == NULL || id == NULL) {
            (void)error_set(&error, ERROR_TRANSIENT, ECANCELED, "cancelled");
        } else if (put_login(act, id, login->password, &error) == 0) {
            return;
        }
    }
    act_end(act, &error);
}

// ----

// The actions that are one request to the engine.
static const enum docker_op requests[_CONTAINER_OP_COUNT] = {
    [CONTAINER_OP_CREATE] = DOCKER_CREATE,
    [CONTAINER_OP_START] = DOCKER_START,
    [CONTAINER_OP_STOP] = DOCKER_STOP,
    [CONTAINER_OP_UNPAUSE] = DOCKER_UNPAUSE,
    [CONTAINER_OP_RENAME] = DOCKER_RENAME,
    [CONTAINER_OP_UPDATE] = DOCKER_UPDATE,
    [CONTAINER_OP_REMOVE] = DOCKER_REMOVE,
    [CONTAINER_OP_CONNECT] = DOCKER_CONNECT,
    [CONTAINER_OP_DISCONNECT] = DOCKER_DISCONNECT,
};

static int submit(struct act *act, struct error *err)
{
    struct docker *docker = act->io->docker;
    const struct action *action = act->action;
    const char *name = container_of(action);
    const char *id = id_of(act);
    if (docker == NULL || id == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "%s is not known any more", action->resource);
    }
    if (action->op == CONTAINER_OP_STORAGE_MAKE) {
        submit_work(act, id, storage_make, on_storage);
        return 0;
    }
    if (action->op == CONTAINER_OP_LOGIN_WRITE) {
        submit_work(act, action->argument, password_read, on_login);
        return 0;
    }
    if (action->op == CONTAINER_OP_IMAGE_PULL) {
        return docker_image_pull(docker, id, on_progress, on_done, act, err);
    }
    if (action->op == CONTAINER_OP_CREATE && action->body == NULL) {
        return error_set(err, ERROR_PERMANENT, EILSEQ,
                         "what is declared for %s is not all UTF-8, so that no engine takes it",
                         name);
    }
    json_auto_t *body =
        action->op == CONTAINER_OP_CONNECT
            ? json_pack("{s:s, s:{s:[s]}}", "Container", id, "EndpointConfig", "Aliases", name)
        : action->op == CONTAINER_OP_DISCONNECT
            ? json_pack("{s:s, s:b}", "Container", id, "Force", 1)
            : json_incref(action->body);
    return docker_ask(docker, requests[action->op], id, action->argument, body, on_done, act, err);
}

int container_act(struct io *io, memory_t *memory, const struct action *action,
                  const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    struct act *act = xcalloc(1, sizeof(*act));
    *act = (struct act){io, memory_take(memory), action, input, done, ctx, io->now_ms};
    int r = submit(act, err);
    if (r < 0) {
        memory_unref(act->memory);
        free(act);
    }
    return r;
}
