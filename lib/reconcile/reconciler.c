#include "lib/reconcile/reconciler.h"

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/kinds/io.h"
#include "lib/reconcile/attempt.h"
#include "lib/reconcile/background.h"
#include "lib/reconcile/conditions.h"
#include "lib/reconcile/follow.h"
#include "lib/reconcile/pass.h"
#include "lib/reconcile/throttle.h"
#include "lib/reconcile/watch.h"

#include <assert.h>
#include <sys/param.h>

struct reconciler *reconciler_new(struct io *io, const struct kind_table *table,
                                  struct config *config, enum reconcile_mode mode,
                                  const struct reconciler_events *events)
{
    const struct backoff *backoff = &config->reconcile.backoff;
    struct reconciler *reconciler = xcalloc(1, sizeof(*reconciler));
    assert(table->count <= KINDS_MAX);
    *reconciler = (struct reconciler){.io = io,
                                      .table = *table,
                                      .config = config,
                                      .mode = mode,
                                      .events = *events,
                                      .news_ms = KIND_NEVER,
                                      .pass.poll_ms = KIND_NEVER};
    TAILQ_INIT(&reconciler->answered);
    TAILQ_INIT(&reconciler->background);
    TAILQ_INIT(&reconciler->finished);
    queue_init(&reconciler->watches.queue, backoff, SIZE_MAX, QUEUE_NEVER);
    for (size_t i = 0; i < table->count; i++) {
        queue_init(&reconciler->queues[i], backoff, table->kinds[i]->slots,
                   table->kinds[i]->slot_timeout_ms);
    }
    config_add_secrets(config, io->secrets);
    key_new(reconciler, 0, "", NULL)->desired = reconciler_desires(reconciler);
    return reconciler;
}

void reconciler_free(struct reconciler *reconciler)
{
    if (reconciler == NULL) {
        return;
    }
    while (reconciler->key_count > 0) {
        struct key *key = reconciler->keys[reconciler->key_count - 1];
        watch_drop(key);
        key_free(key);
    }
    free(reconciler->keys);
    engine_unref(reconciler->engine);
    status_done(&reconciler->status);
    config_free(reconciler->config);
    config_free(reconciler->next_config);
    free(reconciler);
}

// ---- what is to be done, and when ----

void reconciler_trigger(struct reconciler *reconciler)
{
    key_enqueue(key_leader(reconciler));
    reconciler->pass.due = true;
    reconciler->pass.forced = true;
    for (size_t i = 0; i < reconciler->key_count; i++) {
        throttle_hurry(&reconciler->keys[i]->records);
    }
}

static void cancel(struct reconciler *reconciler, bool changes_too)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *key = reconciler->keys[i];
        key->kind->cancel(reconciler->io, key->memory, changes_too);
    }
    work_cancel(reconciler->io->worker);
}

void reconciler_reload(struct reconciler *reconciler, struct config *config)
{
    config_free(reconciler->next_config);
    reconciler->next_config = config;
    config_add_secrets(config, reconciler->io->secrets);
    cancel(reconciler, false);
    reconciler_trigger(reconciler);
}

static void report_news(struct reconciler *reconciler, uint64_t hold_ms)
{
    if (reconciler->events.news != NULL) {
        reconciler->news_ms = news_report(&reconciler->status, reconciler->now_ms, hold_ms,
                                          reconciler->events.news, reconciler->events.ctx);
    }
}

void reconciler_stop(struct reconciler *reconciler)
{
    report_news(reconciler, 0);
    reconciler->stopping = true;
    watches_stop(reconciler);
    cancel(reconciler, false);
}

void reconciler_abort(struct reconciler *reconciler)
{
    cancel(reconciler, true);
}

static bool keys_are_idle(const struct reconciler *reconciler)
{
    size_t processing = 0;
    for (size_t i = 0; i < reconciler->table.count; i++) {
        processing += reconciler->queues[i].processing;
    }
    return processing == 0 && TAILQ_EMPTY(&reconciler->background) &&
           TAILQ_EMPTY(&reconciler->finished);
}

bool reconciler_is_idle(const struct reconciler *reconciler)
{
    return keys_are_idle(reconciler) && reconciler->watches.open == 0;
}

// Whether keys of this kind wait for those that hold slots, to see what these bring about.
static bool is_held_up(const struct reconciler *reconciler, size_t kind)
{
    size_t under_way = 0;
    for (size_t i = 0; i < kind; i++) {
        under_way += reconciler->queues[i].slots_held;
    }
    return under_way > 0 && reconciler->table.kinds[kind]->follows;
}

static bool swaps_config(const struct reconciler *reconciler)
{
    return reconciler->next_config != NULL && !reconciler->stopping && keys_are_idle(reconciler);
}

uint64_t reconciler_next_due(const struct reconciler *reconciler)
{
    if (!TAILQ_EMPTY(&reconciler->answered) || !TAILQ_EMPTY(&reconciler->finished) ||
        reconciler->watches.told || attempt_found_engine(reconciler) != NULL ||
        swaps_config(reconciler)) {
        return 0;
    }
    if (reconciler_drains(reconciler)) {
        return KIND_NEVER;
    }
    uint64_t watch_ms = queue_next_due(&reconciler->watches.queue);
    uint64_t due_ms = MIN(reconciler->pass.poll_ms, watch_ms);
    for (size_t i = 0; i < reconciler->table.count; i++) {
        uint64_t key_ms = queue_next_due(&reconciler->queues[i]);
        bool waits = key_ms <= reconciler->now_ms && is_held_up(reconciler, i);
        due_ms = waits ? due_ms : MIN(due_ms, key_ms);
    }
    return reconciler->events.news != NULL ? MIN(due_ms, reconciler->news_ms) : due_ms;
}

