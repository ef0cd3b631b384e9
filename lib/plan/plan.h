// The difference of what should be and what is, as data: actions in the order they are to be done,
// and a condition for every resource of the key. Pure: no I/O, no clock.
//
// The plan of a key is executed from the front until an action fails, then the key is observed
// again; a plan that is interrupted anywhere is continued by the next one from what is there.
#pragma once

#include "lib/base/error.h"
#include "lib/config/config.h"
#include "lib/desired/desired.h"
#include "lib/plan/condition.h"
#include "lib/world/cluster.h"
#include "lib/world/engine.h"
#include "lib/world/node_files.h"

#include <jansson.h>

// How long after its start the registry may stay silent before it counts as not coming up.
#define PLAN_COMEUP_SECONDS 20

// How long after a node's end the registry leaves its place on the network to it: an engine that
// restarts has its containers up in less.
#define PLAN_NODES_SECONDS 60

// The verb of the actions that replace a container which did not come up by the one before: the
// plan's condition says why it did not.
#define PLAN_VERB_PUT_BACK "put back"

enum action_type {
    ACTION_STORAGE_MAKE,
    ACTION_IMAGE_PULL,
    ACTION_CONTAINER_CREATE,
    ACTION_CONTAINER_START,
    ACTION_CONTAINER_STOP,
    ACTION_CONTAINER_UNPAUSE,
    ACTION_CONTAINER_RENAME,
    ACTION_CONTAINER_UPDATE,
    ACTION_CONTAINER_REMOVE,
    ACTION_NETWORK_CONNECT,
    ACTION_NETWORK_DISCONNECT,
    ACTION_HOSTS_WRITE,
    ACTION_HOSTS_REMOVE,
    ACTION_OBJECT_APPLY,
    ACTION_OBJECT_DELETE,
    _ACTION_TYPE_COUNT,
};

// A field that differs, as lines to be shown. Values of environment variables are never in it:
// "(hidden)".
struct field_diff {
    char *path;
    char *is;     // NULL: absent
    char *should; // NULL: should be absent
};

struct plan_file {
    char *alias;
    char *content; // NULL for a removal
};

struct action {
    enum action_type type;
    const char *verb; // for people, static: "create", "recreate", "attach", "write", "apply" …
    char *resource;
    bool destructive; // something is taken away before it is put back: a recreate, a removal
    bool step;        // a part of the action before it, not shown by `plan`
    struct field_diff *fields;
    size_t field_count;
    // Arguments; NULL where the type has no use for them.
    char *target;   // container, image, storage path, or the node's container
    char *argument; // new name, or network
    json_t *body;   // container spec, changes, or Kubernetes object
    struct plan_file *files;
    size_t file_count;
    char *cluster;
    enum kube_kind kind; // of OBJECT_*
    char *name_space;
    char *name;
    char *uid;
};

struct plan {
    struct action *actions;
    size_t action_count;
    struct condition *conditions; // one for each resource of the key
    size_t condition_count;
};

// What a pass may know beside config and world.
struct plan_input {
    const struct config *config;
    const struct world_engine *engine; // the latest observed
    bool wanted; // false: the plan removes what is owned (teardown, a cluster no longer declared)
    // The cluster's, as the plan before left them: what is still the same is neither made nor
    // compared again. NULL: all is.
    struct desired_objects *objects;
    // A container spec that was tried and did not come up: it is not tried again while this is set.
    const char *rejected_digest;
    enum reason rejected_reason;
    const char *rejected_text;
};

// One for each kind of key. On success *ret (all zero before) is released by plan_done.
int plan_engine(const struct plan_input *input, struct plan *ret, struct error *err);
int plan_node(const struct plan_input *input, const char *node,
              const struct world_node_files *files, struct plan *ret, struct error *err);
int plan_cluster(const struct plan_input *input, const char *cluster,
                 const struct world_cluster *world, struct plan *ret, struct error *err);

// The conditions of a key's resources when it could not be observed: all Unknown or False with the
// reason that the error gives (outcome_of_observation). engine may be NULL. A cluster's resources
// are those of its plan before, which knew what the cluster serves; with that NULL those that most
// clusters have.
int plan_unobserved(const struct plan_input *input, const char *key, const struct plan *before,
                    const struct error *why, struct plan *ret, struct error *err);

// Whether any action of the plan is of the resource.
bool plan_touches(const struct plan *plan, const char *resource);
// Takes the actions of a resource out of the plan; and_later with all that come after its first.
void plan_drop_actions(struct plan *plan, const char *resource, bool and_later);

const char *action_type_name(enum action_type type);
void plan_done(struct plan *plan);

// A resource's name as `plan`, `status` and the journal have it; the caller frees it.
char *resource_container(const struct config *config);
char *resource_network(const struct config *config);
char *resource_node(const char *container);
char *resource_object(const char *cluster, enum kube_kind kind, const char *name_space,
                      const char *name);
