#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int backend_observe(struct backend *base, const char *key, const struct plan_input *input,
                           observe_done_fn done, void *ctx, struct error *err)
{
    struct real_backend *backend = (struct real_backend *)base;
    if (str_starts_with(key, "node/")) {
        return observe_node(backend, key + strlen("node/"), input, done, ctx, err);
    }
    if (str_starts_with(key, "cluster/")) {
        return observe_cluster(backend, key + strlen("cluster/"), input, done, ctx, err);
    }
    return observe_engine(backend, input, done, ctx, err);
}

static int backend_act(struct backend *base, const struct action *action,
                       const struct plan_input *input, act_done_fn done, void *ctx,
                       struct error *err)
{
    static int (*const executors[_ACTION_TYPE_COUNT])(struct real_backend *, const struct action *,
                                                      const struct plan_input *, act_done_fn,
                                                      void *, struct error *) = {
        [ACTION_STORAGE_MAKE] = act_on_engine,       [ACTION_IMAGE_PULL] = act_on_engine,
        [ACTION_CONTAINER_CREATE] = act_on_engine,   [ACTION_CONTAINER_START] = act_on_engine,
        [ACTION_CONTAINER_STOP] = act_on_engine,     [ACTION_CONTAINER_UNPAUSE] = act_on_engine,
        [ACTION_CONTAINER_RENAME] = act_on_engine,   [ACTION_CONTAINER_UPDATE] = act_on_engine,
        [ACTION_CONTAINER_REMOVE] = act_on_engine,   [ACTION_NETWORK_CONNECT] = act_on_engine,
        [ACTION_NETWORK_DISCONNECT] = act_on_engine, [ACTION_HOSTS_WRITE] = act_on_node,
        [ACTION_HOSTS_REMOVE] = act_on_node,         [ACTION_OBJECT_APPLY] = act_on_cluster,
        [ACTION_OBJECT_DELETE] = act_on_cluster,
    };
    return executors[action->type]((struct real_backend *)base, action, input, done, ctx, err);
}

static int backend_listen(struct backend *base, const char *key, const struct plan_input *input,
                          listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err)
{
    struct real_backend *backend = (struct real_backend *)base;
    if (str_starts_with(key, "cluster/")) {
        return listen_to_cluster(backend, key + strlen("cluster/"), dirty, done, ctx, err);
    }
    return listen_to_engine(backend, input, dirty, done, ctx, err);
}

static void backend_unlisten(struct backend *base, const char *key)
{
    struct real_backend *backend = (struct real_backend *)base;
    if (key == NULL || str_equal(key, "engine")) {
        engine_stream_end(backend, false);
    }
    if (key == NULL || str_starts_with(key, "cluster/")) {
        cluster_stream_end(backend, key == NULL ? NULL : key + strlen("cluster/"));
    }
}

static void backend_cancel(struct backend *base, bool actions_too)
{
    struct real_backend *backend = (struct real_backend *)base;
    if (backend->docker != NULL) {
        (actions_too ? docker_cancel_all : docker_cancel_reads)(backend->docker);
    }
    for (struct cluster_client *c = backend->clusters; c != NULL; c = c->next) {
        (actions_too ? kube_cancel_all : kube_cancel_reads)(c->kube);
    }
    http_cancel(backend->probe, backend->probe_call);
}

static void forget_all(struct real_backend *backend)
{
    node_caches_done(&backend->nodes);
    while (backend->clusters != NULL) {
        cluster_client_forget(backend, backend->clusters->cluster);
    }
    stopped_nodes_forget(backend, NULL);
    http_client_free(TAKE_PTR(backend->probe));
    engine_stream_end(backend, true);
    docker_free(TAKE_PTR(backend->docker));
}

static void backend_forget(struct backend *base, const char *key)
{
    struct real_backend *backend = (struct real_backend *)base;
    if (key == NULL) {
        forget_all(backend);
    } else if (str_starts_with(key, "node/")) {
        node_cache_free(sorted_remove(&backend->nodes, key + strlen("node/")));
    } else if (str_starts_with(key, "cluster/")) {
        cluster_client_forget(backend, key + strlen("cluster/"));
    }
}

int backend_docker(struct real_backend *backend, const struct config *config, struct docker **ret,
                   struct error *err)
{
    if (backend->docker == NULL) {
        const struct docker_options options = {
            .host = config->docker.host,
            .tls = config->docker.tls,
            .ca_file = config->docker.ca,
            .cert_file = config->docker.cert,
            .key_file = config->docker.key,
            .timeout_ms = config->reconcile.timeout_ms,
        };
        int r = docker_new(backend->transport, &options, &backend->docker, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = backend->docker;
    return 0;
}

void backend_published_host(const struct config *config, const char *address, char *host,
                            size_t size)
{
    static const struct {
        const char *wildcard;
        const char *loopback;
    } wildcards[] = {{"", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};

    for (size_t i = 0; i < ELEMENTS(wildcards); i++) {
        if (str_equal(address, wildcards[i].wildcard)) {
            address = wildcards[i].loopback;
            break;
        }
    }
    const char *remote = config->docker.host;
    if (str_starts_with(remote, "tcp://")) {
        remote += strlen("tcp://");
        const char *port = strrchr(remote, ':');
        size_t length = port == NULL ? strlen(remote) : (size_t)(port - remote);
        (void)snprintf(host, size, "%.*s", (int)length, remote);
        return;
    }
    (void)snprintf(host, size, "%s", address_bracketed(address).text);
}

int backend_new(struct http_transport *transport, backend_progress_fn progress, void *ctx,
                struct backend **ret)
{
    static const struct backend_ops ops = {
        .observe = backend_observe,
        .act = backend_act,
        .listen = backend_listen,
        .unlisten = backend_unlisten,
        .cancel = backend_cancel,
        .forget = backend_forget,
    };
    struct real_backend *backend = malloc(sizeof(*backend));
    if (backend == NULL) {
        return -ENOMEM;
    }
    *backend = (struct real_backend){
        .base.ops = &ops,
        .nodes.compare = node_cache_compare,
        .transport = transport,
        .progress = progress,
        .progress_ctx = ctx,
    };
    *ret = &backend->base;
    return 0;
}

int backend_print_cache(const struct backend *base, struct buf *text)
{
    json_auto_t *caches = node_caches_to_json(&((const struct real_backend *)base)->nodes);
    return json_print(text, caches, JSON_COMPACT);
}

int backend_load_cache(struct backend *base, const char *text, size_t length)
{
    json_auto_t *caches = NULL;
    int r = json_parse(text, length, &caches, NULL);
    return r < 0 ? r : node_caches_from_json(&((struct real_backend *)base)->nodes, caches);
}

void backend_free(struct backend *base)
{
    if (base == NULL) {
        return;
    }
    forget_all((struct real_backend *)base);
    free(base);
}
