// How the planners put a plan together. Every string is copied; what a function returns is borrowed
// until the next one of its sort is added.
#pragma once

#include "lib/plan/plan.h"

// An action as the planner writes it down: the strings are borrowed until plan_add_action returns,
// and the plan takes a reference of its own to body. See struct action for what each is.
struct action_template {
    enum action_type type;
    const char *verb; // static
    const char *resource;
    bool destructive;
    bool step;
    const char *target;
    const char *argument;
    json_t *body;
    const char *cluster;
    enum kube_kind kind;
    const char *name_space;
    const char *name;
    const char *uid;
};

// Appends the action. NULL when out of memory.
struct action *plan_add_action(struct plan *plan, const struct action_template *template);

// Fields that differ, on their way into an action. All zero is an empty list.
struct field_diffs {
    struct field_diff *items;
    size_t count;
};

// Each returns 0 or -ENOMEM. is or should may be NULL (absent).
int field_diffs_add(struct field_diffs *diffs, const char *path, const char *is,
                    const char *should);
void field_diffs_done(struct field_diffs *diffs);

// Moves the list into an action that has none yet.
void action_take_diffs(struct action *action, struct field_diffs *diffs);

// Each returns 0 or -ENOMEM. is or should may be NULL (absent).
int action_add_diff(struct action *action, const char *path, const char *is, const char *should);
int action_add_file(struct action *action, const char *alias, const char *content);

// Appends a condition. `cluster` is NULL for a resource outside clusters; the message is formatted.
// Returns 0 or -ENOMEM.
int plan_add_condition(struct plan *plan, const char *resource, const char *cluster,
                       enum ready ready, enum reason reason, const char *format, ...)
    _printf_(6, 7);

// As plan_add_condition with what every converged resource has: True, Converged, no message.
int plan_add_converged(struct plan *plan, const char *resource, const char *cluster);

// registry.listen as a URL has it, an IPv6 address in brackets.
#define PLAN_LISTEN_SIZE 272
void plan_listen_text(const struct config *config, char *text, size_t size);

// Whether a sentence of the engine says that the port of a container is taken. The engine has no
// code for it: it answers 500 (moby daemon/network, libnetwork portallocator).
bool plan_port_is_taken(const char *engine_text);
// Says who has it: a container, as far as the engine's list tells, else some process.
#define PLAN_PORT_TEXT_SIZE 640
void plan_port_text(const struct plan_input *input, char *text, size_t size);
#define PLAN_NETWORK_MISSING "there is no network %s; kind creates it with the first cluster"
#define PLAN_NODE_NOT_RUNNING "the node is not running; start it with `docker start %s`"
