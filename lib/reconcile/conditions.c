#include "lib/reconcile/conditions.h"

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/reconcile/throttle.h"

#include <sys/param.h>

#define STANDS_MS 5000 // a key that waits begins its attempts anew when it waited so long before

// Makes those keys due that see what the others bring about.
static void enqueue_followers(struct reconciler *reconciler)
{
    for (size_t i = reconciler->key_count; i > 0 && reconciler->keys[i - 1]->kind->follows; i--) {
        reconciler->keys[i - 1]->waits_since_ms = 0;
        key_enqueue(reconciler->keys[i - 1]);
    }
}

static void set_condition(struct key *key, const struct condition *condition)
{
    struct reconciler *reconciler = key->reconciler;
    enum status_change change =
        status_set(&reconciler->status, condition, reconciler->now_s, reconciler->now_ms);
    if (change == STATUS_SAME) {
        return;
    }
    log_debug("%s: %s: %s", condition->resource, reason_name(condition->reason),
              condition->message);
    reconciler->status_changed = true;
    if (change == STATUS_MOVED) {
        // For something else than before, unless it goes back and forth.
        if (reconciler->now_ms - key->waits_since_ms >= STANDS_MS) {
            key->waits_since_ms = 0;
        }
        uint64_t news_ms = reconciler->now_ms + reconciler->events.hold_ms;
        reconciler->news_ms = MIN(news_ms, reconciler->news_ms);
        if (!key->kind->follows) {
            enqueue_followers(reconciler);
        }
    }
}

static void remove_condition(struct reconciler *reconciler, const char *resource)
{
    if (status_remove(&reconciler->status, resource)) {
        reconciler->status_changed = true;
    }
}

// The record whose failure a resource's condition comes from, NULL when the plan's own stands.
static const struct record *governing(const struct key *key, const char *resource)
{
    const struct record *record = record_find(&key->records, resource);
    bool governs = record != NULL && record->message != NULL &&
                   plan_first_action(&key->plan, resource) != NULL;
    return governs ? record : NULL;
}

static struct condition of_record(const struct record *record, const char *cluster)
{
    return (struct condition){
        .resource = record->resource,
        .cluster = cluster,
        .ready = reason_is_unknown(record->reason) ? READY_UNKNOWN : READY_FALSE,
        .reason = record->reason,
        .message = record->message,
    };
}

void conditions_from_plan(struct key *key, struct plan *plan)
{
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const char *resource = key->plan.conditions[i].resource;
        if (plan_condition(plan, resource) == NULL) {
            remove_condition(key->reconciler, resource);
        }
    }
    plan_done(&key->plan);
    key->plan = TAKE_STRUCT(*plan);
    key->outdated = false;

    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const struct condition *condition = &key->plan.conditions[i];
        const struct record *record = governing(key, condition->resource);
        const struct condition shown =
            record == NULL ? *condition : of_record(record, condition->cluster);
        set_condition(key, &shown);
    }
}

// Whether time may help what failed with this reason for this error: an error without a reason of
// its own may pass unless it says that it does not.
static bool may_pass(enum reason reason, const struct error *error)
{
    return reason_may_pass(reason) || (reason == REASON_ERROR && error->kind != ERROR_PERMANENT);
}

bool conditions_failed(struct key *key, const struct input *input, const struct action *action,
                       const struct error *err)
{
    struct reconciler *reconciler = key->reconciler;
    const struct kind *kind = key->kind;
    char message[ERROR_TEXT_MAX];
    enum reason reason = kind->explain(input, action, err, message, sizeof(message));
    struct record *record = throttle_record(&key->records, action->resource);
    bool rejected = action->digest != NULL && kind->rejects != NULL && kind->rejects(action, err);
    if (rejected) {
        throttle_rejected(record, action->digest, reason, message, reconciler->now_ms,
                          reconciler_random(reconciler));
    } else {
        throttle_failed(record, reason, message, may_pass(reason, err), err->retry_ms,
                        &reconciler->config->reconcile.backoff, reconciler->now_ms,
                        reconciler_random(reconciler));
    }
    const struct condition shown = of_record(record, action->cluster);
    set_condition(key, &shown);
    return rejected;
}

enum key_result conditions_unobserved(struct key *key, const struct input *input,
                                      const struct error *why)
{
    char message[2 * ERROR_TEXT_MAX];
    struct plan plan = {0};
    struct condition condition = {.cluster = key->cluster, .message = message};
    condition.reason = key->kind->explain(input, NULL, why, message, sizeof(message));
    // That much is known.
    bool known = condition.reason == REASON_CLUSTER_NOT_FOUND ||
                 condition.reason == REASON_NODE_NOT_RUNNING ||
                 condition.reason == REASON_CONVERGING;
    condition.ready = known ? READY_FALSE : READY_UNKNOWN;
    for (size_t i = 0; i < key->plan.condition_count && !key->outdated; i++) {
        plan_set_condition(&plan, key->plan.conditions[i].resource, key->cluster, condition.ready,
                           condition.reason, "%s", message);
    }
    if (plan.condition_count == 0) {
        key->kind->resources(input, &condition, &plan);
    }
    conditions_from_plan(key, &plan);
    if (condition.reason != REASON_ERROR) {
        return conditions_result(key);
    }
    return may_pass(REASON_ERROR, why) ? KEY_WAITING : KEY_BLOCKED;
}

void conditions_remove(struct key *key)
{
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        remove_condition(key->reconciler, key->plan.conditions[i].resource);
    }
}

// How a resource that is not Ready stands: KEY_WAITING, KEY_BLOCKED, or KEY_PENDING for one that
// converges, if others let it.
static enum key_result result_of(const struct key *key, const struct condition *condition)
{
    const struct record *record = record_find(&key->records, condition->resource);
    bool rejected = record != NULL && key->reconciler->now_ms < record->rejected_until_ms;
    if (record != NULL && (rejected || governing(key, condition->resource) != NULL)) {
        return record->may_pass ? KEY_WAITING : KEY_BLOCKED;
    }
    if (condition->reason == REASON_CONVERGING) {
        return KEY_PENDING;
    }
    bool unobserved = condition->reason == REASON_ERROR && condition->ready == READY_UNKNOWN;
    bool passes = reason_may_pass(condition->reason) && !condition->stays;
    return unobserved || passes ? KEY_WAITING : KEY_BLOCKED;
}

enum key_result conditions_result(const struct key *key)
{
    bool converges = false;
    bool blocked = false;
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const struct condition *condition = &key->plan.conditions[i];
        enum key_result result =
            condition->ready == READY_TRUE ? KEY_CLEAN : result_of(key, condition);
        if (result == KEY_WAITING) {
            return KEY_WAITING;
        }
        converges = converges || result == KEY_PENDING;
        blocked = blocked || result == KEY_BLOCKED;
    }
    // What converges waits in vain for what is blocked.
    return blocked ? KEY_BLOCKED : converges ? KEY_WAITING : KEY_CLEAN;
}
