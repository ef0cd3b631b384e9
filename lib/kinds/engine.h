// What the list of an engine's containers tells everybody: the nodes of kind clusters, where their
// API servers are published, and where the registry is on the clusters' network. The container kind
// observes it; the keys of all other kinds follow from it.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/config/config.h"

#include <stdbool.h>
#include <stdint.h>

// kind's own labels (kind pkg/cluster/constants/constants.go).
#define KIND_LABEL_CLUSTER "io.x-k8s.kind.cluster"
#define KIND_LABEL_ROLE "io.x-k8s.kind.role"

enum node_role {
    NODE_CONTROL_PLANE,
    NODE_WORKER,
};

// A node of a kind cluster; load balancers are none.
struct engine_node {
    const char *id;
    const char *name;
    const char *cluster;
    enum node_role role;
    bool running;
    const char *status; // the engine's word, e.g. "exited"
    // Raised, in the latest engine that was observed, by an event that tells that somebody copied
    // files into it (extract-to-dir), and when events may have been missed: a copied file keeps
    // its modification time.
    unsigned writes;
    // Of one that does not run, as far as it was inspected:
    int64_t stopped_s;   // Unix time of its end, 0: unknown, or it never ran
    const char *address; // IPv4, that it had on its network when it ran; NULL: unknown
};

// Where a cluster's API server is published: of its load balancer if there is one, else of its
// first control-plane node by name.
struct engine_api {
    const char *cluster;
    const char *host_address;
    uint16_t host_port;
};

// Shared by all that were planned with it; see engine_ref.
struct engine {
    struct arena arena; // holds every string
    unsigned refs;
    struct engine_node *nodes; // of every kind cluster, sorted by name
    size_t node_count;
    struct engine_api *apis;
    size_t api_count;
    // The registry container's endpoint on config->network; NULL: it has none.
    const char *registry_ipv4;
    const char *registry_ipv6;
    const char *registry_network_id;
    int64_t now_s; // Unix time of the observation, by the engine's clock if it told
};

// NULL when there is none.
const struct engine_node *engine_node(const struct engine *engine, const char *name);
const struct engine_node *engine_first_control_plane(const struct engine *engine,
                                                     const char *cluster);
const struct engine_api *engine_api(const struct engine *engine, const char *cluster);
// Whether the engine has a node or an API server of the cluster.
bool engine_has_cluster(const struct engine *engine, const char *cluster);

// The host to reach a port that the engine has published at address: loopback for every-address
// bindings, the engine's own host for a remote engine. Written to host (brackets around IPv6).
#define ENGINE_HOST_SIZE 300
void engine_published_host(const struct config *config, const char *address, char *host,
                           size_t size);

// NULL gives NULL; engine_unref frees with the last.
struct engine *engine_ref(struct engine *engine);
void engine_unref(struct engine *engine);
