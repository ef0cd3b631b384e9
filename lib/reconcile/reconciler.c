#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"

#include <errno.h>

// How many keys of a kind are under way at a time, and for how long others wait for one that does
// not answer. A cluster is on its own. Nodes share the engine's connections: a node that takes its
// time tells of a busy engine, and more of them at a time would only wait there.
static const struct queue_limits limits[KEY_KIND_COUNT] = {
    [KEY_ENGINE] = {.places = 1, .patience_ms = NEVER},
    [KEY_NODE] = {.places = NODES_IN_FLIGHT, .patience_ms = NEVER},
    [KEY_CLUSTER] = {.places = CLUSTERS_IN_FLIGHT, .patience_ms = CLUSTER_PATIENCE_MS},
};
static const struct queue_limits no_limits = {.places = SIZE_MAX, .patience_ms = NEVER};

static int make_queues(struct reconciler *reconciler, const struct backoff *backoff)
{
    int r = queue_new(backoff, &no_limits, &reconciler->streams.queue);
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT && r == 0; kind++) {
        r = queue_new(backoff, &limits[kind], &reconciler->queues[kind]);
    }
    return r;
}

int reconciler_new(struct backend *backend, struct config *config, enum reconcile_mode mode,
                   const struct reconciler_events *events, struct reconciler **ret)
{
    struct reconciler *reconciler = calloc(1, sizeof(*reconciler));
    if (reconciler == NULL) {
        return -ENOMEM;
    }
    reconciler->backend = backend;
    reconciler->mode = mode;
    reconciler->events = *events;
    reconciler->pass.poll_ms = NEVER;
    reconciler->keys.compare = key_compare;
    TAILQ_INIT(&reconciler->answered);
    TAILQ_INIT(&reconciler->dirty);
    TAILQ_INIT(&reconciler->streams.ended);
    int r = make_queues(reconciler, &config->reconcile.backoff);
    if (r == 0) {
        struct key *engine = NULL;
        r = key_new(reconciler, KEY_ENGINE, "", NULL, &engine);
    }
    if (r < 0) {
        reconciler_free(reconciler);
        return r;
    }
    reconciler->config = config;
    *ret = reconciler;
    return 0;
}

void reconciler_free(struct reconciler *reconciler)
{
    if (reconciler == NULL) {
        return;
    }
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        key_free(key_at(reconciler, i));
    }
    sorted_done(&reconciler->keys);
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
        queue_free(reconciler->queues[kind]);
    }
    queue_free(reconciler->streams.queue);
    snapshot_unref(reconciler->snapshot);
    status_done(&reconciler->status);
    pull_free(&reconciler->pull);
    rejected_done(reconciler);
    config_free(reconciler->config);
    config_free(reconciler->next_config);
    free(reconciler);
}

// ---- what is to be done, and when ----

bool reconciler_acts(const struct reconciler *reconciler)
{
    return reconciler->mode != RECONCILE_OBSERVE && reconciler->mode != RECONCILE_OBSERVE_TEARDOWN;
}

bool reconciler_wants(const struct reconciler *reconciler)
{
    return reconciler->mode != RECONCILE_TEARDOWN && reconciler->mode != RECONCILE_OBSERVE_TEARDOWN;
}

bool reconciler_drains(const struct reconciler *reconciler)
{
    return reconciler->stopping || reconciler->next_config != NULL;
}

uint32_t reconciler_random(struct reconciler *reconciler)
{
    // Spreads retries, no more: a linear congruential generator does (Knuth, TAOCP 3.3.4).
    reconciler->random = reconciler->random * 1664525u + 1013904223u;
    return reconciler->random >> 16;
}

void reconciler_trigger(struct reconciler *reconciler)
{
    key_mark(key_engine(reconciler));
    reconciler->pass.due = true;
    reconciler->pass.forced = true;
    reconciler->rejected.until_ms = 0;
}

void reconciler_trigger_key(struct reconciler *reconciler, const char *name)
{
    struct key *key = key_find(reconciler, name);
    key_mark(key == NULL ? key_engine(reconciler) : key);
}

void reconciler_reload(struct reconciler *reconciler, struct config *config)
{
    config_free(reconciler->next_config);
    reconciler->next_config = config;
    reconciler->backend->ops->cancel(reconciler->backend, false);
    reconciler_trigger(reconciler);
}

void reconciler_stop(struct reconciler *reconciler)
{
    reconciler->stopping = true;
    listeners_stop(reconciler);
    reconciler->backend->ops->cancel(reconciler->backend, false);
}

static bool keys_idle(const struct reconciler *reconciler)
{
    size_t processing = 0;
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
        processing += queue_processing(reconciler->queues[kind]);
    }
    return processing == 0 && !reconciler->pull.running;
}

bool reconciler_idle(const struct reconciler *reconciler)
{
    return keys_idle(reconciler) && reconciler->streams.open == 0;
}

static bool keys_next_due(const struct reconciler *reconciler, uint64_t *ret_ms)
{
    uint64_t first_ms = NEVER;
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
        uint64_t due_ms = NEVER;
        if (queue_next_due(reconciler->queues[kind], &due_ms) && due_ms < first_ms) {
            first_ms = due_ms;
        }
    }
    *ret_ms = first_ms;
    return first_ms != NEVER;
}

