#include "lib/kinds/plan.h"

#include "lib/base/str.h"

#include <stdarg.h>

struct action *plan_add_action(struct plan *plan, const struct action *action)
{
    struct arena *arena = &plan->arena;
    struct action *added = arena_alloc(arena, sizeof(*added));
    *added = *action;
    added->resource = arena_dup(arena, action->resource);
    added->cluster = arena_dup(arena, action->cluster);
    added->needs = arena_dup(arena, action->needs);
    added->target = arena_dup(arena, action->target);
    added->argument = arena_dup(arena, action->argument);
    added->digest = arena_dup(arena, action->digest);
    added->body = json_incref(action->body);
    added->fields = NULL;
    added->field_count = 0;
    added->files = NULL;
    added->file_count = 0;
    added->part = action->part && plan_first_action(plan, action->resource) != NULL;
    *ARENA_GROW(arena, plan->actions, plan->action_count) = added;
    return added;
}

// What an engine or an API server says may hold anything; what a user is shown is a line.
static char *copy_line(struct plan *plan, const char *s)
{
    char *line = arena_dup(&plan->arena, s);
    if (line != NULL) {
        str_make_printable(line);
    }
    return line;
}

void plan_add_field(struct plan *plan, struct action *action, const char *path, const char *current,
                    const char *desired)
{
    *ARENA_GROW(&plan->arena, action->fields, action->field_count) = (struct field_diff){
        copy_line(plan, path), copy_line(plan, current), copy_line(plan, desired)};
}

void plan_add_file(struct plan *plan, struct action *action, const char *name, const char *content)
{
    *ARENA_GROW(&plan->arena, action->files, action->file_count) =
        (struct plan_file){arena_dup(&plan->arena, name), arena_dup(&plan->arena, content)};
}

void plan_set_condition(struct plan *plan, const char *resource, const char *cluster,
                        enum ready ready, enum reason reason, const char *format, ...)
{
    if (plan_condition(plan, resource) != NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(&plan->arena, format, args);
    va_end(args);
    str_make_printable(message);
    *ARENA_GROW(&plan->arena, plan->conditions, plan->condition_count) = (struct condition){
        .resource = arena_dup(&plan->arena, resource),
        .cluster = arena_dup(&plan->arena, cluster),
        .ready = ready,
        .reason = reason,
        .message = message,
    };
}

void plan_set_converged(struct plan *plan, const char *resource, const char *cluster)
{
    plan_set_condition(plan, resource, cluster, READY_TRUE, REASON_CONVERGED, "%s", "");
}

const struct condition *plan_condition(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (str_equal(plan->conditions[i].resource, resource)) {
            return &plan->conditions[i];
        }
    }
    return NULL;
}

const struct action *plan_first_action(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        if (str_equal(plan->actions[i]->resource, resource)) {
            return plan->actions[i];
        }
    }
    return NULL;
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        json_decref(plan->actions[i]->body);
    }
    arena_done(&plan->arena);
    *plan = (struct plan){0};
}
