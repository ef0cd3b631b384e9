// Shared by the files of lib/backend alone.
#pragma once

#include "lib/backend/backend.h"
#include "lib/backend/node_cache.h"
#include "lib/doc/json_memo.h"
#include "lib/docker/docker.h"
#include "lib/kube/kube.h"
#include "lib/world/cluster.h"
#include "lib/world/engine.h"

// What is known of a node that does not run, good until it has run again.
struct stopped_node {
    char *container_id; // key
    int64_t stopped_s;
    char *address; // NULL: it has no file that tells
    struct stopped_node *next;
};

// The way to one cluster's API.
struct cluster_client {
    char *cluster; // key
    char *source;  // where the credentials came from; NULL: expired
    struct kube *kube;
    int64_t created_s; // monotonic
    bool discovered;
    bool settled; // discovered some time after it was created
    struct world_apis apis;
    struct json_memo lists[_KUBE_KIND_COUNT]; // of what the program manages
    struct json_memo ingress_class;
    struct cluster_client *next;
};

// The stream of the engine's events, or those of one cluster's watches. It outlives what is
// forgotten: the client it listens through is then its own, freed with it.
struct engine_stream;
struct cluster_stream;

struct real_backend {
    struct backend base;
    struct http_transport *transport;
    backend_progress_fn progress;
    void *progress_ctx;
    struct docker *docker;
    struct http_client *probe; // of http://LISTEN
    struct http_call *probe_call;
    struct sorted nodes; // of struct node_cache
    struct stopped_node *stopped;
    struct cluster_client *clusters;
    struct engine_stream *engine_stream;
    struct cluster_stream *cluster_streams;
};

// The engine's client of the configuration, made when there is none.
int backend_docker(struct real_backend *backend, const struct config *config, struct docker **ret,
                   struct error *err);

int observe_engine(struct real_backend *backend, const struct plan_input *input,
                   observe_done_fn done, void *ctx, struct error *err);
int observe_node(struct real_backend *backend, const char *name, const struct plan_input *input,
                 observe_done_fn done, void *ctx, struct error *err);
int observe_cluster(struct real_backend *backend, const char *cluster,
                    const struct plan_input *input, observe_done_fn done, void *ctx,
                    struct error *err);

// What lives in the namespace and was put there neither by the program nor by the cluster itself:
// the first that was found (NULL: nobody), else why some of it could not be looked at (NULL: all
// was). Both are borrowed until return. kube must outlive the look.
typedef void (*residents_done_fn)(void *ctx, const char *resident, const char *doubt,
                                  const struct error *err);
int observe_residents(struct kube *kube, const char *name_space, residents_done_fn done, void *ctx,
                      struct error *err);

// Fills in what the list did not tell of a node that does not run (borrowed until done, which comes
// once whether that succeeded or not).
typedef void (*stopped_done_fn)(void *ctx);
int observe_stopped_node(struct real_backend *backend, struct docker *docker,
                         struct world_node *node, stopped_done_fn done, void *ctx,
                         struct error *err);
// Forgets those that run again or are no more; with NULL all.
void stopped_nodes_forget(struct real_backend *backend, const struct world_engine *still_there);

int act_on_engine(struct real_backend *backend, const struct action *action,
                  const struct plan_input *input, act_done_fn done, void *ctx, struct error *err);
int act_on_node(struct real_backend *backend, const struct action *action,
                const struct plan_input *input, act_done_fn done, void *ctx, struct error *err);
int act_on_cluster(struct real_backend *backend, const struct action *action,
                   const struct plan_input *input, act_done_fn done, void *ctx, struct error *err);

int listen_to_engine(struct real_backend *backend, const struct plan_input *input,
                     listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err);
// Ends the stream. With give_client it takes backend->docker over.
void engine_stream_end(struct real_backend *backend, bool give_client);

int listen_to_cluster(struct real_backend *backend, const char *cluster, listen_dirty_fn dirty,
                      listen_done_fn done, void *ctx, struct error *err);
// Ends the streams of cluster, or of every one (NULL).
void cluster_stream_end(struct real_backend *backend, const char *cluster);
// Whether a stream uses the client; then it is freed when the stream ends.
bool cluster_stream_adopts(struct real_backend *backend, struct cluster_client *client);

// The client of a cluster (borrowed until it is forgotten) with its APIs discovered, or an error.
typedef void (*cluster_client_fn)(void *ctx, struct cluster_client *client,
                                  const struct error *err);
int cluster_client_get(struct real_backend *backend, const char *cluster,
                       const struct plan_input *input, cluster_client_fn done, void *ctx,
                       struct error *err);
// The client made earlier, NULL when there is none.
struct cluster_client *cluster_client_find(struct real_backend *backend, const char *cluster);
// The same if it is discovered and its credentials still come from where the input says.
int cluster_client_current(struct real_backend *backend, const char *cluster,
                           const struct plan_input *input, struct cluster_client **ret,
                           struct error *err);
// A request of the client failed. When that tells that the credentials no longer fit, or that a
// collection is no longer served, the next cluster_client_get starts over from the admin.conf.
void cluster_client_failed(struct cluster_client *client, const struct error *err);
// The host to reach a port that the engine has published at address: loopback for every-address
// bindings, the engine's own host for a remote engine. Written to host (brackets around IPv6).
void backend_published_host(const struct config *config, const char *address, char *host,
                            size_t size);

// Drops the client; its stream, if it has one, ends and frees it.
void cluster_client_forget(struct real_backend *backend, const char *cluster);
void cluster_client_free(struct cluster_client *client);
