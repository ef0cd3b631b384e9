#include "lib/base/alloc.h"
#include "lib/base/file.h"
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
#define DIRECTORY_MODE 0755
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
    struct error error = {0};
    if (err != NULL) {
        error = *err;
        engine_name_ids(act->input->engine, &error);
    }
    act->done(act->ctx, err == NULL ? NULL : &error);
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
    ((struct act *)ctx)->memory->has_work = false;
    act_end(ctx, making == NULL ? err : making->error.kind == ERROR_NONE ? NULL : &making->error);
}

static void make_storage(struct act *act)
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
                              .timeout_ms = act->input->config->reconcile.timeout_ms,
                              .done = on_storage,
                              .ctx = act};
    act->memory->has_work = true;
    work_submit(act->io->worker, &work, making);
}

// ---- the login of a cache ----

struct login {
    char *path;
    char *password; // NULL: it could not be read
    struct error error;
};

static void login_read(void *block)
{
    struct login *login = block;
    size_t length = 0;
    struct error error = {0};
    if (file_read(login->path, PASSWORD_BYTES_MAX, FILE_REGULAR, &login->password, &length,
                  &error) < 0) {
        // Not by its own errno, which would speak of the engine's socket.
        (void)error_set(&login->error, error.kind, EINVAL, "%s %s", login->path, error.text);
    }
}

static void login_destroy(void *block)
{
    struct login *login = block;
    free(login->path);
    secret_wipe(login->password);
    free(login);
}

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
    struct login *login = block;
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

static void write_login(struct act *act)
{
    struct login *login = xcalloc(1, sizeof(*login));
    login->path = str_dup(act->action->argument);
    const struct work work = {.name = login->path,
                              .run = login_read,
                              .destroy = login_destroy,
                              .timeout_ms = act->input->config->reconcile.timeout_ms,
                              .done = on_login,
                              .ctx = act};
    act->memory->has_work = true;
    work_submit(act->io->worker, &work, login);
}

// ----

static int submit(struct act *act, struct error *err)
{
    struct docker *docker = act->io->docker;
    const struct action *action = act->action;
    const char *name = container_of(action);
    const char *id = id_of(act);
    if (docker == NULL || id == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "%s is not known any more", action->resource);
    }
    switch ((enum container_op)action->op) {
    case CONTAINER_OP_STORAGE_MAKE:
        make_storage(act);
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
    case CONTAINER_OP_LOGIN_WRITE:
        write_login(act);
        return 0;
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
    *act = (struct act){io, memory_take(memory), action, input, done, ctx, io->now_ms};
    int r = submit(act, err);
    if (r < 0) {
        memory_unref(act->memory);
        free(act);
    }
    return r;
}
