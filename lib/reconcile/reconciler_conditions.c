// Conditions have one way into the status: condition_set. A failed action's condition stands while
// its resource still has something to do, so that a retry does not write "Converging" and the same
// failure again each time.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 256

static int condition_set(struct reconciler *reconciler, const struct condition *condition)
{
    bool changed = false;
    struct condition before = {0};
    int r = status_set(&reconciler->status, condition, reconciler->now_s, &changed, &before);
    if (r < 0 || !changed) {
        return r;
    }
    reconciler->status_changed = true;
    bool moved = before.resource == NULL || before.ready != condition->ready ||
                 before.reason != condition->reason || condition->ready != READY_TRUE;
    if (moved && reconciler->events.condition != NULL) {
        // As the status has it, with a printable message.
        const struct status_entry *now = status_get(&reconciler->status, condition->resource);
        reconciler->events.condition(reconciler->events.ctx, &now->condition,
                                     before.resource == NULL ? NULL : &before);
    }
    condition_done(&before);
    return 0;
}

static void condition_remove(struct reconciler *reconciler, const char *resource)
{
    if (status_remove(&reconciler->status, resource)) {
        reconciler->status_changed = true;
    }
}

static const struct condition *find(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (str_equal(plan->conditions[i].resource, resource)) {
            return &plan->conditions[i];
        }
    }
    return NULL;
}

// Drops the blame of resources for which the plan has nothing to do.
static void absolve(struct key *key, const struct plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < key->blamed.count; i++) {
        char *resource = key->blamed.items[i];
        if (plan_touches(plan, resource)) {
            key->blamed.items[kept++] = resource;
            continue;
        }
        if (find(plan, resource) == NULL) {
            condition_remove(key->reconciler, resource);
        }
        free(resource);
    }
    key->blamed.count = kept;
}

int conditions_from_plan(struct key *key, struct plan *plan)
{
    absolve(key, plan);
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const char *resource = key->plan.conditions[i].resource;
        if (find(plan, resource) == NULL && !strv_contains(&key->blamed, resource)) {
            condition_remove(key->reconciler, resource);
        }
    }
    plan_done(&key->plan);
    key->plan = TAKE_STRUCT(*plan);

    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const struct condition *condition = &key->plan.conditions[i];
        if (strv_contains(&key->blamed, condition->resource)) {
            continue;
        }
        int r = condition_set(key->reconciler, condition);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int conditions_unobserved(struct key *key, const struct plan_input *input, const struct error *why)
{
    struct plan plan = {0};
    // The objects go with the configuration that they and the latest plan were made of.
    const struct plan *before = key->objects.items == NULL ? NULL : &key->plan;
    int r = plan_unobserved(input, key->name, before, why, &plan, NULL);
    if (r == 0) {
        r = conditions_from_plan(key, &plan);
    }
    plan_done(&plan);
    return r;
}

int conditions_blame(struct key *key, const char *resource, const char *cluster, enum reason reason,
                     const char *message)
{
    _cleanup_free_ char *resource_copy = str_dup(resource);
    _cleanup_free_ char *cluster_copy = str_dup(cluster);
    _cleanup_free_ char *message_copy = str_dup(message);
    if (resource_copy == NULL || message_copy == NULL ||
        (cluster != NULL && cluster_copy == NULL) || strv_add_unique(&key->blamed, resource) < 0) {
        return -ENOMEM;
    }
    bool unreachable = reason == REASON_ENGINE_UNREACHABLE || reason == REASON_API_UNREACHABLE;
    return condition_set(key->reconciler, &(struct condition){
                                              .resource = resource_copy,
                                              .cluster = cluster_copy,
                                              .ready = unreachable ? READY_UNKNOWN : READY_FALSE,
                                              .reason = reason,
                                              .message = message_copy,
                                          });
}

// "image, env.A" of all actions for the resource, their verbs where they name no field.
static void fields_of(const struct plan *plan, const char *resource, char *fields, size_t size)
{
    size_t length = 0;
    fields[0] = '\0';
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = &plan->actions[i];
        if (!str_equal(action->resource, resource)) {
            continue;
        }
        size_t names = action->field_count == 0 ? 1 : action->field_count;
        for (size_t j = 0; j < names && length < size; j++) {
            const char *name = action->field_count == 0 ? action->verb : action->fields[j].path;
            int n = snprintf(fields + length, size - length, "%s%s", length == 0 ? "" : ", ", name);
            length += n < 0 ? 0 : (size_t)n;
        }
    }
}

int conditions_blame_unsteady(struct key *key)
{
    for (size_t i = 0; i < key->plan.action_count; i++) {
        const struct action *action = &key->plan.actions[i];
        if (action->step) {
            continue;
        }
        char fields[FIELDS_MAX];
        fields_of(&key->plan, action->resource, fields, sizeof(fields));
        char message[ERROR_TEXT_MAX];
        (void)snprintf(message, sizeof(message), "does not stay as declared: %s", fields);
        int r = conditions_blame(key, action->resource, action->cluster, REASON_ERROR, message);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void conditions_forget(struct key *key)
{
    absolve(key, &(struct plan){0});
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        condition_remove(key->reconciler, key->plan.conditions[i].resource);
    }
}

enum key_result conditions_result(const struct plan *plan)
{
    enum key_result result = KEY_CLEAN;
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        if (condition->ready == READY_TRUE) {
            continue;
        }
        if (reason_is_settling(condition->reason)) {
            return KEY_WAITING;
        }
        result = KEY_BLOCKED;
    }
    return result;
}

bool conditions_have(const struct plan *plan, enum reason reason)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (plan->conditions[i].ready != READY_TRUE && plan->conditions[i].reason == reason) {
            return true;
        }
    }
    return false;
}
