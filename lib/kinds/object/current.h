// What a cluster's API server was just observed to have, and beside it what should be there.
#pragma once

#include "lib/base/error.h"
#include "lib/base/secret.h"
#include "lib/kinds/object/objects.h"

struct object_current {
    struct arena arena;
    const char *cluster;
    json_t *values;               // holds a reference of each JSON value that is named here,
    json_t *manifests;            // but for these, which are made anew with what is desired
    bool served[OBJECT_APIS_MAX]; // by the index of the kind in object_apis
    struct object **objects;
    size_t count;
};

struct object_current *object_current_new(const char *cluster);

// Keeps a reference until object_current_free. Returns the value.
json_t *object_current_keep(struct object_current *current, json_t *value);

// The object, made when it is not there yet. The names are valid ones.
struct object *object_current_get(struct object_current *current, const struct object_api *api,
                                  const char *name_space, const char *name)
    __attribute__((returns_nonnull));

// Takes an object as there, or every item of a List; the first answer counts. Returns 0, -EBADMSG
// when one has no valid name, or -E2BIG.
int object_current_add(struct object_current *current, const struct object_api *api, json_t *answer,
                       struct error *err);

// Whether the cluster serves the kind and nothing that is served replaces it.
bool object_is_served(const struct object_current *current, const struct object_api *api);

// The first reason that a pod of the list gives for not being ready (waiting or terminated
// container, unschedulable), as "Reason: message", without the secrets. Of the arena; NULL when all
// are ready or nothing tells.
const char *object_pod_reason(struct arena *arena, const json_t *pod_list,
                              const struct secrets *secrets);

// As in struct kind. NULL is fine.
void object_current_free(void *object_current);
DEFINE_CLEANUP(struct object_current *, object_current_free)
