// The full pass: the engine is observed first, and then every key is due. It ends with the last of
// them; one that does not answer is not waited for.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"

#include <time.h>

#define NS_PER_US 1000
#define US_PER_S 1000000

static uint64_t cpu_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

// An engine in back-off is left to it: the others go on without.
void pass_poll(struct reconciler *reconciler)
{
    if (reconciler->pass.poll_ms > reconciler->now_ms) {
        return;
    }
    reconciler->pass.poll_ms = NEVER;
    struct key *engine = key_engine(reconciler);
    if (engine->item.failures == 0) {
        key_mark(engine);
        reconciler->pass.due = true;
    } else {
        pass_mark_keys(reconciler, false);
        reconciler->pass.poll_ms = reconciler->now_ms + reconciler->config->reconcile.poll_ms;
    }
}

void pass_begin(struct reconciler *reconciler)
{
    if (!reconciler->pass.running) {
        reconciler->pass.running = true;
        reconciler->pass.begin_ms = reconciler->now_ms;
        reconciler->pass.begin_cpu_us = cpu_us();
    }
    reconciler->pass.due = false;
    struct key *engine = key_engine(reconciler);
    engine->leads_pass = true;
    pass_join(engine);
}

static bool takes_part(const struct reconciler *reconciler, const struct key *key, bool forced)
{
    bool silent = key->item.processing && !key->item.holds_place;
    return key->kind != KEY_ENGINE && (key->kind != KEY_NODE || key_engine(reconciler)->observed) &&
           (forced || key->item.failures == 0) && !silent;
}

void pass_mark_keys(struct reconciler *reconciler, bool forced)
{
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        struct key *key = key_at(reconciler, i);
        if (takes_part(reconciler, key, forced)) {
            key_mark(key);
        }
    }
}

void pass_spread(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        struct key *key = key_at(reconciler, i);
        if (takes_part(reconciler, key, reconciler->pass.forced)) {
            key_mark(key);
            pass_join(key);
        }
    }
    key_engine(reconciler)->leads_pass = false;
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

static void lose_patience(struct queue *queue, uint64_t now_ms)
{
    struct key *key = NULL;
    while ((key = (struct key *)queue_lose_patience(queue, now_ms)) != NULL) {
        log_debug("%s: still under way, no longer waited for", key->name);
        pass_leave(key);
    }
}

void pass_lose_patience(struct reconciler *reconciler)
{
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
        lose_patience(reconciler->queues[kind], reconciler->now_ms);
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
    reconciler->status.pass_cpu_us = cpu_us() - reconciler->pass.begin_cpu_us;
    if (reconciler->mode == RECONCILE_KEEP) {
        // Counted from its begin; but passes that take long leave as much time between them.
        uint64_t poll_ms = reconciler->config->reconcile.poll_ms;
        reconciler->pass.poll_ms =
            reconciler->now_ms + (poll_ms > 2 * duration_ms ? poll_ms - duration_ms : duration_ms);
    }
}
