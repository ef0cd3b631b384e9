// What is kept in a cluster, as two tables: the API kinds that are dealt with, and the objects. A
// further object is a manifest and a row in each.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/secret.h"
#include "lib/config/config.h"
#include "lib/kinds/plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define OBJECT_LABEL_MANAGED_BY "app.kubernetes.io/managed-by"
#define OBJECT_MANAGED_BY "hostk8s-registryd" // in its labels, and as field manager
#define OBJECT_SELECTOR OBJECT_LABEL_MANAGED_BY "=" OBJECT_MANAGED_BY

// ---- API kinds ----

struct object_api {
    const char *kind;
    const char *version; // "apps/v1"
    const char *plural;
    bool namespaced;
    bool optional;      // a cluster may lack it: then there are none
    bool custom;        // made by a CRD: a cluster without it is not one that is still starting
    bool holds_objects; // a Namespace, which takes with it all that lives in it
    const char *unless; // the kind that replaces it: where that is served, of this nothing is asked
    // The labels by which such objects are listed and watched: all of the program's own have them.
    // NULL: it has none; others are looked up by name alone.
    const char *selector;
};

// In the order of creation; deletion goes backwards.
extern const struct object_api object_apis[];
#define OBJECT_APIS_MAX 16
extern const size_t object_api_count; // at most that

// The kind of this name, of which there is one.
const struct object_api *object_api(const char *kind) __attribute__((returns_nonnull));
// The index in object_apis.
size_t object_api_index(const struct object_api *api);

// The path of a collection, over all namespaces for NULL.
char *object_collection(struct arena *arena, const struct object_api *api, const char *name_space);

// ---- objects ----

// What is known of an object of a cluster: what is there, and what should be.
struct object {
    const struct object_api *api;
    const char *cluster;
    const char *name_space; // NULL for a cluster-scoped kind
    const char *name;
    const char *resource;      // kube/CLUSTER/KIND/NAMESPACE/NAME, or without a namespace
    const char *path;          // of the API
    const char *collection;    // likewise, of its kind in its namespace
    const struct object *home; // its Namespace, NULL for a cluster-scoped kind
    // What is there. json as received: the items of a list have neither apiVersion nor kind. Of
    // Endpoints that a list of EndpointSlices tells of it is their mirror.
    const json_t *json; // NULL: nothing
    const char *uid;    // NULL when the answer has none
    // By the managed-by label, or by an entry of the field manager, so that an edit which takes the
    // label off is drift. A Namespace: by the label alone. Controllers give what they make of an
    // owned object its labels, so that it is owned too.
    bool owned;
    bool made_by_hostk8s; // by its manifests or its script: nothing that a user wrote is in it
    bool deleting;        // has a deletionTimestamp
    bool left_over;       // HostK8s alone makes one of this name
    // Whose requests it gets: of an EndpointSlice or Endpoints that the program did not make.
    const struct object *service;
    // What should be there.
    const struct object_row *row; // NULL: nothing
    json_t *manifest;
    const char *digest;        // of the manifest
    const char *waits;         // for the registry's address of this family, NULL: for nothing
    const struct object *need; // that row->need names, NULL for none
    // What the API server says of it. All unset: nothing, or as it was last found to be right.
    const json_t *merged;        // what it would make of the manifest
    const struct error *refusal; // why it does not let us have it, or make it
    bool immutable;              // for it cannot be changed into what the manifest says
    const char *pod_reason;      // why its pods are not ready; NULL: unknown
};

// Sets its condition: READY_FALSE, or READY_UNKNOWN for a reason that says so.
void object_set_condition(struct plan *plan, const struct object *object, enum reason reason,
                          const char *format, ...) _printf_(4, 5);

// What a controller says in "reason" and "message", as "Reason: message" without the secrets (NULL:
// there are none). Of the arena; NULL without a reason.
const char *object_trouble_text(struct arena *arena, const json_t *trouble,
                                const struct secrets *secrets);

// ---- what is desired ----

// An object that another one does not work without; it is nobody's to change.
struct object_need {
    const char *kind;
    const char *variable; // of object_variables: its NAME, or NAMESPACE/NAME
    enum reason reason;   // while it is missing, or its kind, made by a CRD, is not served
    const char *help;     // what to do then, for people
};

#define OBJECT_USES_MAX 2

enum object_with {
    WITH_UI = 1,
    WITH_INGRESS = 2, // of the UI; likewise the next one
    WITH_GATEWAY = 4,
};

struct object_row {
    const char *file; // in manifests/
    // Files of other rows, whose objects it is for: it waits while one of them is somebody else's.
    const char *uses[OBJECT_USES_MAX];
    unsigned with; // enum object_with: it is wanted where the configuration has these
    // It leads to the registry's address on the clusters' network, which it needs, and is wanted
    // only where its kind is served and not replaced.
    bool is_endpoints;
    const char *unserved; // what to do while its kind is not, for people; NULL: nothing is known
    const struct object_need *need; // NULL: none
    // Sets the condition of one that is as its manifest makes it. NULL: it is converged.
    void (*ready)(const struct object *object, struct plan *plan);
    // Whether its pods tell why it is not ready. NULL: it has none.
    bool (*asks_pods)(const struct object *object);
};

extern const struct object_row object_rows[];
extern const size_t object_row_count;

// The registry's address on the clusters' network that a cluster's pods can reach.
struct object_address {
    const char *text; // NULL: it has none
    bool ipv6;        // its family, or the one that is waited for
    bool ipv6_pods;   // the pods have such addresses alone
};

// What stands for ${…} in the manifests, but for ${digest.FILE}, the digest of what an earlier row
// made of FILE; the caller owns the reference.
json_t *object_variables(const struct config *config, const struct object_address *address);
