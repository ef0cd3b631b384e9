#include "lib/reconcile/pass.h"

#include "lib/base/log.h"

#include <time.h>

// A leading key in back-off is left to it: the others go on without.
void pass_poll(struct reconciler *reconciler)
{
    if (reconciler->pass.poll_ms > reconciler->now_ms) {
        return;
    }
    reconciler->pass.poll_ms = KIND_NEVER;
    struct key *leader = key_leader(reconciler);
    if (leader->item.failures == 0) {
        key_enqueue(leader);
        reconciler->pass.due = true;
    } else {
        pass_enqueue_keys(reconciler, false);
        reconciler->pass.poll_ms = reconciler->now_ms + reconciler->config->reconcile.poll_ms;
    }
}

void pass_begin(struct reconciler *reconciler)
{
    if (!reconciler->pass.running) {
        reconciler->pass.running = true;
        reconciler->pass.begin_ms = reconciler->now_ms;
        reconciler->pass.begin_cpu_us = (uint64_t)clock(); // POSIX: microseconds
    }
    reconciler->pass.due = false;
    struct key *leader = key_leader(reconciler);
    leader->leads_pass = true;
    pass_join(leader);
}

static bool takes_part(const struct key *key, bool forced)
{
    const struct key *leader = key_leader(key->reconciler);
    bool silent = key->item.processing && !key->item.holds_slot;
    return key != leader && (!key->kind->behind_engine || leader->observed) &&
           (forced || key->item.failures == 0) && !silent;
}

void pass_enqueue_keys(struct reconciler *reconciler, bool forced)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        if (takes_part(reconciler->keys[i], forced)) {
            key_enqueue(reconciler->keys[i]);
        }
    }
}

void pass_spread(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        if (takes_part(key, reconciler->pass.forced)) {
            key_enqueue(key);
            pass_join(key);
        }
    }
    key_leader(reconciler)->leads_pass = false;
    if (!reconciler->pass.due) {
        reconciler->pass.forced = false; // else it is the next one's
    }
}

void pass_join(struct key *key)
{
    key->reconciler->pass.keys += !key->in_pass;
    key->in_pass = true;
}

void pass_leave(struct key *key)
{
    key->reconciler->pass.keys -= key->in_pass;
    key->in_pass = false;
}

static void take_slots(struct queue *queue, uint64_t now_ms)
{
    struct key *key = NULL;
    while ((key = (struct key *)queue_take_slot(queue, now_ms)) != NULL) {
        log_debug("%s: still under way, no longer waited for", key->id);
        pass_leave(key);
    }
}

void pass_take_slots(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->table.count; i++) {
        take_slots(&reconciler->queues[i], reconciler->now_ms);
    }
}

void pass_end(struct reconciler *reconciler)
{
    if (!reconciler->pass.running || reconciler->pass.keys > 0) {
        return;
    }
    uint64_t duration_ms = reconciler->now_ms - reconciler->pass.begin_ms;
    reconciler->pass.running = false;
    reconciler->status.passes++;
    reconciler->status.pass_ms = duration_ms;
    reconciler->status.pass_cpu_us = (uint64_t)clock() - reconciler->pass.begin_cpu_us;
    if (reconciler->mode == RECONCILE_KEEP) {
        // Counted from its begin; but passes that take long leave as much time between them.
        uint64_t poll_ms = reconciler->config->reconcile.poll_ms;
        reconciler->pass.poll_ms =
            reconciler->now_ms + (poll_ms > 2 * duration_ms ? poll_ms - duration_ms : duration_ms);
    }
}
