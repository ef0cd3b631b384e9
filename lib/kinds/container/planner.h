// What the plan of one container is put together of. Pure. Containers are named by their ids, so
// that one which somebody puts in a container's place between observation and action is not
// touched.
#pragma once

#include "lib/kinds/container/compare.h"
#include "lib/kinds/input.h"

// How long after its start a container may stay silent before it counts as not coming up.
#define CONTAINER_COMEUP_SECONDS 20
// How long after a node's end its address on the network is left to it: an engine that restarts has
// its containers up in less.
#define CONTAINER_NODES_SECONDS 60

enum container_op {            // target; argument; body
    CONTAINER_OP_STORAGE_MAKE, // directory; number of a user who may write there, too, or NULL
    CONTAINER_OP_IMAGE_PULL,   // reference
    CONTAINER_OP_CREATE,       // name; ; spec
    CONTAINER_OP_LOGIN_WRITE,  // id, NULL: of what this plan creates; file of the password
    CONTAINER_OP_START,        // id, NULL: of what this plan creates; who has its port, or NULL
    CONTAINER_OP_STOP,         // id
    CONTAINER_OP_UNPAUSE,      // id
    CONTAINER_OP_RENAME,       // id; new name
    CONTAINER_OP_UPDATE,       // id; ; changes
    CONTAINER_OP_REMOVE,       // id
    CONTAINER_OP_CONNECT,      // id, NULL: of what this plan creates; network
    CONTAINER_OP_DISCONNECT,   // id; network
    _CONTAINER_OP_COUNT,
};

struct planner {
    const struct input *input;
    const struct current *current;
    const struct container_spec *spec;
    const struct container_facts *facts;
    struct plan *plan;
    bool desired;                  // false: it is to be removed
    const struct record *rejected; // why the spec is not to be tried again, NULL: it may be tried

    const struct container *main;     // of the declared name, ours or not
    const struct container *previous; // of the name that a recreate gives the old one, ours
    const struct container *blocker;  // of that name, but not ours

    // For the network: the container that will have the name, NULL: none, or one that is created.
    const struct container *holder;
    bool creates;
    bool disconnects; // the holder from the network
};

// SET_CONDITION(p, resource, ERROR, format, …): of that resource of the spec, unless it has one.
#define SET_CONDITION(p, which, reason, ...)                                                       \
    plan_set_condition((p)->plan, (p)->spec->which, NULL, READY_FALSE, REASON_##reason, __VA_ARGS__)
// ADD_ACTION(p, STOP, .verb = "stop", .target = id): of the container, unless it has a resource.
#define ADD_ACTION(p, op_, ...)                                                                    \
    planner_add(p, (struct action){.op = CONTAINER_OP_##op_, __VA_ARGS__})
struct action *planner_add(struct planner *p, struct action action);

// Whether the engine's words mean that a port is taken, and the sentence for it. holder is the name
// of the container that has it, NULL: not known.
bool planner_is_port_taken(const char *engine_text);
#define PORT_TAKEN "%s is taken by %s%s; change %s.listen or free the port"
#define PORT_TAKEN_BY(spec, holder)                                                                \
    (spec)->authority, (holder) == NULL ? "another process" : "container ",                        \
        (holder) == NULL ? "" : (holder), (spec)->section

// Labelled, with the declared storage, and neither main nor previous: one that was renamed. A
// container gets the labels of its image, so that it takes the storage to tell.
bool planner_is_stray(const struct planner *p, const struct container *container);

// Whether gc is at work on the storage, so that everything is left alone: says so. What an
// interrupted gc has left goes.
bool planner_is_maintained(struct planner *p);

// Each appends the actions of one step. container is what was observed of it, NULL stands for the
// one that the plan creates.

void planner_make_storage(struct planner *p);
void planner_prepare(struct planner *p); // what has to be there before anything is taken away
void planner_add_fields(struct planner *p, struct action *action, const struct fields *fields);
// Stops what is ours beside the container: no two over one port and one storage.
void planner_stop_others(struct planner *p, const struct container *container, const char *verb);
// Starts it, off the network where it would not start or be in the way. tries_out: another
// container stands aside, which is put back if this one does not come up.
void planner_start(struct planner *p, const struct container *container, const char *verb,
                   bool tries_out);
// Creates and starts one in the place of another (NULL: of none), which has these fields otherwise.
// step: what takes that one away comes before.
void planner_create(struct planner *p, const char *verb, const struct container *replaced,
                    const struct fields *fields, bool part);
// Gives the declared name to an own container that has another one, and sees that it runs.
void planner_take_name(struct planner *p, const struct container *container, const char *verb);
struct action *planner_remove(struct planner *p, const struct container *container,
                              const char *verb, bool part);
struct action *planner_disconnect(struct planner *p, const struct container *container,
                                  const char *verb);

// Comes last: the actions and the condition of the network's resource.
void planner_plan_network(struct planner *p);

// See struct kind; plan.c.
void container_plan(const struct input *input, const void *current, struct plan *ret);
