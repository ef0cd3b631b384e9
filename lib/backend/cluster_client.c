// The way to a cluster's API: its admin.conf, read from its first control-plane node as
// `kind get kubeconfig` does, pointed at the port that the engine publishes; or the context
// kind-NAME of a kubeconfig file.
#include "lib/backend/backend_internal.h"

#include "lib/base/file.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ADMIN_CONF "/etc/kubernetes/admin.conf"
#define DISCOVERY_SETTLE_S 20
#define KUBECONFIG_BYTES_MAX (1024u * 1024u)

struct client_request {
    struct real_backend *backend;
    const struct plan_input *input;
    char *cluster;
    char *source;
    cluster_client_fn done;
    void *ctx;
};

static void request_free(struct client_request *request)
{
    if (request == NULL) {
        return;
    }
    free(request->cluster);
    free(request->source);
    free(request);
}
DEFINE_CLEANUP(struct client_request *, request_free)

void cluster_client_free(struct cluster_client *client)
{
    if (client == NULL) {
        return;
    }
    kube_free(client->kube);
    for (enum kube_kind kind = 0; kind < _KUBE_KIND_COUNT; kind++) {
        json_memo_done(&client->lists[kind]);
    }
    json_memo_done(&client->ingress_class);
    free(client->source);
    free(client->cluster);
    free(client);
}
DEFINE_CLEANUP(struct cluster_client *, cluster_client_free)

struct cluster_client *cluster_client_find(struct real_backend *backend, const char *cluster)
{
    struct cluster_client *client = backend->clusters;
    while (client != NULL && !str_equal(client->cluster, cluster)) {
        client = client->next;
    }
    return client;
}

void cluster_client_forget(struct real_backend *backend, const char *cluster)
{
    for (struct cluster_client **at = &backend->clusters; *at != NULL; at = &(*at)->next) {
        if (str_equal((*at)->cluster, cluster)) {
            struct cluster_client *gone = *at;
            *at = gone->next;
            if (!cluster_stream_adopts(backend, gone)) {
                cluster_client_free(gone);
            }
            return;
        }
    }
}

void cluster_client_failed(struct cluster_client *client, const struct error *err)
{
    if (err->status == 401 || err->status == 404 || err->code == EKEYREJECTED) {
        free(TAKE_PTR(client->source));
    }
}

static int64_t monotonic_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

// An API server that is starting lists its groups one after the other, so what it does not serve is
// asked for again until it had the time to.
static bool apis_are_final(const struct cluster_client *client)
{
    return client->discovered && client->apis.ingress_v1 &&
           (client->apis.endpoint_slice_v1 || client->settled);
}

static void request_end(struct client_request *request, struct cluster_client *client,
                        const struct error *err)
{
    request->done(request->ctx, client, err);
    request_free(request);
}

static void on_groups(void *ctx, json_t *answer, const struct error *err)
{
    struct client_request *request = ctx;
    struct cluster_client *client = cluster_client_find(request->backend, request->cluster);
    if (err == NULL) {
        client->apis = (struct world_apis){
            .endpoint_slice_v1 = kube_api_groups_serve(answer, "discovery.k8s.io/v1"),
            .ingress_v1 = kube_api_groups_serve(answer, "networking.k8s.io/v1"),
        };
        client->discovered = true;
        client->settled = monotonic_s() - client->created_s >= DISCOVERY_SETTLE_S;
    } else {
        cluster_client_failed(client, err);
    }
    request_end(request, err == NULL ? client : NULL, err);
}

static int discover(struct client_request *request, struct cluster_client *client,
                    struct error *err)
{
    return kube_get_groups(client->kube, on_groups, request, err);
}

