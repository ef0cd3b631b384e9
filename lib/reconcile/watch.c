#include "lib/reconcile/watch.h"

#include "lib/base/alloc.h"
#include "lib/base/log.h"

#include <errno.h>

#define FAILURES_WATCHED_MAX 2 // a key that fails more often is left to its back-off
#define STEADY_MS 10000        // a stream that lasted so long begins its back-off anew
#define LEADER_RETRY_MS 1000   // a local socket costs nothing to ask

// Outlives its key by the time that the stream takes to end.
struct watch {
    struct queue_item item; // first; of watches.queue
    struct reconciler *reconciler;
    struct key *key; // NULL: gone
    bool open;
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
    key->dirty = true;
    reconciler->watches.told = true;
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
        reconciler->watches.told = true;
        // The leading key's tells of other keys as well.
        reconciler->pass.due = reconciler->pass.due || watch->key == key_leader(reconciler);
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
        queue_add(&reconciler->watches.queue, item, reconciler->now_ms);
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
    if (steady) {
        uint64_t delay_ms = backoff_delay_ms(&reconciler->config->reconcile.backoff, 1,
                                             reconciler_random(reconciler));
        queue_add(queue, &watch->item, reconciler->now_ms + delay_ms);
    }
    if (watch->key == key_leader(reconciler)) {
        queue_add(queue, &watch->item, reconciler->now_ms + LEADER_RETRY_MS);
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
}

static void take_news(struct key *key)
{
    if (key->dirty && key->item.failures <= FAILURES_WATCHED_MAX) {
        key_enqueue_in(key, WATCH_COALESCE_MS);
    }
    key->dirty = false;
    if (key->watch != NULL && key->watch->item.processing && !key->watch->open) {
        take_end(key->watch);
    }
}

void watches_advance(struct reconciler *reconciler)
{
    for (size_t i = 0; reconciler->watches.told && i < reconciler->key_count; i++) {
        take_news(reconciler->keys[i]);
    }
    reconciler->watches.told = false;
    struct watch *watch = NULL;
    struct queue *queue = &reconciler->watches.queue;
    while (!reconciler_drains(reconciler) &&
           (watch = (struct watch *)queue_take(queue, reconciler->now_ms)) != NULL) {
        begin(watch);
    }
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
