// The parts of plan_engine.c by topic. A part that runs out of memory sets oom and goes on; nothing
// is handed out then.
#pragma once

#include "lib/desired/desired.h"
#include "lib/plan/plan_internal.h"

struct engine_plan {
    const struct plan_input *input;
    const struct config *config;
    const struct world_engine *engine;
    struct plan plan;
    bool oom;

    struct desired_container desired;
    bool rejected; // the desired container was tried and did not come up
    char *container_resource;
    char *network_resource;
    char *previous_name;

    const struct world_container *main;     // of the declared name, ours or not
    const struct world_container *previous; // of the name that a recreate gives the old one, ours
    const struct world_container *blocker;  // of that name, but not ours

    // What the container's condition is to be; of several the first that is said stands.
    bool judged;
    enum ready ready;
    enum reason reason;
    char *message;

    // For the network: the container that will have the name, none, or one made by this plan.
    const struct world_container *holder;
    bool fresh;
    bool disconnected; // the holder's endpoint, by this plan
};

// plan_engine.c

// The first action of the container's resource, NULL when there is none.
const struct action *engine_pending(const struct engine_plan *p);

// Appends the action. The resource is the container's unless it is given. `step` is cleared on the
// resource's first action.
struct action *engine_act(struct engine_plan *p, struct action_template template);

// Says the condition of the container, False unless it says Converged.
void engine_judge(struct engine_plan *p, enum reason reason, const char *format, ...)
    _printf_(3, 4);

// Whether the label is there, and whether it or the storage says that it is this configuration's.
bool engine_is_labelled(const struct world_container *container);
bool engine_is_own(const struct engine_plan *p, const struct world_container *container);

// Labelled, but neither main nor previous. A container gets the labels of its image, so one made of
// an image of the registry's container has them too: it takes the storage to tell a registry.
bool engine_is_stray(const struct engine_plan *p, const struct world_container *container);

// Whether its processes are there, so that it is to be stopped and cannot be started.
bool engine_is_up(const struct world_container *container);

// Whether a start would fail for the network: the one it was attached to is gone, or is another of
// the same name. The engine keeps attachments by id (https://github.com/moby/moby/issues/17160).
bool engine_endpoint_is_stale(const struct engine_plan *p, const struct world_container *container);

// Whether it is not up and is attached to the network while there is none: no start can succeed,
// and only a container that knows nothing of the network can take its place.
bool engine_lacks_network(const struct engine_plan *p, const struct world_container *container);

// engine_adopt.c

// Whether the declared directory is mounted where the image keeps its images, and whether the
// variable that names that place has it somewhere else: they would go with the container.
bool engine_has_storage(const struct engine_plan *p, const struct world_container *container);
bool engine_holds_images(const struct world_container *container);

// Whether it may be taken over without a label.
bool engine_is_adoptable(const struct engine_plan *p, const struct world_container *container);

// Say why main is left alone: it is not adoptable, or it holds its images itself.
void engine_judge_foreign(struct engine_plan *p);
void engine_judge_holds_images(struct engine_plan *p);

// engine_fields.c: appends what differs and needs another container; labels are compared where
// there are some. Values of environment variables stay out.
void engine_compare(struct engine_plan *p, const struct world_container *container,
                    struct field_diffs *diffs);

// engine_steps.c ------------------------------------------------------------------------------

// Makes the storage directory if it is missing; with the image: what has to be there before
// anything is taken away.
void engine_make_storage(struct engine_plan *p);
void engine_prepare(struct engine_plan *p);

// Stops what is ours beside `started`: no two over one port and one storage.
void engine_stop_others(struct engine_plan *p, const struct world_container *started,
                        const char *verb);

// Starts what has the declared name by then, off the network where it would not start or be in the
// way; container is what was observed of it, NULL when it is new.
void engine_start(struct engine_plan *p, const struct world_container *container, const char *verb);
void engine_unpause(struct engine_plan *p, const char *name);

// Gives the declared name to an own container that has another one, and sees that it runs.
void engine_take_name(struct engine_plan *p, const struct world_container *container,
                      const char *verb);

// Creates the declared container in the place of another (NULL: of none), whose id it keeps if that
// was adopted; takes the list out of diffs.
void engine_create(struct engine_plan *p, const char *verb, const struct world_container *replaced,
                   struct field_diffs *diffs, bool step);

// By id: whoever has the name by then may not be ours.
void engine_remove(struct engine_plan *p, const struct world_container *container, const char *verb,
                   bool step);

// engine_container.c ----------------------------------------------------------------------------

// Whether it has had PLAN_COMEUP_SECONDS since its start, and whether main answers.
bool engine_is_late(const struct engine_plan *p, const struct world_container *container);
bool engine_answers(const struct engine_plan *p);

// Whether it can have the declared name again: renaming a dead one, or one on its way out, helps
// nobody.
bool engine_can_return(const struct world_container *container);

// Says the engine's words, in terms of the configuration where it is a matter of that.
void engine_judge_start_error(struct engine_plan *p, const char *text);
void engine_judge_name_taken(struct engine_plan *p);

// Sees that main runs; its fields are as declared, or have to do for now.
void engine_plan_state(struct engine_plan *p);
void engine_plan_container(struct engine_plan *p);

// engine_recreate.c: main and previous are both there.
void engine_plan_recreating(struct engine_plan *p);

// engine_order.c

// A node that comes to the network before the registry does, NULL when none is waited for.
const struct world_node *engine_awaited_node(const struct engine_plan *p);

// Whether the container is attached and has, or would get by its start, an address that is to be
// left to an awaited node.
bool engine_is_in_the_way(const struct engine_plan *p, const struct world_container *container);

// engine_network.c

// Takes what has the declared name by then off the network; NULL when out of memory.
struct action *engine_detach(struct engine_plan *p, const char *verb);
// The same for a container that is in the way.
void engine_give_way(struct engine_plan *p, const struct world_container *container);
void engine_plan_network(struct engine_plan *p); // comes last

// engine_removal.c
void engine_plan_removal(struct engine_plan *p);