// Replaces the server of an admin.conf by the published address, keeping the old host as the name
// that the certificate must be for: kubeadm puts it there whatever address kind publishes.
static int point_at_published_port(const struct client_request *request,
                                   const struct world_api *api,
                                   struct kube_credentials *credentials, struct error *err)
{
    static const char scheme[] = "https://";
    if (str_empty(credentials->tls_server_name) && str_starts_with(credentials->server, scheme)) {
        const char *name = credentials->server + strlen(scheme);
        size_t length = name[0] == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":");
        free(credentials->tls_server_name);
        credentials->tls_server_name = str_dup_n(name, length);
        if (credentials->tls_server_name == NULL) {
            return error_oom(err);
        }
    }
    char host[256];
    backend_published_host(request->input->config, api->host_address, host, sizeof(host));
    char *server = str_printf("https://%s:%u", host, api->host_port);
    if (server == NULL) {
        return error_oom(err);
    }
    free(credentials->server);
    credentials->server = server;
    return 0;
}

// Makes the client and asks for its APIs. Returns < 0 when request->done has yet to be called.
static int connect_client(struct client_request *request,
                          const struct kube_credentials *credentials, struct error *err)
{
    struct real_backend *backend = request->backend;
    _cleanup_(cluster_client_freep) struct cluster_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return error_oom(err);
    }
    client->created_s = monotonic_s();
    client->cluster = str_dup(request->cluster);
    client->source = TAKE_PTR(request->source);
    if (client->cluster == NULL) {
        return error_oom(err);
    }
    int r = kube_new(backend->transport, credentials, request->input->config->reconcile.timeout_ms,
                     &client->kube, err);
    if (r < 0) {
        return r;
    }
    r = discover(request, client, err);
    if (r < 0) {
        return r;
    }
    client->next = backend->clusters;
    backend->clusters = TAKE_PTR(client);
    return 0;
}

static void on_admin_conf(void *ctx, const struct docker_file *files, size_t count,
                          const struct error *err)
{
    struct client_request *request = ctx;
    struct error error = {0};
    struct kube_credentials credentials = {0};
    const struct world_api *api = world_engine_api(request->input->engine, request->cluster);
    int r = -1;
    if (err != NULL) {
        error = *err;
        (void)error_wrap(&error, "cannot read %s of cluster %s", ADMIN_CONF, request->cluster);
        // A node that is only starting has none yet.
        if (error.status == 404) {
            error.kind = ERROR_TRANSIENT;
        }
    } else if (count == 0 || files[0].content == NULL || api == NULL) {
        r = error_set(&error, ERROR_TRANSIENT, ENODATA, "cluster %s has no %s yet",
                      request->cluster, ADMIN_CONF);
    } else {
        r = kubeconfig_parse(files[0].content, files[0].length, NULL, NULL, &credentials, &error);
        if (r >= 0) {
            r = point_at_published_port(request, api, &credentials, &error);
        }
        if (r >= 0) {
            r = connect_client(request, &credentials, &error);
        }
        kube_credentials_done(&credentials);
    }
    if (r < 0) {
        request_end(request, NULL, &error);
    }
}

static int no_such_cluster(const char *cluster, struct error *err)
{
    return error_set(err, ERROR_PERMANENT, ENOENT, "no kind cluster %s on this engine", cluster);
}

static const struct world_node *first_control_plane(const struct world_engine *engine,
                                                    const char *cluster)
{
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        const struct world_node *node = &engine->nodes[i];
        if (node->role == NODE_CONTROL_PLANE && str_equal(node->cluster, cluster)) {
            return node;
        }
    }
    return NULL;
}

static int read_admin_conf(struct client_request *request, struct error *err)
{
    struct docker *docker = NULL;
    const struct world_node *node = first_control_plane(request->input->engine, request->cluster);
    if (node == NULL) {
        return no_such_cluster(request->cluster, err);
    }
    int r = backend_docker(request->backend, request->input->config, &docker, err);
    if (r < 0) {
        return r;
    }
    return docker_archive_get(docker, node->id, ADMIN_CONF, on_admin_conf, request, err);
}

