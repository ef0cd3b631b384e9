// Each action of a plan as one request.
#include "lib/backend/backend_internal.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

// The registry finishes uploads under way when it is asked to stop.
#define STOP_SECONDS 10u
#define STORAGE_MODE 0755

struct act_request {
    struct real_backend *backend;
    const struct action *action;
    act_done_fn done;
    void *ctx;
};

static struct act_request *act_request_new(struct real_backend *backend,
                                           const struct action *action, act_done_fn done, void *ctx)
{
    struct act_request *request = malloc(sizeof(*request));
    if (request != NULL) {
        *request = (struct act_request){backend, action, done, ctx};
    }
    return request;
}

static void on_done(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct act_request *request = ctx;
    request->done(request->ctx, err);
    free(request);
}

static void on_progress(void *ctx, const char *line)
{
    const struct act_request *request = ctx;
    if (request->backend->progress != NULL) {
        request->backend->progress(request->backend->progress_ctx, line);
    }
}

static int make_directories(const char *path, struct error *err)
{
    _cleanup_free_ char *copy = str_dup(path);
    if (copy == NULL) {
        return error_oom(err);
    }
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        bool last = *at == '\0';
        *at = '\0';
        if (mkdir(copy, STORAGE_MODE) < 0 && errno != EEXIST) {
            int code = errno;
            return error_set(err, ERROR_PERMANENT, code, "cannot make %s: %s", copy,
                             strerror(code));
        }
        if (last) {
            return 0;
        }
        *at = '/';
    }
}

int act_on_engine(struct real_backend *backend, const struct action *action,
                  const struct plan_input *input, act_done_fn done, void *ctx, struct error *err)
{
    if (action->type == ACTION_STORAGE_MAKE) {
        int r = make_directories(action->target, err);
        return r < 0 ? r : 1;
    }
    _cleanup_free_ struct act_request *request = act_request_new(backend, action, done, ctx);
    if (request == NULL) {
        return error_oom(err);
    }
    struct docker *docker = NULL;
    int r = backend_docker(backend, input->config, &docker, err);
    if (r < 0) {
        return r;
    }
    const char *target = action->target;
    const char *argument = action->argument;
    switch (action->type) {
    case ACTION_IMAGE_PULL:
        r = docker_image_pull(docker, target, on_progress, on_done, request, err);
        break;
    case ACTION_CONTAINER_CREATE:
        r = docker_container_create(docker, target, action->body, on_done, request, err);
        break;
    case ACTION_CONTAINER_START:
        r = docker_container_start(docker, target, on_done, request, err);
        break;
    case ACTION_CONTAINER_STOP:
        r = docker_container_stop(docker, target, STOP_SECONDS, on_done, request, err);
        break;
    case ACTION_CONTAINER_UNPAUSE:
        r = docker_container_unpause(docker, target, on_done, request, err);
        break;
    case ACTION_CONTAINER_RENAME:
        r = docker_container_rename(docker, target, argument, on_done, request, err);
        break;
    case ACTION_CONTAINER_UPDATE:
        r = docker_container_update(docker, target, action->body, on_done, request, err);
        break;
    case ACTION_CONTAINER_REMOVE:
        r = docker_container_remove(docker, target, on_done, request, err);
        break;
    case ACTION_NETWORK_CONNECT:
        r = docker_network_connect(docker, argument, target, input->config->registry.name, on_done,
                                   request, err);
        break;
    case ACTION_NETWORK_DISCONNECT:
        r = docker_network_disconnect(docker, argument, target, on_done, request, err);
        break;
    case ACTION_STORAGE_MAKE:
    case ACTION_HOSTS_WRITE:
    case ACTION_HOSTS_REMOVE:
    case ACTION_OBJECT_APPLY:
    case ACTION_OBJECT_DELETE:
    case _ACTION_TYPE_COUNT:
        return error_set(err, ERROR_FATAL, EINVAL, "%s is no action of the engine",
                         action_type_name(action->type));
    }
    if (r < 0) {
        return r;
    }
    TAKE_PTR(request);
    return 0;
}

static void argv_freep(char ***argv)
{
    for (size_t i = 0; *argv != NULL && (*argv)[i] != NULL; i++) {
        free((*argv)[i]);
    }
    free(*argv);
}