bool reconciler_next_due(const struct reconciler *reconciler, uint64_t *ret_ms)
{
    bool swaps = reconciler->next_config != NULL && keys_idle(reconciler);
    if (!TAILQ_EMPTY(&reconciler->answered) || reconciler->pull.answered ||
        listeners_heard(reconciler) || (swaps && !reconciler->stopping)) {
        *ret_ms = 0;
        return true;
    }
    if (reconciler_drains(reconciler)) {
        return false;
    }
    uint64_t due_ms = reconciler->pass.poll_ms;
    uint64_t other_ms = NEVER;
    if (keys_next_due(reconciler, &other_ms) && other_ms < due_ms) {
        due_ms = other_ms;
    }
    if (queue_next_due(reconciler->streams.queue, &other_ms) && other_ms < due_ms) {
        due_ms = other_ms;
    }
    if (due_ms == NEVER) {
        return false;
    }
    *ret_ms = due_ms;
    return true;
}

// ---- one step ----

static void swap_config(struct reconciler *reconciler)
{
    if (reconciler->next_config == NULL || reconciler->stopping || !keys_idle(reconciler)) {
        return;
    }
    config_free(reconciler->config);
    reconciler->config = TAKE_PTR(reconciler->next_config);
    reconciler->pull.error = (struct error){0};
    const struct backoff *backoff = &reconciler->config->reconcile.backoff;
    for (enum key_kind kind = 0; kind < KEY_KIND_COUNT; kind++) {
        queue_set_backoff(reconciler->queues[kind], backoff);
    }
    queue_set_backoff(reconciler->streams.queue, backoff);
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        struct key *key = key_at(reconciler, i);
        key->wanted =
            reconciler_wants(reconciler) &&
            (key->kind == KEY_ENGINE || config_wants_cluster(reconciler->config, key->cluster));
        key->settle_ms = SETTLE_MS;
        key->observed = false;
        queue_reset(key_queue(key), &key->item);
        pass_leave(key);
        desired_objects_done(&key->objects); // were made of the old one
        if (!key->wanted) {
            listener_drop(key);
        }
    }
    // The others become due by the engine's observation: their way may lead through its connection.
    key_mark(key_engine(reconciler));
    reconciler->backend->ops->forget(reconciler->backend, NULL);
    reconciler->status_changed = true;
    log_debug("configuration swapped");
}

static void begin_due(struct reconciler *reconciler)
{
    // A cluster's way is the longest, and begins in a file of a node: before the engine is busy
    // with those of all nodes.
    static const enum key_kind order[] = {KEY_ENGINE, KEY_CLUSTER, KEY_NODE};
    for (size_t i = 0; i < ELEMENTS(order); i++) {
        struct queue *queue = reconciler->queues[order[i]];
        struct key *key = NULL;
        while (!reconciler_drains(reconciler) &&
               (key = (struct key *)queue_take(queue, reconciler->now_ms)) != NULL) {
            if (key->kind == KEY_ENGINE && reconciler->pass.due) {
                pass_begin(reconciler);
            }
            round_begin(key);
        }
    }
}

// The engine's turn in a teardown comes when all others are done with.
static void engine_turn(struct reconciler *reconciler)
{
    struct key *engine = key_engine(reconciler);
    if (engine->result == KEY_PENDING && engine->state == KEY_IDLE && round_may_act(engine)) {
        key_mark(engine);
    }
}

void reconciler_step(struct reconciler *reconciler, uint64_t now_ms, int64_t now_s)
{
    reconciler->now_ms = now_ms;
    reconciler->now_s = now_s;
    reconciler->random ^= (uint32_t)now_ms;
    struct key *key = NULL;
    do {
        while ((key = TAILQ_FIRST(&reconciler->answered)) != NULL) {
            TAILQ_REMOVE(&reconciler->answered, key, answered_link);
            round_advance(key);
        }
        pull_step(reconciler);
        swap_config(reconciler);
        listeners_step(reconciler);
        pass_poll(reconciler);
        engine_turn(reconciler);
        pass_lose_patience(reconciler);
        begin_due(reconciler);
    } while (!TAILQ_EMPTY(&reconciler->answered));

    pass_end(reconciler);
    if (reconciler->status_changed) {
        reconciler->status_changed = false;
        if (reconciler->events.status != NULL) {
            reconciler->events.status(reconciler->events.ctx);
        }
    }
}

// ---- what came of it ----

// A container spec that did not come up is not tried again soon.
static bool has_given_up(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    return key->kind == KEY_ENGINE && key->plan.action_count == 0 &&
           reconciler->rejected.until_ms > reconciler->now_ms;
}

static bool is_done(const struct key *key)
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
        // A cluster that waits, as for the registry's address, waits in vain for a blocked engine.
        return !reconciler_acts(reconciler) || has_given_up(key) ||
               (key->kind == KEY_CLUSTER && key->observed && key->plan.action_count == 0 &&
                key_engine(reconciler)->result == KEY_BLOCKED);
    }
    return false;
}

bool reconciler_settled(const struct reconciler *reconciler)
{
    uint64_t due_ms = 0;
    if (!keys_idle(reconciler) || reconciler->next_config != NULL ||
        (keys_next_due(reconciler, &due_ms) && due_ms <= reconciler->now_ms)) {
        return false;
    }
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        if (!is_done(key_at(reconciler, i))) {
            return false;
        }
    }
    return true;
}

bool reconciler_all_observed(const struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        const struct key *key = key_at(reconciler, i);
        if (!key->observed && !conditions_have(&key->plan, REASON_CLUSTER_NOT_FOUND)) {
            return false;
        }
    }
    return true;
}

struct status *reconciler_status(struct reconciler *reconciler)
{
    return &reconciler->status;
}

const struct config *reconciler_config(const struct reconciler *reconciler)
{
    return reconciler->config;
}

void reconciler_each_pending(const struct reconciler *reconciler,
                             void (*fn)(void *ctx, const struct action *action), void *ctx)
{
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        const struct plan *plan = &key_at(reconciler, i)->plan;
        for (size_t j = 0; j < plan->action_count; j++) {
            fn(ctx, &plan->actions[j]);
        }
    }
}