// The caller wipes and frees *ret.
static int read_kubeconfig(const char *path, char **ret, size_t *ret_length, struct error *err)
{
    int r = file_read(path, KUBECONFIG_BYTES_MAX, ret, ret_length);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        // ENOENT would say that there is no such cluster.
        return error_set(err, ERROR_PERMANENT, r == -ENOENT ? ENOTDIR : -r,
                         "cannot read kubernetes.kubeconfig %s: %s", path, strerror(-r));
    }
    return 0;
}

static int connect_by_file(struct client_request *request, const char *path, struct error *err)
{
    struct kube_credentials credentials = {0};
    _cleanup_free_ char *context = str_printf("kind-%s", request->cluster);
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    if (context == NULL) {
        return error_oom(err);
    }
    int r = read_kubeconfig(path, &text, &length, err);
    if (r < 0) {
        return r;
    }
    r = kubeconfig_parse(text, length, path, context, &credentials, err);
    explicit_bzero(text, length);
    if (r >= 0) {
        r = connect_client(request, &credentials, err);
    }
    kube_credentials_done(&credentials);
    return r;
}

// Names where a cluster's credentials come from, in enough detail that another source, or a changed
// one, has another name. Caller frees *ret.
static int name_source(const char *cluster, const struct plan_input *input, char **ret,
                       struct error *err)
{
    const char *kubeconfig = input->config->kubeconfig;
    if (kubeconfig != NULL) {
        struct stat st = {0};
        (void)stat(kubeconfig, &st);
        *ret = str_printf("%s %lld.%09ld %lld", kubeconfig, (long long)st.st_mtim.tv_sec,
                          st.st_mtim.tv_nsec, (long long)st.st_size);
    } else {
        const struct world_node *node = first_control_plane(input->engine, cluster);
        const struct world_api *api =
            input->engine == NULL ? NULL : world_engine_api(input->engine, cluster);
        if (node == NULL) {
            return no_such_cluster(cluster, err);
        }
        if (api == NULL) {
            return error_set(err, ERROR_TRANSIENT, ECONNREFUSED,
                             "the API server's port of cluster %s is not published: is %s running?",
                             cluster, node->name);
        }
        *ret = str_printf("%s %s:%u", node->id, api->host_address, api->host_port);
    }
    return *ret == NULL ? error_oom(err) : 0;
}

int cluster_client_current(struct real_backend *backend, const char *cluster,
                           const struct plan_input *input, struct cluster_client **ret,
                           struct error *err)
{
    _cleanup_free_ char *source = NULL;
    int r = name_source(cluster, input, &source, err);
    if (r < 0) {
        return r;
    }
    struct cluster_client *client = cluster_client_find(backend, cluster);
    bool current = client != NULL && apis_are_final(client) && str_equal(client->source, source);
    *ret = current ? client : NULL;
    return 0;
}

int cluster_client_get(struct real_backend *backend, const char *cluster,
                       const struct plan_input *input, cluster_client_fn done, void *ctx,
                       struct error *err)
{
    _cleanup_(request_freep) struct client_request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return error_oom(err);
    }
    *request = (struct client_request){
        .backend = backend, .input = input, .done = done, .ctx = ctx, .cluster = str_dup(cluster)};
    if (request->cluster == NULL) {
        return error_oom(err);
    }
    int r = name_source(cluster, input, &request->source, err);
    if (r < 0) {
        return r;
    }

    struct cluster_client *client = cluster_client_find(backend, cluster);
    if (client != NULL && !str_equal(client->source, request->source)) {
        cluster_client_forget(backend, cluster);
        client = NULL;
    }
    if (client != NULL) {
        r = discover(request, client, err);
    } else if (input->config->kubeconfig != NULL) {
        r = connect_by_file(request, input->config->kubeconfig, err);
    } else {
        r = read_admin_conf(request, err);
    }
    if (r < 0) {
        return r;
    }
    TAKE_PTR(request);
    return 0;
}
