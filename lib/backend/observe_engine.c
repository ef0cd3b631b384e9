// One look at the engine: the list of containers, then side by side an inspect of each container
// of the registry and of the nodes that do not run and, as far as the list does not show that they
// are there, of the network and of the image, then the registry's own answer to /v2/.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REGISTRY_CONTAINERS_MAX 16
#define STOPPED_NODES_MAX 16 // looked at closer
#define PROBE_TIMEOUT_MS 2000u
#define PROBE_BODY_MAX (64u * 1024u)

struct engine_look {
    struct real_backend *backend;
    const struct plan_input *input;
    struct docker *docker;
    observe_done_fn done;
    void *ctx;
    struct world_engine *engine;
    unsigned pending;   // requests of the second step under way
    struct error error; // the first of them that failed
};

static void look_free(struct engine_look *look)
{
    if (look == NULL) {
        return;
    }
    world_engine_free(look->engine);
    free(look);
}
DEFINE_CLEANUP(struct engine_look *, look_free)

static void look_end(struct engine_look *look, const struct error *err)
{
    struct observation observation = {.engine = err == NULL ? TAKE_PTR(look->engine) : NULL};
    look->done(look->ctx, &observation, err);
    world_engine_free(observation.engine);
    look_free(look);
}

// What using the storage directory meets; see struct world_engine.
static int storage_error(const struct config *config)
{
    if (!str_starts_with(config->docker.host, "unix://")) {
        return 0; // the directory is on the engine's machine
    }
    struct stat st;
    if (stat(config->registry.storage, &st) < 0) {
        return errno;
    }
    if (!S_ISDIR(st.st_mode)) {
        return ENOTDIR;
    }
    // The registry writes as root, so only a file system that nobody can write to matters.
    return access(config->registry.storage, W_OK) < 0 && errno == EROFS ? EROFS : 0;
}

static void on_probe(void *ctx, struct http_response *response, const struct error *err)
{
    struct engine_look *look = ctx;
    look->backend->probe_call = NULL;
    if (err != NULL && error_is_own(err)) {
        look_end(look, err);
        return;
    }
    bool answers = response != NULL && response->status < 500;
    look->engine->probe = answers ? PROBE_ANSWERS : PROBE_SILENT;
    look_end(look, NULL);
}

static int probe_client(struct engine_look *look, struct error *err)
{
    struct real_backend *backend = look->backend;
    if (backend->probe != NULL) {
        return 0;
    }
    const struct config_registry *registry = &look->input->config->registry;
    char host[256];
    char base[300];
    backend_published_host(look->input->config, registry->listen_address, host, sizeof(host));
    (void)snprintf(base, sizeof(base), "http://%s:%u", host, registry->listen_port);
    const struct http_endpoint endpoint = {.base = base};
    return backend->transport->client_new(backend->transport, &endpoint, &backend->probe, err);
}

static int probe(struct engine_look *look, struct error *err)
{
    int r = probe_client(look, err);
    if (r < 0) {
        return r;
    }
    uint64_t timeout_ms = look->input->config->reconcile.timeout_ms;
    const struct http_request request = {
        .method = HTTP_GET,
        .path = "/v2/",
        .timeout_ms = timeout_ms < PROBE_TIMEOUT_MS ? timeout_ms : PROBE_TIMEOUT_MS,
        .max_body = PROBE_BODY_MAX,
        .done = on_probe,
        .ctx = look,
    };
    return http_send(look->backend->probe, &request, &look->backend->probe_call, err);
}

// Every answer of the second step passes here.
static void look_joined(struct engine_look *look, const struct error *err)
{
    if (err != NULL && look->error.kind == ERROR_NONE) {
        look->error = *err;
    }
    if (--look->pending > 0) {
        return;
    }
    if (look->error.kind != ERROR_NONE) {
        look_end(look, &look->error);
        return;
    }
    const struct config *config = look->input->config;
    const struct world_container *main =
        world_engine_container(look->engine, config->registry.name);
    bool local = str_starts_with(config->docker.host, "unix://");
    struct error error = {0};
    if (main == NULL || main->state != CONTAINER_RUNNING || !local) {
        look_end(look, NULL);
    } else if (probe(look, &error) < 0) {
        look_end(look, &error);
    }
}

static void on_container(void *ctx, json_t *answer, const struct error *err)
{
    struct engine_look *look = ctx;
    struct error error = {0};
    // Gone between the list and its inspect: as if it had not been listed.
    if (err != NULL && err->status == 404) {
        look_joined(look, NULL);
        return;
    }
    if (err == NULL) {
        struct world_engine *engine = look->engine;
        struct world_container *containers = reallocarray(
            engine->containers, engine->container_count + 1, sizeof(*engine->containers));
        if (containers == NULL) {
            (void)error_oom(&error);
            err = &error;
        } else {
            engine->containers = containers;
            if (world_container_decode(answer, &containers[engine->container_count], &error) < 0) {
                err = &error;
            } else {
                engine->container_count++;
            }
        }
    }
    look_joined(look, err);
}

