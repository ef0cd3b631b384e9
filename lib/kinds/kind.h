// A kind of things that are kept converged: one folder below lib/kinds, one row in kinds[]. The
// reconciler knows nothing else of them.
//
// A key ("engine", "node/hostk8s-worker", "cluster/hostk8s") is what is observed and planned at a
// time; it has one or more resources ("container/hostk8s-registry", "network/kind/…"). An attempt
// of a key is observe → plan → act → observe again.
//
// Every callback runs exactly once and never from inside the submitting call, also after a cancel
// (then with code ECANCELED); a function that returned < 0 never runs its callback.
#pragma once

#include "lib/kinds/input.h"
#include "lib/kinds/plan.h"

#include <stdbool.h>
#include <stdint.h>

// What a kind keeps for a key from attempt to attempt: connections, and what spares it requests.
// Only the kind knows what it points to; NULL at first.
typedef void *memory_t;

struct io;

// current is what was observed; the callee frees it (free_current). NULL with err.
typedef void (*observe_done_fn)(void *ctx, void *current, const struct error *err);
// err is NULL, or why it failed; one of kind ERROR_NONE tells what was done instead.
typedef void (*act_done_fn)(void *ctx, const struct error *err);
// Something that an observation of the key of this name would see may have changed.
typedef void (*watch_dirty_fn)(void *ctx, const char *key);
// The stream has ended: err is why, NULL when the peer just closed it.
typedef void (*watch_done_fn)(void *ctx, const struct error *err);
// The key NAME of a kind is to be; cluster is NULL for one of no cluster.
typedef void (*key_fn)(void *ctx, const char *name, const char *cluster);

#define KIND_NEVER UINT64_MAX

struct kind {
    const char *prefix; // of its keys: "engine" for one key of that name, "node/" for many
    // So many keys are under way at a time; one that takes longer than slot_timeout_ms gives its
    // slot to others, though it goes on.
    size_t slots;
    uint64_t slot_timeout_ms;
    // A key that waits is tried again in so many ms, and then ever more rarely.
    uint64_t settle_ms;

    // Which keys there are: by the configuration, and by the engine that was observed (NULL: none
    // yet). desired false: those that a teardown looks at.
    void (*keys_of)(const struct config *config, const struct engine *engine, bool desired,
                    key_fn add, void *ctx);
    // Whether the engine has what the key is about; else the key goes when it is not desired. NULL:
    // always.
    bool (*exists)(const struct engine *engine, const char *name);
    // It is spoken to through the engine: without an answer of that nothing is known of it.
    bool behind_engine;
    // In how many ms the key is due because the engine is another than before: 0 now, KIND_NEVER
    // not for that. NULL: never.
    uint64_t (*due_in)(const struct engine *before, const struct engine *after, const char *name);
    // Its keys see what those of all others bring about: they are due whenever one of the others'
    // resources is in another state, and begin when none of the others holds a slot. Such kinds
    // stand last in the table.
    bool follows;
    // The engine as it was last found by an observation of this kind, which may still be under way,
    // borrowed from memory; NULL: by none. The one kind that has this leads: it is observed first.
    struct engine *(*engine_of)(memory_t memory);

    // Borrows input until done.
    int (*observe)(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                   void *ctx, struct error *err);
    void (*free_current)(void *current);
    // Pure. *ret is empty before.
    void (*plan)(const struct input *input, const void *current, struct plan *ret);
    // Pure. Sets this condition for every resource that the key has by its configuration, for a key
    // that was never observed.
    void (*resources)(const struct input *input, const struct condition *condition,
                      struct plan *ret);
    // Pure. The reason for a failed action, or with action NULL a failed observation, and a
    // sentence for people in message.
    enum reason (*explain)(const struct input *input, const struct action *action,
                           const struct error *error, char *message, size_t size);
    // Whether the error says that the spec of the action's digest will not come up. NULL: never.
    bool (*rejects)(const struct action *action, const struct error *error);
    // Carries one action out. Borrows action and input until done.
    int (*act)(struct io *io, memory_t *memory, const struct action *action,
               const struct input *input, act_done_fn done, void *ctx, struct error *err);
    // Follows the events since the key was observed last, which it must have been, until the stream
    // ends. Borrows input until return. NULL: there is nothing to follow.
    int (*watch)(struct io *io, memory_t *memory, const struct input *input, watch_dirty_fn dirty,
                 watch_done_fn done, void *ctx, struct error *err);
    // Ends the stream, if there is one; its done still comes.
    void (*unwatch)(struct io *io, memory_t memory);
    // Ends the observation under way and, with changes_too, the action; done still comes. A
    // background action, which leaves nothing half done, ends in any case.
    void (*cancel)(struct io *io, memory_t memory, bool changes_too);
    // The key is no more, or its configuration is another: frees what is kept for it. What is under
    // way ends.
    void (*invalidate)(struct io *io, memory_t *memory);
};

// In the order in which keys that are due at the same time begin. The first one leads.
struct kind_table {
    const struct kind *const *kinds;
    size_t count;
};
#define KINDS_MAX 8

// Those of this program.
extern const struct kind_table kinds;
// The one that leads, alone.
extern const struct kind_table kinds_leading;
