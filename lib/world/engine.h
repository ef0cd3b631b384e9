// What the Docker Engine was just observed to have, as far as the program cares: the registry's
// containers, the network, the image, the nodes of kind clusters. Decoders are pure and tolerate
// every shape of answer: what is missing or of the wrong type is empty, and what has a name that
// nothing can have (lib/world/name.h) is not there.
#pragma once

#include "lib/base/error.h"
#include "lib/base/secret.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// The mark of own containers: the value is registry.name of the configuration they were made from.
#define WORLD_LABEL_OWNER "io.hostk8s.registryd.owner"
// The declared environment's names, comma-separated, so that a removed one is seen as drift.
#define WORLD_LABEL_ENVIRONMENT "io.hostk8s.registryd.environment"
// The id of the container that an adoption replaces by this one: it tells that, which has no label,
// apart from somebody's backup of the same name.
#define WORLD_LABEL_REPLACES "io.hostk8s.registryd.replaces"
// Ends the name of the container that a recreate replaces, until the new one answers.
#define WORLD_PREVIOUS_SUFFIX "-previous"
// kind's own labels (kind pkg/cluster/constants/constants.go).
#define WORLD_LABEL_KIND_CLUSTER "io.x-k8s.kind.cluster"
#define WORLD_LABEL_KIND_ROLE "io.x-k8s.kind.role"

#define WORLD_REGISTRY_STORAGE "/var/lib/registry" // in the container
#define WORLD_REGISTRY_PORT 5000                   // in the container
#define WORLD_REGISTRY_PORT_KEY "5000/tcp"         // as the engine writes it

enum container_state {
    CONTAINER_UNKNOWN,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING,
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,
};

// A container's place on a network.
struct world_endpoint {
    char *network; // name
    char *network_id;
    char *ipv4; // NULL while not running
    char *ipv6;
    struct strv aliases;
};

struct world_binding {
    char *container_port; // "5000/tcp"
    char *host_address;   // "" is every address
    char *host_port;
};

struct world_container {
    char *id;
    char *name; // without the leading '/'
    char *image;
    enum container_state state;
    int exit_code;
    char *state_error; // why the last start failed, NULL when it did not
    int64_t started_s; // Unix time, 0 when never started
    char *restart_policy;
    char *storage; // host path mounted at WORLD_REGISTRY_STORAGE, NULL: none or a volume
    bool storage_is_volume;
    char *other_mount; // where in the container something else is mounted, NULL: nowhere
    struct strmap environment;
    struct secrets *secrets; // the values that were declared when it was made
    struct strmap labels;
    struct world_binding *bindings;
    size_t binding_count;
    struct world_endpoint *endpoints;
    size_t endpoint_count;
};

enum node_role {
    NODE_CONTROL_PLANE,
    NODE_WORKER,
};

// A node of a kind cluster, from the list of containers; load balancers are none.
struct world_node {
    char *id;
    char *name;
    char *cluster;
    enum node_role role;
    bool running;
    char *status; // the engine's word, e.g. "exited"
    // Of one that does not run, as far as it was looked at closer:
    int64_t stopped_s; // Unix time of its end, 0: unknown, or it never ran
    char *address;     // IPv4, that it had on its network when it ran; NULL: unknown
};

// Where kind's entrypoint notes a node's address, to find it changed at the next start
// (kind images/base/files/usr/local/bin/entrypoint).
#define WORLD_NODE_ADDRESS_FILE "/kind/old-ipv4"

// Where a cluster's API server is published: of its load balancer if there is one, else of its
// first control-plane node by name.
struct world_api {
    char *cluster;
    char *host_address;
    uint16_t host_port;
};

enum probe_result {
    PROBE_NONE,    // not asked (not running, or not reachable from here)
    PROBE_ANSWERS, // an HTTP answer below 500 to GET /v2/
    PROBE_SILENT,
};

struct world_engine {
    struct world_container *containers; // the registry's: by name, or with the owner label
    size_t container_count;
    bool image_present; // registry.image is on the engine
    bool network_present;
    char *network_id;
    char *port_holder;        // the running container that publishes registry.listen, NULL: none
    struct world_node *nodes; // of every kind cluster, sorted by name
    size_t node_count;
    struct world_api *apis;
    size_t api_count;
    enum probe_result probe;
    int storage_error; // errno that using the storage directory meets (EACCES, ENOTDIR, EROFS …),
                       // ENOENT when it is to be made, 0 when it is fine or not on this machine
    int64_t now_s;     // Unix time of the observation, by the engine's clock if it told
};

// Decodes one /containers/ID/json answer. Returns 0 with *ret to be released by
// world_container_done, or -ENOMEM, -EBADMSG when it is no container, -E2BIG.
int world_container_decode(const json_t *inspect, struct world_container *ret, struct error *err);

// Fills nodes and apis from a /containers/json?all=1 answer. Returns 0, -ENOMEM, -EBADMSG when it
// is no list, -E2BIG; likewise the next one.
int world_engine_decode_nodes(const json_t *list, struct world_engine *engine, struct error *err);

// The ids of listed containers that the registry's resources need an inspect of: named name or
// name-previous, or with the owner label. Appended to ret.
int world_engine_registry_ids(const json_t *list, const char *name, struct strv *ret,
                              struct error *err);

// What the list shows without a further request: the network is there when a container runs on it,
// the image when the one of the name runs from it. Sets network_present, network_id and
// image_present then. Returns 0 or -ENOMEM.
int world_engine_infer(const json_t *list, const char *name, const char *image, const char *network,
                       struct world_engine *engine);

// Sets port_holder to the name of the listed container that has published the address and port, the
// registry's own or another. Returns 0 or -ENOMEM.
int world_engine_find_port_holder(const json_t *list, const char *address, uint16_t port,
                                  struct world_engine *engine);

// When a container ended, from its inspect: Unix time, 0 when it never ran.
int64_t world_container_stopped_s(const json_t *inspect);
// Sets node->address from what is in its file; a text that is no address leaves it unknown.
// Returns 0 or -ENOMEM.
int world_node_set_address(struct world_node *node, const char *content);

const struct world_endpoint *world_container_endpoint(const struct world_container *container,
                                                      const char *network);
const struct world_container *world_engine_container(const struct world_engine *engine,
                                                     const char *name);
const struct world_node *world_engine_node(const struct world_engine *engine, const char *name);
const struct world_api *world_engine_api(const struct world_engine *engine, const char *cluster);

void world_container_done(struct world_container *container);
void world_engine_free(struct world_engine *engine);
DEFINE_CLEANUP(struct world_engine *, world_engine_free)
