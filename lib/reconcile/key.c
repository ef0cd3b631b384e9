#include "lib/reconcile/key.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/reconcile/throttle.h"

#include <stdlib.h>
#include <string.h>

bool reconciler_acts(const struct reconciler *reconciler)
{
    return reconciler->mode != RECONCILE_OBSERVE && reconciler->mode != RECONCILE_OBSERVE_TEARDOWN;
}

bool reconciler_desires(const struct reconciler *reconciler)
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

// The index of the key of this kind and id, or the one where it belongs.
static size_t find(const struct reconciler *reconciler, size_t kind, const char *id,
                   bool *ret_found)
{
    size_t low = 0;
    size_t high = reconciler->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct key *key = reconciler->keys[middle];
        int order = kind == key->kind_index ? strcmp(id, key->id) : kind < key->kind_index ? -1 : 1;
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = false;
    return low;
}

struct key *key_new(struct reconciler *reconciler, size_t kind, const char *name,
                    const char *cluster)
{
    struct key *key = xcalloc(1, sizeof(*key));
    key->reconciler = reconciler;
    key->kind = reconciler->table.kinds[kind];
    key->kind_index = kind;
    key->id = str_printf("%s%s", key->kind->prefix, name);
    key->name = key->id + strlen(key->kind->prefix);
    key->cluster = str_dup(cluster);
    queue_join(&key->item);

    bool found = false;
    size_t index = find(reconciler, kind, key->id, &found);
    (void)ARRAY_GROW(reconciler->keys, reconciler->key_count);
    struct key **at = &reconciler->keys[index];
    memmove(at + 1, at, (reconciler->key_count - 1 - index) * sizeof(*at));
    *at = key;
    return key;
}

void key_free(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    bool found = false;
    size_t index = find(reconciler, key->kind_index, key->id, &found);
    reconciler->key_count--;
    struct key **at = &reconciler->keys[index];
    memmove(at, at + 1, (reconciler->key_count - index) * sizeof(*at));

    queue_reset(key_queue(key), &key->item);
    key->kind->invalidate(reconciler->io, &key->memory);
    plan_done(&key->plan);
    throttle_done(&key->records);
    strv_done(&key->skipped);
    engine_unref(key->engine);
    free(key->id);
    free(key->cluster);
    free(key);
}

struct key *key_find(const struct reconciler *reconciler, const char *id)
{
    for (size_t kind = 0; kind < reconciler->table.count; kind++) {
        if (str_starts_with(id, reconciler->table.kinds[kind]->prefix)) {
            bool found = false;
            size_t index = find(reconciler, kind, id, &found);
            return found ? reconciler->keys[index] : NULL;
        }
    }
    return NULL;
}

struct key *key_leader(const struct reconciler *reconciler)
{
    return reconciler->keys[0];
}

struct queue *key_queue(const struct key *key)
{
    return &key->reconciler->queues[key->kind_index];
}

void key_enqueue(struct key *key)
{
    key_enqueue_in(key, 0);
}

void key_enqueue_in(struct key *key, uint64_t delay_ms)
{
    queue_add(key_queue(key), &key->item, key->reconciler->now_ms + delay_ms);
}

bool key_has(const struct key *key, enum reason reason)
{
    bool any = false;
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        any = any || key->plan.conditions[i].reason == reason;
    }
    return any;
}

static bool others_converge(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    bool any = false;
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *other = reconciler->keys[i];
        bool converges = other->result == KEY_NEW || key_has(other, REASON_CONVERGING);
        any = any || (converges && other != key);
    }
    return any;
}

struct input key_input(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    bool lost = key->kind->follows && !key_leader(reconciler)->observed;
    return (struct input){
        .config = reconciler->config,
        .engine = lost ? NULL : reconciler->engine,
        .name = key->name,
        .desired = key->desired,
        .acts = reconciler_acts(reconciler),
        .was_observed = key->was_observed,
        .unsettled = key->kind->follows && others_converge(key),
        .records = &key->records,
        .now_ms = reconciler->now_ms,
    };
}
