// The difference of what is desired and what is current, as data: actions in the order they are to
// be done, and a condition for every resource of a key. Pure: no I/O, no clock.
//
// A plan that is interrupted anywhere is continued by the next one from what is there then.
#pragma once

#include "lib/base/arena.h"
#include "lib/kinds/condition.h"

#include <jansson.h>
#include <stddef.h>

// A field that differs, as lines to be shown. Values of environment variables are never in it:
// "(hidden)".
struct field_diff {
    const char *path;
    const char *current; // NULL: absent
    const char *desired; // NULL: should be absent
};

struct plan_file {
    const char *name;
    const char *content; // NULL for a removal
};

// Everything in it belongs to the plan, or is static.
struct action {
    int op;           // of the kind's own enum
    const char *name; // of op, for programs: "container-create"
    const char *verb; // for people: "create", "recreate", "attach", "write", "apply" …
    const char *resource;
    const char *cluster; // NULL for a resource of no cluster
    const char *needs;   // a resource without whose own actions before it this one makes no sense
    bool destructive;    // something is taken away before it is put back: a recreate, a removal
    bool part;           // a part of the action before it, not shown by `plan`
    bool background;     // takes minutes: the key goes on being observed meanwhile
    bool disruptive;     // made in vain, it is not made again within a minute
    bool gives_up;       // carried out, it means that the spec of this digest did not come up
    const char *digest;  // of the spec that it tries to bring up, or gives up; NULL: of none
    struct field_diff *fields;
    size_t field_count;
    // Arguments, as op needs them.
    const char *target;
    const char *argument;
    json_t *body;
    struct plan_file *files;
    size_t file_count;
};

// All zero is an empty plan.
struct plan {
    struct arena arena;
    struct action **actions;
    size_t action_count;
    struct condition *conditions; // one for each resource of the key
    size_t condition_count;
};

// Appends a copy of the action: strings are copied but for name and verb, which are static; the
// plan has a reference of its own to body; fields and files are left out. A step that is the first
// of its resource is none.
struct action *plan_add_action(struct plan *plan, const struct action *action);

// Copies. current or desired may be NULL (absent); both become one printable line.
void plan_add_field(struct plan *plan, struct action *action, const char *path, const char *current,
                    const char *desired);
void plan_add_file(struct plan *plan, struct action *action, const char *name, const char *content);

// Sets the condition of a resource that has none in this plan yet: the first stands.
void plan_set_condition(struct plan *plan, const char *resource, const char *cluster,
                        enum ready ready, enum reason reason, const char *format, ...)
    _printf_(6, 7);
// True, Converged, no message.
void plan_set_converged(struct plan *plan, const char *resource, const char *cluster);
// NULL when it has none.
const struct condition *plan_condition(const struct plan *plan, const char *resource);

// The first action of the resource, NULL when there is none.
const struct action *plan_first_action(const struct plan *plan, const char *resource);

void plan_done(struct plan *plan);
