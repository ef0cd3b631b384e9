// What should be: pure functions of the configuration and the world.
#pragma once

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/config/config.h"
#include "lib/world/cluster.h"
#include "lib/world/engine.h"

#include <jansson.h>

// The registry container's declared fields, in the terms of struct world_container.
struct desired_container {
    struct strmap environment;
    struct strmap labels;
    const char *restart_policy; // borrowed from config, as are image and storage
    const char *image;
    const char *storage;
    const char *host_address;
    char host_port[6];
};

int desired_container(const struct config *config, struct desired_container *ret);
void desired_container_done(struct desired_container *container);

// The body of POST /containers/create for it; the caller owns the reference. NULL: out of memory.
json_t *desired_container_spec(const struct desired_container *container);

// A digest (hex) of the spec, to recognise in memory a spec that did not come up. The environment's
// values are in it and a short one could be guessed from it, so it is for no message and no file.
// Returns 0 with *ret owned by the caller, or -ENOMEM or -EFBIG.
int desired_container_digest(const struct desired_container *container, char **ret);

// The text of hosts.toml for every alias.
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
int desired_hosts_toml(const struct config *config, struct buf *ret);

// The first line of every hosts.toml that the program writes.
#define DESIRED_HOSTS_MARK "# managed by hostk8s-registryd"

// Whether hosts.toml text is what HostK8s' or kind's script writes for a local registry
// (`[host."http://…:5000"]` alone, with at most `server`, `capabilities`, `skip_verify`), so that
// it may be replaced.
bool desired_hosts_is_script(const char *content);

#define DESIRED_UI_NAME "registry-ui"   // Deployment, Service, Ingress, and label of the pods
#define DESIRED_API_NAME "registry-api" // Service, Ingress, EndpointSlice or Endpoints
#define DESIRED_API_NAME_IPV6 DESIRED_API_NAME "-ipv6" // EndpointSlice: addressType is immutable
#define DESIRED_LABEL_NAME "app.kubernetes.io/name"

#define DESIRED_OBJECTS_MAX 8

// The one address of the registry container on the network that a cluster's pods can reach.
struct desired_address {
    const char *text; // NULL: there is none
    bool ipv6;        // its family, or the one that is waited for
};

// Decides the address; of both families by what the cluster's Services have. engine may be NULL.
// The text is borrowed from engine.
struct desired_address desired_registry_address(const struct config *config,
                                                const struct world_engine *engine,
                                                const struct world_cluster *cluster);

// The Kubernetes objects of one cluster in order of creation. Without an address the endpoints are
// left out. With ui.enabled false only what tells tools about the registry.
struct desired_object {
    enum kube_kind kind;
    const char *name_space; // borrowed from object; NULL for a cluster-scoped kind
    const char *name;
    json_t *object;
    json_t *met_by; // an observed object that differs in nothing declared; NULL: none known
};

struct desired_objects {
    struct desired_object *items;
    size_t count;
    // What they were made of.
    const struct config *config;
    struct world_apis apis;
    char *address;
};

// Makes them, but for those that are there already and would be the same: a config is the same by
// its address alone, so that objects must not outlive it. Returns 0, or < 0 with none there.
int desired_objects_make(struct desired_objects *objects, const struct config *config,
                         const struct world_apis *apis, const struct desired_address *address,
                         struct error *err);
void desired_objects_done(struct desired_objects *objects);

// Which objects those are, without making them: how many of ret are filled. Strings are borrowed
// from config.
struct desired_ref {
    enum kube_kind kind;
    const char *name_space;
    const char *name;
};
size_t desired_refs(const struct config *config, const struct world_apis *apis,
                    const struct desired_address *address,
                    struct desired_ref ret[DESIRED_OBJECTS_MAX]);

// What holds the address: of the endpoints kind that apis says is there.
struct desired_ref desired_endpoints_ref(const struct config *config, const struct world_apis *apis,
                                         bool ipv6);