static int write_hosts(struct docker *docker, struct act_request *request, struct error *err)
{
    const struct action *action = request->action;
    struct docker_file *files = calloc(action->file_count, sizeof(*files));
    if (files == NULL) {
        return error_oom(err);
    }
    int r = 0;
    for (size_t i = 0; i < action->file_count; i++) {
        files[i] = (struct docker_file){
            .path = str_printf(WORLD_CERTS_DIR "/%s/" WORLD_HOSTS_FILE, action->files[i].alias),
            .content = str_dup(action->files[i].content),
            .length = strlen(action->files[i].content),
        };
        if (files[i].path == NULL || files[i].content == NULL) {
            r = error_oom(err);
        }
    }
    if (r >= 0) {
        r = docker_archive_put(docker, action->target, WORLD_CERTS_PARENT, files,
                               action->file_count, on_done, request, err);
    }
    docker_files_free(files, action->file_count);
    return r;
}

static void on_removed(void *ctx, int exit_code, const char *output, const struct error *err)
{
    const struct act_request *request = ctx;
    struct error error = {0};
    if (err == NULL && exit_code != 0) {
        _cleanup_free_ char *hidden = secret_hide(output);
        (void)error_set(&error, ERROR_PERMANENT, EIO, "find in node %s ended with %d: %s",
                        request->action->target, exit_code, hidden == NULL ? "" : hidden);
        err = &error;
    }
    on_done(ctx, NULL, err);
}

// One command in the node, without a shell, so that no empty directory is left when it is cut off.
// A directory that holds something else stays.
static int remove_hosts(struct docker *docker, struct act_request *request, struct error *err)
{
    static const char *const what[] = {"-maxdepth",      "1",  "(",     "-type", "f",      "-name",
                                       WORLD_HOSTS_FILE, "-o", "-type", "d",     "-empty", ")",
                                       "-delete"};
    const struct action *action = request->action;
    size_t before = 1 + action->file_count;
    size_t count = before + ELEMENTS(what);
    _cleanup_(argv_freep) char **argv = calloc(count + 1, sizeof(*argv));
    if (argv == NULL) {
        return error_oom(err);
    }
    argv[0] = str_dup("find");
    for (size_t i = 1; argv[i - 1] != NULL && i < count; i++) {
        argv[i] = i < before ? str_printf(WORLD_CERTS_PARENT "/" WORLD_CERTS_DIR "/%s",
                                          action->files[i - 1].alias)
                             : str_dup(what[i - before]);
    }
    if (argv[count - 1] == NULL) {
        return error_oom(err);
    }
    return docker_exec(docker, action->target, (const char *const *)argv, DOCKER_CHANGES,
                       on_removed, request, err);
}

int act_on_node(struct real_backend *backend, const struct action *action,
                const struct plan_input *input, act_done_fn done, void *ctx, struct error *err)
{
    _cleanup_free_ struct act_request *request = act_request_new(backend, action, done, ctx);
    if (request == NULL) {
        return error_oom(err);
    }
    struct docker *docker = NULL;
    int r = backend_docker(backend, input->config, &docker, err);
    if (r >= 0) {
        node_cache_expire(&backend->nodes, action->target);
        r = action->type == ACTION_HOSTS_WRITE ? write_hosts(docker, request, err)
                                               : remove_hosts(docker, request, err);
    }
    if (r < 0) {
        return r;
    }
    TAKE_PTR(request);
    return 0;
}

int act_on_cluster(struct real_backend *backend, const struct action *action,
                   _unused_ const struct plan_input *input, act_done_fn done, void *ctx,
                   struct error *err)
{
    const struct cluster_client *client = cluster_client_find(backend, action->cluster);
    if (client == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "no connection to cluster %s",
                         action->cluster);
    }
    _cleanup_free_ char *path = NULL;
    int r = kube_kind_path(action->kind, action->name_space, action->name, &path);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "%s is no valid name", action->resource);
    }
    _cleanup_free_ struct act_request *request = act_request_new(backend, action, done, ctx);
    if (request == NULL) {
        return error_oom(err);
    }
    r = action->type == ACTION_OBJECT_APPLY
            ? kube_apply(client->kube, path, WORLD_MANAGED_BY, action->body, on_done, request, err)
            : kube_delete(client->kube, path, action->uid, on_done, request, err);
    if (r < 0) {
        return r;
    }
    TAKE_PTR(request);
    return 0;
}
