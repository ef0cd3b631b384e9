#include "lib/reconcile/watch.h"

#include "lib/base/alloc.h"
#include "lib/base/log.h"

#include <errno.h>

#define COALESCE_MS 10         // a burst of events is one attempt
#define FAILURES_WATCHED_MAX 2 // a key that fails more often is left to its back-off
#define STEADY_MS 10000        // a stream that lasted so long begins its back-off anew
#define LEADER_RETRY_MS 1000   // a local socket costs nothing to ask

// Outlives its key by the time that the stream takes to end.
struct watch {
    struct queue_item item; // first; of watches.queue
    struct reconciler *reconciler;
    struct key *key; // NULL: gone
    bool open;
    bool ended; // since the last step: is in the list of those
    TAILQ_ENTRY(watch) ended_link;
    struct error error;
    uint64_t opened_ms;
};

static void on_dirty(void *ctx, const char *id)
{
    struct watch *watch = ctx;
    struct reconciler *reconciler = watch->reconciler;
    struct key *key = key_find(reconciler, id);
    // A key that is not known is found by what the leading one observes.
    key = key == NULL ? key_leader(reconciler) : key;
    if (!key->dirty) {
        key->dirty = true;
        TAILQ_INSERT_TAIL(&reconciler->dirty, key, dirty_link);
    }
}

static void on_end(void *ctx, const struct error *err)
{
    struct watch *watch = ctx;
    struct reconciler *reconciler = watch->reconciler;
    watch->open = false;
    reconciler->watches.open--;
    if (watch->key == NULL) {
        free(watch);
    } else {
        watch->error = err != NULL ? *err : (struct error){0};
        watch->ended = true;
        TAILQ_INSERT_TAIL(&reconciler->watches.ended, watch, ended_link);
    }
}

static void enqueue_dirty_keys(struct reconciler *reconciler)
{
    struct key *key = NULL;
    while ((key = TAILQ_FIRST(&reconciler->dirty)) != NULL) {
        TAILQ_REMOVE(&reconciler->dirty, key, dirty_link);
        key->dirty = false;
        if (key->item.failures <= FAILURES_WATCHED_MAX) {
            key_enqueue_in(key, COALESCE_MS);
        }
    }
}

void watch_follow(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    if (reconciler->mode != RECONCILE_KEEP || key->kind->watch == NULL || !key->desired) {
        return;
    }
    if (key->watch == NULL) {
        key->watch = xcalloc(1, sizeof(*key->watch));
        key->watch->reconciler = reconciler;
        key->watch->key = key;
        queue_join(&key->watch->item);
    }
    struct queue_item *item = &key->watch->item;
    if (!item->processing && item->due_ms == QUEUE_NEVER) {
        queue_add(&reconciler->watches.queue, item);
    }
}

// The stream was open, or tried to be, and is not any more.
static void close_watch(struct watch *watch, enum queue_outcome outcome)
{
    struct reconciler *reconciler = watch->reconciler;
    queue_done(&reconciler->watches.queue, &watch->item, outcome, 0, reconciler->now_ms,
               reconciler_random(reconciler));
}

void watch_drop(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    struct watch *watch = TAKE_PTR(key->watch);
    if (watch == NULL) {
        return;
    }
    if (watch->ended) {
        TAILQ_REMOVE(&reconciler->watches.ended, watch, ended_link);
    }
    if (watch->item.processing) {
        close_watch(watch, QUEUE_OK);
    }
    queue_reset(&reconciler->watches.queue, &watch->item);
    watch->key = NULL;
    if (watch->open) {
        key->kind->unwatch(reconciler->io, key->memory);
    } else {
        free(watch);
    }
}

static void open_later(struct watch *watch)
{
    struct reconciler *reconciler = watch->reconciler;
    struct queue *queue = &reconciler->watches.queue;
    bool steady = reconciler->now_ms - watch->opened_ms >= STEADY_MS;
    close_watch(watch, steady ? QUEUE_OK : QUEUE_RETRY);
    uint64_t delay_ms = KIND_NEVER;
    if (steady) {
        delay_ms = backoff_delay_ms(&reconciler->config->reconcile.backoff, 1,
                                    reconciler_random(reconciler));
    }
    if (watch->key == key_leader(reconciler) && delay_ms > LEADER_RETRY_MS) {
        delay_ms = LEADER_RETRY_MS;
    }
    if (delay_ms != KIND_NEVER) {
        queue_add_at(queue, &watch->item, reconciler->now_ms + delay_ms);
    }
}

static void take_end(struct watch *watch)
{
    log_debug("%s: no longer watched: %s", watch->key->id,
              watch->error.kind == ERROR_NONE ? "the stream ended" : watch->error.text);
    if (watch->error.code == ECANCELED) {
        // Given up on this side, as by a reload: the key's next observation opens another one.
        close_watch(watch, QUEUE_OK);
    } else {
        open_later(watch);
    }
    if (watch->key->observed) { // else it is to be observed anyway
        key_enqueue(watch->key);
    }
}

static void begin(struct watch *watch)
{
    struct reconciler *reconciler = watch->reconciler;
    struct key *key = watch->key;
    if (!key->observed) {
        close_watch(watch, QUEUE_OK); // its next observation shows that it can be reached
        return;
    }
    const struct input input = key_input(key);
    watch->opened_ms = reconciler->now_ms;
    watch->open = key->kind->watch(reconciler->io, &key->memory, &input, on_dirty, on_end, watch,
                                   &watch->error) >= 0;
    if (!watch->open) {
        take_end(watch);
        return;
    }
    log_debug("%s: watched", key->id);
    reconciler->watches.open++;
    key_enqueue(key);
    if (key == key_leader(reconciler)) {
        reconciler->pass.due = true;
    }
}

void watches_advance(struct reconciler *reconciler)
{
    enqueue_dirty_keys(reconciler);
    struct watch *watch = NULL;
    while ((watch = TAILQ_FIRST(&reconciler->watches.ended)) != NULL) {
        TAILQ_REMOVE(&reconciler->watches.ended, watch, ended_link);
        watch->ended = false;
        take_end(watch);
    }
    struct queue *queue = &reconciler->watches.queue;
    while (!reconciler_drains(reconciler) &&
           (watch = (struct watch *)queue_take(queue, reconciler->now_ms)) != NULL) {
        begin(watch);
    }
}

bool watches_have_news(const struct reconciler *reconciler)
{
    return !TAILQ_EMPTY(&reconciler->dirty) || !TAILQ_EMPTY(&reconciler->watches.ended);
}

void watches_stop(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *key = reconciler->keys[i];
        if (key->watch != NULL && key->watch->open) {
            key->kind->unwatch(reconciler->io, key->memory);
        }
    }
}
