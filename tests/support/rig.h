// The daemon without its loop: the real backend and clients under the reconciler, over a simulated
// machine and a clock that the test moves. All functions fail the test when something is wrong; the
// program's allocations, and they alone, are watched (tests/support/alloc.h).
#pragma once

#include "lib/reconcile/reconciler.h"
#include "tests/support/guard_backend.h"
#include "tests/support/sim.h"

struct rig {
    struct sim *sim;
    struct backend *backend;
    struct guard_backend *guard;
    struct reconciler *reconciler;
    void (*on_condition)(void *ctx, const struct condition *condition);
    void (*on_acted)(void *ctx, const struct action *action, const struct error *err);
    void *ctx;
};

// The machine; nothing of the program runs yet.
struct rig *rig_new(void);
void rig_free(struct rig *rig);

// Starts the program (takes config over) and triggers it. Returns 0, or -ENOMEM with nothing
// started.
int rig_start(struct rig *rig, struct config *config, enum reconcile_mode mode);
// Takes config over.
void rig_reload(struct rig *rig, struct config *config);
void rig_trigger(struct rig *rig);
// Ends the program and waits for what is under way.
void rig_stop(struct rig *rig);

// Lets the program work until nothing is left to do at this time.
void rig_run(struct rig *rig);
// Moves the clock to what is due next, end_ms at the latest, and does that.
void rig_next(struct rig *rig, uint64_t end_ms);
// The same for all that becomes due within ms.
void rig_advance(struct rig *rig, uint64_t ms);
// Until all is done that can be done, and what the streams told is taken up; false if that takes
// longer than ms.
bool rig_settle(struct rig *rig, uint64_t ms);
// The same, and all is ready then.
void rig_converge(struct rig *rig);

bool rig_is_ready(const struct rig *rig);
void rig_assert_ready(const struct rig *rig);
