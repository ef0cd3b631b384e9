// Contention: what was repaired and is changed back, again and again, is somebody else's declared
// wish. Each repair of a resource that had nothing to be done before fills its bucket by one, time
// empties it; above the brim the repairs wait, ever longer, and the condition says what is being
// fought over.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>

#define REPAIRS_MAX 10      // in a row; people who try things out stay below
#define REPAIR_LEAK_MS 5000 // one is forgotten

#define MESSAGE_MAX 400

struct contention {
    char *resource;
    unsigned repairs;
    uint64_t counted_ms;
    uint64_t until_ms; // no repair before
    struct contention *next;
};

static struct contention *find(const struct key *key, const char *resource)
{
    struct contention *contention = key->contentions;
    while (contention != NULL && !str_equal(contention->resource, resource)) {
        contention = contention->next;
    }
    return contention;
}

static struct contention *add(struct key *key, const char *resource)
{
    struct contention *contention = calloc(1, sizeof(*contention));
    char *name = str_dup(resource);
    if (contention == NULL || name == NULL) {
        free(contention);
        free(name);
        return NULL;
    }
    *contention = (struct contention){.resource = name, .next = key->contentions};
    key->contentions = contention;
    return contention;
}

static const struct action *first_action(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        if (str_equal(plan->actions[i].resource, resource)) {
            return &plan->actions[i];
        }
    }
    return NULL;
}

static void leak(struct contention *contention, uint64_t now_ms)
{
    uint64_t forgotten = (now_ms - contention->counted_ms) / REPAIR_LEAK_MS;
    if (forgotten >= contention->repairs) {
        contention->repairs = 0;
        contention->counted_ms = now_ms;
    } else {
        contention->repairs -= (unsigned)forgotten;
        contention->counted_ms += forgotten * REPAIR_LEAK_MS;
    }
}

static int explain(struct condition *condition, const struct action *action)
{
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof(message),
                   "something else keeps changing %s back; stop it, or declare what it wants",
                   action->field_count > 0 ? action->fields[0].path : "it");
    condition->ready = READY_FALSE;
    condition->reason = REASON_CONTENDED;
    return str_replace(&condition->message, message);
}

// Whether the latest look found nothing to do for the resource, whatever else it waited for, and
// held nothing back.
static bool was_settled(const struct key *key, const char *resource)
{
    const struct status_entry *before = status_get(&key->reconciler->status, resource);
    return before != NULL && before->condition.reason != REASON_CONTENDED &&
           before->condition.ready != READY_UNKNOWN && !plan_touches(&key->plan, resource);
}

static int restrain(struct key *key, struct plan *plan, struct condition *condition)
{
    struct reconciler *reconciler = key->reconciler;
    const struct action *action = first_action(plan, condition->resource);
    bool repair = action != NULL && was_settled(key, condition->resource);
    struct contention *contention = find(key, condition->resource);
    if (contention == NULL && repair) {
        contention = add(key, condition->resource);
        if (contention == NULL) {
            return -ENOMEM;
        }
        contention->counted_ms = reconciler->now_ms;
    }
    if (contention == NULL || action == NULL) {
        return 0;
    }
    leak(contention, reconciler->now_ms);
    if (repair) {
        contention->repairs++;
        if (contention->repairs > REPAIRS_MAX) {
            contention->until_ms =
                reconciler->now_ms + backoff_delay_ms(&reconciler->config->reconcile.backoff,
                                                      contention->repairs - REPAIRS_MAX,
                                                      reconciler_random(reconciler));
        }
    }
    if (reconciler->now_ms >= contention->until_ms) {
        return 0;
    }
    int r = explain(condition, action);
    // What the engine's plan does stands on what it does before.
    plan_drop_actions(plan, condition->resource, key->kind == KEY_ENGINE);
    return r;
}

int contention_restrain(struct key *key, struct plan *plan)
{
    if (key->reconciler->mode != RECONCILE_KEEP || !key->wanted) {
        return 0;
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        int r = restrain(key, plan, &plan->conditions[i]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void contention_free(struct key *key)
{
    while (key->contentions != NULL) {
        struct contention *contention = key->contentions;
        key->contentions = contention->next;
        free(contention->resource);
        free(contention);
    }
}