static void on_network(void *ctx, json_t *answer, const struct error *err)
{
    struct engine_look *look = ctx;
    struct error error = {0};
    if (err != NULL && err->status == 404) {
        err = NULL;
    } else if (err == NULL) {
        look->engine->network_present = true;
        const char *id = json_string_value(json_object_get(answer, "Id"));
        if (str_replace(&look->engine->network_id, id) < 0) {
            (void)error_oom(&error);
            err = &error;
        }
    }
    look_joined(look, err);
}

static void on_image(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct engine_look *look = ctx;
    look->engine->image_present = err == NULL;
    look_joined(look, err != NULL && err->status == 404 ? NULL : err);
}

// A refused submission counts as a failed request of the step, so that the others are waited for.
static void note_refused(struct engine_look *look, int r, const struct error *err)
{
    if (r >= 0) {
        look->pending++;
    } else if (look->error.kind == ERROR_NONE) {
        look->error = *err;
    }
}

static void on_stopped_node(void *ctx)
{
    look_joined(ctx, NULL);
}

static void look_at_stopped_nodes(struct engine_look *look)
{
    struct world_engine *engine = look->engine;
    struct error error = {0};
    size_t count = 0;
    stopped_nodes_forget(look->backend, engine);
    for (size_t i = 0; i < engine->node_count && count < STOPPED_NODES_MAX; i++) {
        struct world_node *node = &engine->nodes[i];
        if (!node->running && config_wants_cluster(look->input->config, node->cluster)) {
            count++;
            note_refused(look,
                         observe_stopped_node(look->backend, look->docker, node, on_stopped_node,
                                              look, &error),
                         &error);
        }
    }
}

static void on_list(void *ctx, json_t *answer, const struct error *err)
{
    struct engine_look *look = ctx;
    const struct config *config = look->input->config;
    struct error error = {0};
    _cleanup_(strv_done) struct strv ids = {0};
    if (err == NULL &&
        (world_engine_decode_nodes(answer, look->engine, &error) < 0 ||
         world_engine_registry_ids(answer, config->registry.name, &ids, &error) < 0)) {
        err = &error;
    } else if (err == NULL &&
               (world_engine_infer(answer, config->registry.name, config->registry.image,
                                   config->network, look->engine) < 0 ||
                world_engine_find_port_holder(answer, config->registry.listen_address,
                                              config->registry.listen_port, look->engine) < 0)) {
        (void)error_oom(&error);
        err = &error;
    }
    if (err != NULL) {
        look_end(look, err);
        return;
    }
    if (ids.count > REGISTRY_CONTAINERS_MAX) {
        (void)error_set(&error, ERROR_PERMANENT, E2BIG,
                        "%zu containers carry the label %s; remove those that are not needed",
                        ids.count, WORLD_LABEL_OWNER);
        look_end(look, &error);
        return;
    }

    int64_t engine_s = docker_time_s(look->docker);
    look->engine->now_s = engine_s == 0 ? time(NULL) : engine_s;
    look->pending = 1; // until all are asked
    for (size_t i = 0; i < ids.count; i++) {
        note_refused(
            look, docker_container_inspect(look->docker, ids.items[i], on_container, look, &error),
            &error);
    }
    look_at_stopped_nodes(look);
    if (!look->engine->network_present) {
        note_refused(
            look, docker_network_inspect(look->docker, config->network, on_network, look, &error),
            &error);
    }
    if (!look->engine->image_present) {
        note_refused(
            look,
            docker_image_inspect(look->docker, config->registry.image, on_image, look, &error),
            &error);
    }
    look_joined(look, NULL);
}

static int list(struct engine_look *look, struct error *err)
{
    return docker_container_list(look->docker, NULL, on_list, look, err);
}

static void on_negotiated(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct engine_look *look = ctx;
    struct error error = {0};
    if (err == NULL && list(look, &error) < 0) {
        err = &error;
    }
    if (err != NULL) {
        look_end(look, err);
    }
}

int observe_engine(struct real_backend *backend, const struct plan_input *input,
                   observe_done_fn done, void *ctx, struct error *err)
{
    _cleanup_(look_freep) struct engine_look *look = malloc(sizeof(*look));
    if (look == NULL) {
        return error_oom(err);
    }
    *look = (struct engine_look){.backend = backend, .input = input, .done = done, .ctx = ctx};
    look->engine = calloc(1, sizeof(*look->engine));
    if (look->engine == NULL) {
        return error_oom(err);
    }
    look->engine->storage_error = storage_error(input->config);

    int r = backend_docker(backend, input->config, &look->docker, err);
    if (r < 0) {
        return r;
    }
    r = docker_is_negotiated(look->docker)
            ? list(look, err)
            : docker_negotiate(look->docker, on_negotiated, look, err);
    if (r < 0) {
        return r;
    }
    TAKE_PTR(look);
    return 0;
}
