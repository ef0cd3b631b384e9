// Listening: a stream for the engine and one for each cluster mark keys as soon as something
// changes; the poll finds what they miss. A stream that begins marks its key, since what changed
// before it began was not heard of, and one that ends does, since that is news too.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"

#include <errno.h>

#define COALESCE_MS 10       // a burst of events is one pass
#define FAILURES_HEARD_MAX 2 // a key that fails more often is left to its back-off
#define STEADY_MS 10000      // a stream that lasted so long begins its back-off anew
#define ENGINE_RETRY_MS 1000 // a local socket costs nothing to ask

// Outlives its key by the time that the stream takes to end.
struct listener {
    struct queue_item item; // first; of streams.queue
    struct reconciler *reconciler;
    struct key *key; // NULL: gone
    bool open;
    bool ended; // since the last step: is in the list of those
    TAILQ_ENTRY(listener) ended_link;
    struct error error;
    uint64_t opened_ms;
};

static void on_dirty(void *ctx, const char *name)
{
    struct listener *listener = ctx;
    struct reconciler *reconciler = listener->reconciler;
    struct key *key = key_find(reconciler, name);
    key = key == NULL ? key_engine(reconciler) : key;
    if (!key->dirty) {
        key->dirty = true;
        TAILQ_INSERT_TAIL(&reconciler->dirty, key, dirty_link);
    }
}

static void on_end(void *ctx, const struct error *err)
{
    struct listener *listener = ctx;
    struct reconciler *reconciler = listener->reconciler;
    listener->open = false;
    reconciler->streams.open--;
    if (listener->key == NULL) {
        free(listener);
    } else {
        listener->error = err != NULL ? *err : (struct error){0};
        listener->ended = true;
        TAILQ_INSERT_TAIL(&reconciler->streams.ended, listener, ended_link);
    }
}

// What a key does in vain may be what its stream tells of: a container that ends as often as it is
// started would be started in a hot loop.
static bool is_heard(const struct key *key)
{
    return key->item.failures <= FAILURES_HEARD_MAX;
}

static void mark_dirty_keys(struct reconciler *reconciler)
{
    struct key *key = NULL;
    while ((key = TAILQ_FIRST(&reconciler->dirty)) != NULL) {
        TAILQ_REMOVE(&reconciler->dirty, key, dirty_link);
        key->dirty = false;
        if (is_heard(key)) {
            queue_add_at(key_queue(key), &key->item, reconciler->now_ms + COALESCE_MS);
        }
    }
}

static bool listens(const struct reconciler *reconciler)
{
    return reconciler->mode == RECONCILE_KEEP && reconciler->backend->ops->listen != NULL;
}

void listener_follow(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    if (!listens(reconciler) || key->kind == KEY_NODE || !key->wanted) {
        return;
    }
    if (key->listener == NULL) {
        struct listener *listener = calloc(1, sizeof(*listener));
        if (listener == NULL || queue_join(reconciler->streams.queue, &listener->item) < 0) {
            free(listener);
            return; // the next observation tries again, and the poll goes on without
        }
        listener->reconciler = reconciler;
        listener->key = key;
        key->listener = listener;
    }
    struct queue_item *item = &key->listener->item;
    if (!item->processing && item->due_ms == NEVER) {
        queue_add(reconciler->streams.queue, item);
    }
}

void listener_drop(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    struct listener *listener = TAKE_PTR(key->listener);
    if (listener == NULL) {
        return;
    }
    if (listener->ended) {
        TAILQ_REMOVE(&reconciler->streams.ended, listener, ended_link);
    }
    if (listener->item.processing) {
        queue_done(reconciler->streams.queue, &listener->item, QUEUE_OK, 0, reconciler->now_ms, 0);
    }
    queue_leave(reconciler->streams.queue, &listener->item);
    listener->key = NULL;
    if (listener->open) {
        reconciler->backend->ops->unlisten(reconciler->backend, key->name);
    } else {
        free(listener);
    }
}

static void open_later(struct listener *listener)
{
    struct reconciler *reconciler = listener->reconciler;
    struct queue *queue = reconciler->streams.queue;
    const struct backoff *backoff = &reconciler->config->reconcile.backoff;
    bool steady = reconciler->now_ms - listener->opened_ms >= STEADY_MS;
    uint32_t random = reconciler_random(reconciler);
    queue_done(queue, &listener->item, steady ? QUEUE_OK : QUEUE_RETRY, 0, reconciler->now_ms,
               random);
    if (steady) {
        queue_add_at(queue, &listener->item,
                     reconciler->now_ms + backoff_delay_ms(backoff, 1, random));
    }
    if (listener->key->kind == KEY_ENGINE) {
        queue_add_at(queue, &listener->item, reconciler->now_ms + ENGINE_RETRY_MS);
    }
}

static void take_end(struct listener *listener)
{
    struct reconciler *reconciler = listener->reconciler;
    log_debug("%s: no longer listening: %s", listener->key->name,
              listener->error.kind == ERROR_NONE ? "the stream ended" : listener->error.text);
    if (listener->error.code == ECANCELED) {
        // Given up on this side, as by a reload: the key's next observation opens another one.
        queue_done(reconciler->streams.queue, &listener->item, QUEUE_OK, 0, reconciler->now_ms, 0);
    } else {
        open_later(listener);
    }
    if (listener->key->observed) { // else it is to be observed anyway
        key_mark(listener->key);
    }
}

static void begin(struct listener *listener)
{
    struct reconciler *reconciler = listener->reconciler;
    struct key *key = listener->key;
    if (!key->observed) {
        // Its next observation shows that it can be reached.
        queue_done(reconciler->streams.queue, &listener->item, QUEUE_OK, 0, reconciler->now_ms, 0);
        return;
    }
    const struct plan_input input = {.config = reconciler->config, .wanted = true};
    listener->opened_ms = reconciler->now_ms;
    listener->open =
        reconciler->backend->ops->listen(reconciler->backend, key->name, &input, on_dirty, on_end,
                                         listener, &listener->error) >= 0;
    if (!listener->open) {
        take_end(listener);
        return;
    }
    log_debug("%s: listening", key->name);
    reconciler->streams.open++;
    key_mark(key);
    if (key->kind == KEY_ENGINE) {
        reconciler->pass.due = true;
    }
}

void listeners_step(struct reconciler *reconciler)
{
    mark_dirty_keys(reconciler);
    struct listener *listener = NULL;
    while ((listener = TAILQ_FIRST(&reconciler->streams.ended)) != NULL) {
        TAILQ_REMOVE(&reconciler->streams.ended, listener, ended_link);
        listener->ended = false;
        take_end(listener);
    }
    while (!reconciler_drains(reconciler) &&
           (listener = (struct listener *)queue_take(reconciler->streams.queue,
                                                     reconciler->now_ms)) != NULL) {
        begin(listener);
    }
}

bool listeners_heard(const struct reconciler *reconciler)
{
    return !TAILQ_EMPTY(&reconciler->dirty) || !TAILQ_EMPTY(&reconciler->streams.ended);
}

void listeners_stop(struct reconciler *reconciler)
{
    if (listens(reconciler)) {
        reconciler->backend->ops->unlisten(reconciler->backend, NULL);
    }
}
