// Listening: a stream for the engine and one for each cluster mark keys as soon as something
// changes; the poll finds what they miss. A stream that begins marks its key, since what changed
// before it began was not heard of, and one that ends does, since that is news too.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define COALESCE_MS 20       // a burst of events is one pass
#define FAILURES_HEARD_MAX 2 // a key that fails more often is left to its back-off
#define STEADY_MS 10000      // a stream that lasted so long begins its back-off anew
#define ENGINE_RETRY_MS 1000 // a local socket costs nothing to ask

struct listener {
    struct reconciler *reconciler;
    char *key; // "engine", "cluster/NAME"
    bool open;
    bool ended; // since the last step
    bool gone;  // its key is: goes when its stream ends
    struct error error;
    unsigned failures;
    uint64_t opened_ms;
    uint64_t due_ms; // of the next try while not open
    struct listener *next;
};

// A key that a stream marked since the last step.
static void on_dirty(void *ctx, const char *name)
{
    struct listener *listener = ctx;
    struct reconciler *reconciler = listener->reconciler;
    struct key *key = key_find(reconciler, name);
    key = key == NULL ? key_engine(reconciler) : key;
    key->dirty = true;
    reconciler->heard = true;
    reconciler_wake(reconciler);
}

static void on_end(void *ctx, const struct error *err)
{
    struct listener *listener = ctx;
    listener->open = false;
    listener->ended = true;
    listener->error = err == NULL ? (struct error){0} : *err;
    listener->reconciler->heard = true;
    reconciler_wake(listener->reconciler);
}

// What a key does in vain may be what its stream tells of: a container that ends as often as it is
// started would be started in a hot loop.
static bool is_heard(const struct reconciler *reconciler, const struct key *key)
{
    return queue_failures(reconciler->queue, key->name) <= FAILURES_HEARD_MAX;
}

static void mark_dirty_keys(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        if (key->dirty && is_heard(reconciler, key)) {
            // Cannot fail: the queue knows the key.
            (void)queue_add_at(reconciler->queue, key->name, reconciler->now_ms + COALESCE_MS);
        }
        key->dirty = false;
    }
}

static struct listener *listener_find(const struct reconciler *reconciler, const char *key)
{
    struct listener *listener = reconciler->listeners;
    while (listener != NULL && !str_equal(listener->key, key)) {
        listener = listener->next;
    }
    return listener;
}

static void listener_free(struct listener *listener)
{
    free(listener->key);
    free(listener);
}

static void add_listener(struct reconciler *reconciler, const char *key)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    char *name = str_dup(key);
    if (listener == NULL || name == NULL) {
        free(listener);
        free(name);
        return; // the next step tries again, and the poll goes on without
    }
    *listener =
        (struct listener){.reconciler = reconciler, .key = name, .next = reconciler->listeners};
    reconciler->listeners = listener;
}

// There is one for the engine and for each cluster that was observed.
static void follow_keys(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *key = reconciler->keys[i];
        if (key->kind != KEY_NODE && key->observed && key->wanted &&
            listener_find(reconciler, key->name) == NULL) {
            add_listener(reconciler, key->name);
        }
    }
    struct listener **at = &reconciler->listeners;
    while (*at != NULL) {
        struct listener *listener = *at;
        const struct key *key = key_find(reconciler, listener->key);
        bool gone = key == NULL || !key->wanted;
        if (gone && !listener->gone && listener->open) {
            reconciler->backend->ops->unlisten(reconciler->backend, listener->key);
        }
        listener->gone = gone;
        if (gone && !listener->open) {
            *at = listener->next;
            listener_free(listener);
        } else {
            at = &listener->next;
        }
    }
}

static void take_end(struct listener *listener)
{
    struct reconciler *reconciler = listener->reconciler;
    bool steady = reconciler->now_ms - listener->opened_ms >= STEADY_MS;
    listener->ended = false;
    listener->failures = steady ? 1 : listener->failures + 1;
    uint64_t delay_ms = backoff_delay_ms(&reconciler->config->reconcile.backoff, listener->failures,
                                         reconciler->random);
    if (str_equal(listener->key, KEY_NAME_ENGINE) && delay_ms > ENGINE_RETRY_MS) {
        delay_ms = ENGINE_RETRY_MS;
    }
    listener->due_ms = reconciler->now_ms + delay_ms;
    log_debug("%s: no longer listening: %s", listener->key,
              listener->error.kind == ERROR_NONE ? "the stream ended" : listener->error.text);
    // The key may have gone before its stream; the queue would know it again.
    if (key_find(reconciler, listener->key) != NULL) {
        (void)queue_add(reconciler->queue, listener->key);
    }
}

static void begin(struct listener *listener)
{
    struct reconciler *reconciler = listener->reconciler;
    struct key *key = key_find(reconciler, listener->key);
    if (!key->observed) {
        return; // its next observation shows that it can be reached
    }
    const struct plan_input input = {.config = reconciler->config, .wanted = true};
    struct error err = {0};
    listener->opened_ms = reconciler->now_ms;
    listener->open = reconciler->backend->ops->listen(reconciler->backend, listener->key, &input,
                                                      on_dirty, on_end, listener, &err) >= 0;
    if (!listener->open) {
        listener->error = err;
        listener->ended = true;
        take_end(listener);
        return;
    }
    log_debug("%s: listening", listener->key);
    (void)queue_add(reconciler->queue, listener->key);
    if (key->kind == KEY_ENGINE) {
        reconciler->pass.due = true;
    }
}

void listeners_step(struct reconciler *reconciler)
{
    if (reconciler->mode != RECONCILE_KEEP || reconciler->backend->ops->listen == NULL) {
        return;
    }
    reconciler->heard = false;
    mark_dirty_keys(reconciler);
    for (struct listener *l = reconciler->listeners; l != NULL; l = l->next) {
        if (l->ended) {
            take_end(l);
        }
    }
    follow_keys(reconciler);
    for (struct listener *l = reconciler->listeners; l != NULL; l = l->next) {
        if (!l->open && !reconciler_drains(reconciler) && l->due_ms <= reconciler->now_ms) {
            begin(l);
        }
    }
}

bool listeners_next_due(const struct reconciler *reconciler, uint64_t *ret_ms)
{
    bool any = false;
    for (const struct listener *l = reconciler->listeners; l != NULL; l = l->next) {
        const struct key *key = key_find(reconciler, l->key);
        if (!l->open && key != NULL && key->observed) {
            *ret_ms = !any || l->due_ms < *ret_ms ? l->due_ms : *ret_ms;
            any = true;
        }
    }
    return any;
}

bool listeners_open(const struct reconciler *reconciler)
{
    for (const struct listener *l = reconciler->listeners; l != NULL; l = l->next) {
        if (l->open) {
            return true;
        }
    }
    return false;
}

void listeners_stop(struct reconciler *reconciler)
{
    if (reconciler->backend->ops->unlisten != NULL) {
        reconciler->backend->ops->unlisten(reconciler->backend, NULL);
    }
}

void listeners_free(struct reconciler *reconciler)
{
    while (reconciler->listeners != NULL) {
        struct listener *listener = reconciler->listeners;
        reconciler->listeners = listener->next;
        listener_free(listener);
    }
}
