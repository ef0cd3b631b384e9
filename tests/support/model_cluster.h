// A model of an API server as far as the plan of a cluster meets it: server-side apply with field
// management, refusals, and the controllers that answer an object with others.
#pragma once

#include "lib/desired/desired.h"
#include "lib/plan/plan.h"
#include "lib/world/cluster.h"

#include <jansson.h>
#include <stdbool.h>

struct model_cluster;

struct model_cluster *model_cluster_new(bool ipv6);
void model_cluster_free(struct model_cluster *model);

// Somebody else creates the object (takes it) unless there is one of its name; then it is dropped.
void model_cluster_put(struct model_cluster *model, enum kube_kind kind, json_t *object);

// The objects that are there, to be edited in place as another manager does it.
size_t model_cluster_count(const struct model_cluster *model);
json_t *model_cluster_at(struct model_cluster *model, size_t i, enum kube_kind *ret_kind);

// Somebody else deletes one of them; the controllers are still to do their part.
void model_cluster_remove(struct model_cluster *model, size_t i);

// Executes an action. Returns 0, or -errno when the API server would refuse it.
int model_cluster_act(struct model_cluster *model, const struct action *action);

// Lets the controllers do their work: endpoints of Services, pods of Deployments, deletions.
void model_cluster_settle(struct model_cluster *model);

// What the backend would find for this configuration.
struct world_cluster *model_cluster_observe(struct model_cluster *model,
                                            const struct config *config, bool endpoint_slice_v1);

// Whether the object is the program's: its label, or its field manager (no Namespace).
bool model_is_owned(enum kube_kind kind, const json_t *object);

// A copy of all that is not the program's, and not made by a controller.
json_t *model_cluster_foreign(const struct model_cluster *model);
