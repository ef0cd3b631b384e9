// What the reconciler under test walks: four kinds whose things are in memory. Nothing is answered
// before scripted.c lets it be.
#pragma once

#include "lib/base/buf.h"
#include "lib/kinds/io.h"
#include "lib/reconcile/reconciler.h"

#define THINGS_MAX 32

struct thing {
    const char *key; // NULL: a free place
    const char *cluster;
    bool exists;
    int value;
    // What happens instead of what should; code 0: nothing special.
    struct error observe_error;
    struct error act_error;
    bool does_not_hold; // an action changes nothing
    bool observe_hangs;
    bool act_hangs;
    bool background; // its action is one
    bool destructive;
    enum reason reason; // of its condition while nothing is to be done; 0: Converged
    bool unknown;       // whether it is Ready then
    bool stays;         // that reason
    bool unsettled;     // as it was planned last
    bool had_engine;    // as it was observed last
    const char *digest; // of its action
    bool rejects;       // a failed action rejects the digest
    // Counts.
    unsigned observed;
    unsigned acted;
    unsigned watched;
    unsigned forgotten;
};

#define OPERATIONS_MAX 64

enum operation_type { FREE, OBSERVE, ACT, WATCH };

struct operation {
    enum operation_type type;
    struct thing *thing;
    bool cancelled;
    bool hangs;
    const struct action *action;
    observe_done_fn observed;
    act_done_fn acted;
    watch_dirty_fn dirty;
    watch_done_fn ended;
    void *ctx;
};

struct scripted {
    struct reconciler *reconciler;
    struct io io;
    struct worker worker;
    uint64_t now_ms;
    int64_t now_s;
    struct thing things[THINGS_MAX]; // the first one is the engine's
    struct operation operations[OPERATIONS_MAX];
    bool network; // the engine's key has a second resource, which needs the first
    int network_value;
    uint64_t address;      // of the engine: another one makes clusters due
    struct engine *engine; // as it was last found
    struct buf log;        // what the reconciler told: "write node/a", "node/a Converging", …
    unsigned peak;         // of observations and actions at a time
};

struct observation {
    struct thing *thing;
    int value;
    int network_value;
};

// The thing of a key; there must be one.
struct thing *scripted_thing(struct scripted *scripted, const char *key);

extern const struct kind_table scripted_kinds;

// The kinds have no other way to it: whose things they are.
extern struct scripted *scripted_current;
