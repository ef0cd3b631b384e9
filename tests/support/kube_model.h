// As much of an API server as a plan needs: an apply that keeps what others have set, two fields
// that are immutable, and a namespace that takes with it what lives in it.
#pragma once

#include "lib/kinds/kind.h"
#include "lib/kinds/object/desired.h"

#define KUBE_MODEL_MAX 64

struct kube_object {
    const struct object_api *api;
    const char *name_space; // NULL for a cluster-scoped kind
    const char *name;
    unsigned uid;
    unsigned version;
    json_t *json; // without what the server itself keeps in it
    bool applied; // by the program
    char *agreed; // version and digest of the latest dry run that changed nothing
};

struct kube_model {
    struct arena arena;
    bool ipv6;
    unsigned serial;
    struct kube_object objects[KUBE_MODEL_MAX];
    size_t count;
};

// Puts an empty object of somebody else's there, unless there is one already.
struct kube_object *kube_model_put(struct kube_model *model, const char *kind,
                                   const char *name_space, const char *name);
// The first one of this kind and name; NULL when there is none.
struct kube_object *kube_model_find(struct kube_model *model, const char *kind, const char *name);
// Somebody else changes it: a JSON text is merged into it, whose nulls remove.
void kube_object_edit(struct kube_object *object, const char *change);
bool kube_object_is_labelled(const struct kube_object *object);

// What an observation finds, with its dry runs, whose number is added to *dry_runs.
struct object_current *kube_model_observe(struct kube_model *model, const struct input *input,
                                          unsigned *dry_runs);
// Returns 0, or the status that the server refuses the action with.
int kube_model_act(struct kube_model *model, const struct action *action);

void kube_model_done(struct kube_model *model);
