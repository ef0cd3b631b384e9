// The engine's events, as far as they tell of something that an observation would see. The events'
// own content is only looked at to know whose key they are for.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct engine_stream {
    struct real_backend *backend; // NULL once the backend has given its client up
    struct docker *docker;
    bool owns_docker;
    bool ending;
    char *registry; // registry.name, and network of the configuration at the start
    char *network;
    listen_dirty_fn dirty;
    listen_done_fn done;
    void *ctx;
};

static void stream_free(struct engine_stream *stream)
{
    if (stream != NULL) {
        if (stream->owns_docker) {
            docker_free(stream->docker);
        }
        free(stream->registry);
        free(stream->network);
        free(stream);
    }
}
DEFINE_CLEANUP(struct engine_stream *, stream_free)

// What runs in a node by exec, or is copied into it, may have changed its files.
static bool touches_files(const char *action)
{
    return str_equal(action, "exec_die") || str_equal(action, "extract-to-dir");
}

// A copied file keeps its modification time, so that its stamp may be that of the former one.
static bool keeps_stamps(const char *action)
{
    return str_equal(action, "extract-to-dir");
}

// Events of a container's insides, and what only reads, say nothing of its state.
static bool is_idle_talk(const char *action)
{
    static const char *const prefixes[] = {
        "exec_",  "archive-path", "extract-to-dir", "top",    "resize", "attach",
        "detach", "export",       "health_",        "commit", "copy"};
    for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
        if (str_starts_with(action, prefixes[i])) {
            return true;
        }
    }
    return false;
}

static void mark_node(struct engine_stream *stream, const char *name, const char *action)
{
    _cleanup_free_ char *key = str_printf("node/%s", name);
    if (stream->backend != NULL && keeps_stamps(action)) {
        node_cache_expire(&stream->backend->nodes, name);
    }
    stream->dirty(stream->ctx, key == NULL ? "engine" : key);
}

static void on_container_event(struct engine_stream *stream, const char *action,
                               const json_t *attributes)
{
    const char *name = json_get_string(attributes, "name", NULL);
    bool node = json_get_string(attributes, WORLD_LABEL_KIND_CLUSTER, NULL) != NULL;
    bool own = json_get_string(attributes, WORLD_LABEL_OWNER, NULL) != NULL ||
               (name != NULL && str_starts_with(name, stream->registry));
    // A rename tells the new name as "name" and the old one, with a slash, beside it.
    const char *old_name = json_get_string(attributes, "oldName", NULL);
    own = own || (old_name != NULL && str_starts_with(old_name, "/") &&
                  str_starts_with(old_name + 1, stream->registry));
    if (node && name != NULL && world_name_is_valid(name) && touches_files(action)) {
        mark_node(stream, name, action);
    } else if ((node || own) && !is_idle_talk(action)) {
        stream->dirty(stream->ctx, "engine");
    }
}

static int on_event(void *ctx, const json_t *event)
{
    struct engine_stream *stream = ctx;
    const char *type = json_get_string(event, "Type", NULL);
    const char *action = json_get_string(event, "Action", NULL);
    const json_t *attributes = json_get_object(event, "Actor", "Attributes", NULL);
    if (stream->ending || type == NULL || action == NULL) {
        return 0;
    }
    if (str_equal(type, "container")) {
        on_container_event(stream, action, attributes);
    } else if (str_equal(json_get_string(attributes, "name", NULL), stream->network)) {
        stream->dirty(stream->ctx, "engine");
    }
    return 0;
}

static void on_end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    _cleanup_(stream_freep) struct engine_stream *stream = ctx;
    if (stream->backend != NULL) {
        stream->backend->engine_stream = NULL;
    }
    stream->done(stream->ctx, err);
}

void engine_stream_end(struct real_backend *backend, bool give_client)
{
    struct engine_stream *stream = backend->engine_stream;
    if (stream == NULL) {
        return;
    }
    stream->ending = true;
    docker_events_cancel(stream->docker);
    if (give_client) {
        stream->owns_docker = true;
        stream->backend = NULL;
        backend->engine_stream = NULL;
        backend->docker = NULL;
    }
}

int listen_to_engine(struct real_backend *backend, const struct plan_input *input,
                     listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err)
{
    if (backend->docker == NULL || backend->engine_stream != NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: no connection to listen on");
    }
    _cleanup_(stream_freep) struct engine_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return error_oom(err);
    }
    *stream = (struct engine_stream){
        .backend = backend,
        .docker = backend->docker,
        .registry = str_dup(input->config->registry.name),
        .network = str_dup(input->config->network),
        .dirty = dirty,
        .done = done,
        .ctx = ctx,
    };
    if (stream->registry == NULL || stream->network == NULL) {
        return error_oom(err);
    }
    int r = docker_events(backend->docker, time(NULL), on_event, on_end, stream, err);
    if (r < 0) {
        return r;
    }
    backend->engine_stream = TAKE_PTR(stream);
    return 0;
}