// ---- one step ----

static void swap_config(struct reconciler *reconciler)
{
    if (!swaps_config(reconciler)) {
        return;
    }
    config_free(reconciler->config);
    reconciler->config = TAKE_PTR(reconciler->next_config);
    const struct backoff *backoff = &reconciler->config->reconcile.backoff;
    reconciler->watches.queue.backoff = *backoff;
    for (size_t i = 0; i < reconciler->table.count; i++) {
        reconciler->queues[i].backoff = *backoff;
    }
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        key->waits_since_ms = 0;
        key->observed = false;
        key->outdated = true;
        queue_reset(key_queue(key), &key->item);
        pass_leave(key);
        throttle_done(&key->records);
        key->kind->invalidate(reconciler->io, &key->memory);
    }
    // The others become due by the engine's observation: their way may lead through its connection.
    key_enqueue(key_leader(reconciler));
    reconciler->status_changed = true;
    log_debug("configuration swapped");
}

static void begin_due(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->table.count; i++) {
        struct key *key = NULL;
        while (!reconciler_drains(reconciler) && !is_held_up(reconciler, i) &&
               (key = (struct key *)queue_take(&reconciler->queues[i], reconciler->now_ms)) !=
                   NULL) {
            attempt_begin(key);
        }
    }
}

// The turn of the leading key in a teardown comes when all others are done with.
static void enqueue_leader_last(struct reconciler *reconciler)
{
    struct key *leader = key_leader(reconciler);
    if (leader->result == KEY_PENDING && leader->state == KEY_IDLE && attempt_may_act(leader)) {
        key_enqueue(leader);
    }
}

void reconciler_advance(struct reconciler *reconciler, uint64_t now_ms, int64_t now_s)
{
    reconciler->now_ms = now_ms;
    reconciler->now_s = now_s;
    reconciler->io->now_ms = now_ms;
    reconciler->random ^= (uint32_t)now_ms;
    struct key *key = NULL;
    do {
        attempt_take_engine(reconciler);
        while ((key = TAILQ_FIRST(&reconciler->answered)) != NULL) {
            TAILQ_REMOVE(&reconciler->answered, key, answered_link);
            attempt_advance(key);
        }
        background_advance(reconciler);
        swap_config(reconciler);
        watches_advance(reconciler);
        pass_poll(reconciler);
        enqueue_leader_last(reconciler);
        pass_take_slots(reconciler);
        begin_due(reconciler);
    } while (!TAILQ_EMPTY(&reconciler->answered));

    pass_end(reconciler);
    if (reconciler->news_ms <= now_ms) {
        report_news(reconciler, reconciler->events.hold_ms);
    }
    if (reconciler->status_changed) {
        reconciler->status_changed = false;
        if (reconciler->events.status != NULL) {
            reconciler->events.status(reconciler->events.ctx);
        }
    }
}

// ---- what came of it ----

// blocked: a key before it is.
static bool is_done(const struct key *key, bool blocked)
{
    const struct reconciler *reconciler = key->reconciler;
    switch (key->result) {
    case KEY_NEW:
        return false;
    case KEY_CLEAN:
    case KEY_BLOCKED:
        return true;
    case KEY_PENDING:
        return !reconciler_acts(reconciler);
    case KEY_WAITING:
        // What waits for the registry's address, say, waits in vain for a blocked engine.
        blocked = key->kind->follows ? blocked : key_leader(reconciler)->result == KEY_BLOCKED;
        return !reconciler_acts(reconciler) || (key != key_leader(reconciler) && key->observed &&
                                                key->plan.action_count == 0 && blocked);
    }
    return false;
}

bool reconciler_is_settled(const struct reconciler *reconciler)
{
    if (!keys_are_idle(reconciler) || reconciler->next_config != NULL) {
        return false;
    }
    bool settled = true;
    bool blocked = false;
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *key = reconciler->keys[i];
        settled = settled && is_done(key, blocked) && key->item.due_ms > reconciler->now_ms;
        blocked = blocked || key->result == KEY_BLOCKED;
    }
    return settled;
}

bool reconciler_all_observed(const struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *key = reconciler->keys[i];
        if (!key->observed && !key_has(key, REASON_CLUSTER_NOT_FOUND)) {
            return false;
        }
    }
    const struct status *status = &reconciler->status;
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (condition->ready == READY_UNKNOWN && condition->reason != REASON_CONVERGING) {
            return false;
        }
    }
    return true;
}

const struct status *reconciler_status(const struct reconciler *reconciler)
{
    return &reconciler->status;
}

void reconciler_each_pending(const struct reconciler *reconciler,
                             void (*fn)(void *ctx, const struct action *action), void *ctx)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct plan *plan = &reconciler->keys[i]->plan;
        for (size_t j = 0; j < plan->action_count; j++) {
            fn(ctx, plan->actions[j]);
        }
    }
}
