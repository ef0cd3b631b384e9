// What a cluster's API server was just observed to have of the kinds the program manages.
#pragma once

#include "lib/base/error.h"
#include "lib/base/strv.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define WORLD_LABEL_MANAGED_BY "app.kubernetes.io/managed-by"
#define WORLD_MANAGED_BY "hostk8s-registryd" // in its labels, and as field manager
#define WORLD_OWN_SELECTOR WORLD_LABEL_MANAGED_BY "=" WORLD_MANAGED_BY
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
#define WORLD_LABEL_SLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"

// The managed kinds, in the order of creation; deletion goes backwards.
enum kube_kind {
    KUBE_NAMESPACE,
    KUBE_CONFIG_MAP,
    KUBE_DEPLOYMENT,
    KUBE_SERVICE,
    KUBE_ENDPOINTS,
    KUBE_ENDPOINT_SLICE,
    KUBE_INGRESS,
    _KUBE_KIND_COUNT,
};

struct kube_kind_info {
    const char *kind;
    const char *api_version; // "apps/v1"
    const char *prefix;      // "/apis/apps/v1"
    const char *plural;
    bool namespaced;
};

extern const struct kube_kind_info kube_kinds[_KUBE_KIND_COUNT];

// Collection path over all namespaces (name_space NULL) or one, or the object's path (name not
// NULL; names are escaped by being valid: -EINVAL otherwise). The caller frees *ret.
int kube_kind_path(enum kube_kind kind, const char *name_space, const char *name, char **ret);

// Which optional APIs are served.
struct world_apis {
    bool endpoint_slice_v1; // discovery.k8s.io/v1
    bool ingress_v1;        // networking.k8s.io/v1
};

struct world_object {
    enum kube_kind kind;
    char *name_space; // NULL for a cluster-scoped kind
    char *name;
    char *uid;
    // By the managed-by label, or a managedFields entry of the field manager, so that an edit which
    // takes the label off is drift. A Namespace: by the label alone. An EndpointSlice that a
    // controller of Kubernetes made of our Service or Endpoints has their labels and is not ours.
    bool owned;
    bool deleting;  // has a deletionTimestamp
    json_t *object; // as received; the items of a List answer have neither apiVersion nor kind
};

struct world_cluster {
    struct world_apis apis;
    struct world_object *objects; // labelled ones of every kind, and those of a desired name
    size_t object_count;
    // Of ui.namespace, looked for only when that is owned and no longer wanted: what lives in it
    // and is not ours ("secrets/token", NULL: nobody), and why that could not be told (NULL: it
    // could).
    char *resident;
    char *resident_doubt;
    bool ingress_class_present;
    char *pod_reason; // why the UI's pods are not ready: "ImagePullBackOff: …", NULL when unknown
};

// Appends the object and holds a reference of its own; one that is there already is left out.
// Returns 0, -ENOMEM, -EBADMSG when it is no object with a valid name, -E2BIG.
int world_cluster_add(struct world_cluster *cluster, enum kube_kind kind, json_t *object,
                      struct error *err);
// Appends every item of a List answer.
int world_cluster_add_list(struct world_cluster *cluster, enum kube_kind kind, const json_t *list,
                           struct error *err);
// The first reason that a pod of the list gives for not being ready (waiting or terminated
// container, unschedulable), as "Reason: message". Caller frees *ret, NULL when all are ready or
// nothing says why.
int world_pod_reason(const json_t *pod_list, char **ret);

const struct world_object *world_cluster_object(const struct world_cluster *cluster,
                                                enum kube_kind kind, const char *name_space,
                                                const char *name);
void world_cluster_free(struct world_cluster *cluster);
DEFINE_CLEANUP(struct world_cluster *, world_cluster_free)
