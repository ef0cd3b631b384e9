// What the list of an engine's containers tells everybody: the nodes of kind clusters, where their
// API servers are published, and where the registry is on the clusters' network. The container kind
// observes it; the keys of all other kinds follow from it.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// kind's own labels (kind pkg/cluster/constants/constants.go).
#define KIND_LABEL_CLUSTER "io.x-k8s.kind.cluster"
#define KIND_LABEL_ROLE "io.x-k8s.kind.role"

// The cluster that Docker Desktop makes with kind, and starts and stops itself.
#define ENGINE_DESKTOP "desktop"

enum node_role {
    NODE_CONTROL_PLANE,
    NODE_WORKER,
};

// A node of a kind cluster; load balancers are none, and what is being removed is none any more.
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
    int64_t created_s; // Unix time, 0: unknown
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

// Which engine it is, and what it says of itself.
struct engine_about {
    const char *host;    // unix://PATH or tcp://HOST:PORT
    const char *origin;  // with what named it, and what else was looked at
    bool given;          // docker.host named it
    const char *product; // "Docker", "Podman"
    const char *version; // "28.5.2"; likewise the next one "" where it does not say
    const char *system;  // "Debian GNU/Linux 12 (bookworm)"
    const char *machine; // "x86_64"; Podman says "amd64"
    bool rootless;
    bool user_namespaces; // root of a container is another user of its machine
    unsigned root_user;   // that user's number then, 0: not known
    bool selinux;
};

// The file system of a container's images, where it is this machine's.
struct engine_storage {
    const char *resource; // "container/NAME"
    const char *path;
    uint64_t free_bytes;
    uint64_t total_bytes;
};

// Shared by all that were planned with it; see engine_ref.
struct engine {
    struct arena arena; // holds every string
    unsigned refs;
    struct engine_about about;
    struct engine_node *nodes; // of every kind cluster, sorted by name
    size_t node_count;
    struct engine_api *apis;
    size_t api_count;
    struct engine_storage *storages;
    size_t storage_count;
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
// Whether the node was made, or ended, so short a time ago that it may be on its way to run, or to
// be gone.
bool engine_node_is_moving(const struct engine *engine, const struct engine_node *node);
// Whether the cluster's control plane runs, and for so short a time that it may not be set up yet.
bool engine_cluster_is_new(const struct engine *engine, const char *cluster);
// Whether the engine has a node or an API server of the cluster.
bool engine_has_cluster(const struct engine *engine, const char *cluster);

// Sets what it is about. info is the answer to GET /info, NULL: there is none.
void engine_set_about(struct engine *engine, const char *host, const char *origin, bool podman,
                      const json_t *info);

// For people: which engine it is, what named it, and what it is; the caller frees it.
char *engine_about_text(const struct engine_about *about);

// The host to reach a port that the engine at about.host has published at address: loopback for
// every-address bindings, the engine's own host for a remote engine. Written to host (brackets
// around IPv6).
#define ENGINE_HOST_SIZE 300
void engine_published_host(const char *engine_host, const char *address, char *host, size_t size);

// Puts names in the place of nodes' ids in an error's text, and cuts other ids to the length in
// which people see them (`docker ps`). engine may be NULL. Attempts and the doctor do it with every
// error.
void engine_name_ids(const struct engine *engine, struct error *err);

// NULL gives NULL; engine_unref frees with the last.
struct engine *engine_ref(struct engine *engine);
void engine_unref(struct engine *engine);
