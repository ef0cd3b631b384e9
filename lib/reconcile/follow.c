#include "lib/reconcile/follow.h"

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/reconcile/conditions.h"
#include "lib/reconcile/pass.h"
#include "lib/reconcile/watch.h"

void follow_remove(struct key *key)
{
    log_debug("%s: gone", key->id);
    conditions_remove(key);
    pass_leave(key);
    watch_drop(key);
    key_free(key);
}

// What keys_of is called for.
struct listing {
    struct reconciler *reconciler;
    size_t kind;
};

// Finds the key, or makes it, due now.
static void on_key(void *ctx, const char *name, const char *cluster)
{
    const struct listing *listing = ctx;
    struct reconciler *reconciler = listing->reconciler;
    _cleanup_free_ char *id =
        str_printf("%s%s", reconciler->table.kinds[listing->kind]->prefix, name);
    struct key *key = key_find(reconciler, id);
    if (key == NULL) {
        key = key_new(reconciler, listing->kind, name, cluster);
        log_debug("%s: appeared", key->id);
        key_enqueue(key);
        if (reconciler->pass.running) {
            pass_join(key);
        }
    }
    key->listed = true;
    key->gone = false;
    key->desired = reconciler_desires(reconciler);
}

static void list_keys(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        reconciler->keys[i]->listed = false;
    }
    for (size_t kind = 0; kind < reconciler->table.count; kind++) {
        struct listing listing = {reconciler, kind};
        reconciler->table.kinds[kind]->keys_of(reconciler->config, reconciler->engine,
                                               reconciler_desires(reconciler), on_key, &listing);
    }
}

// A key that is not listed is to be cleaned up where there is something to clean up, else it goes:
// now, or when its attempt ends.
static void drop_unlisted(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count;) {
        struct key *key = reconciler->keys[i];
        const struct kind *kind = key->kind;
        i++;
        if (key->listed) {
            continue;
        }
        if (kind->exists != NULL && kind->exists(reconciler->engine, key->name)) {
            if (key->desired) {
                key->desired = false;
                watch_drop(key);
                key_enqueue(key);
            }
        } else if (key->state == KEY_IDLE && key->background == 0) {
            follow_remove(key);
            i--;
        } else {
            key->gone = true;
        }
    }
}

void follow_engine(struct reconciler *reconciler, struct engine *engine, bool all)
{
    struct engine *before = reconciler->engine;
    reconciler->engine = engine_ref(engine);
    reconciler->status.engine = engine;
    reconciler->news_ms = reconciler->now_ms; // a cluster may be new no more
    for (size_t i = 0; i < reconciler->key_count && before != NULL; i++) {
        struct key *key = reconciler->keys[i];
        uint64_t due_ms =
            key->kind->due_in == NULL ? KIND_NEVER : key->kind->due_in(before, engine, key->name);
        if (due_ms == 0) {
            key_enqueue(key);
        } else if (due_ms != KIND_NEVER) {
            key_enqueue_in(key, due_ms);
        }
    }
    engine_unref(before);
    list_keys(reconciler);
    drop_unlisted(reconciler);
    if (all) {
        pass_enqueue_keys(reconciler, true);
    }
}

void follow_lost_engine(struct reconciler *reconciler, const struct error *why)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        if (!key->kind->behind_engine || key->state != KEY_IDLE) {
            continue; // one under way will see for itself
        }
        const struct input input = key_input(key);
        key->result = conditions_unobserved(key, &input, why);
        key->observed = false;
    }
}
