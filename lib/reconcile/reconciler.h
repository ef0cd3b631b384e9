// The heart: takes keys from the queue and leads each through observe, plan, act, observe again,
// until nothing is left to do; keeps the latest world and a condition for every resource. All I/O
// goes through a struct backend, all time comes in as a parameter, so it runs the same under a
// real loop and under a test's fake clock.
//
// Keys: "engine" (the registry container, its attachment, the list of nodes), "node/CONTAINER",
// "cluster/NAME". Nodes and clusters follow from each engine observation.
#pragma once

#include "lib/reconcile/backend.h"
#include "lib/reconcile/status.h"

#include <stdbool.h>
#include <stdint.h>

enum reconcile_mode {
    RECONCILE_KEEP,     // run: converge, again at every poll
    RECONCILE_ONCE,     // apply: converge, until nothing is pending
    RECONCILE_OBSERVE,  // plan: observe every key once, act never
    RECONCILE_TEARDOWN, // teardown: as once, with nothing wanted; the engine's key acts last
    RECONCILE_OBSERVE_TEARDOWN, // what a teardown would do: observe once, with nothing wanted
};

struct reconciler;

struct reconciler_events {
    // An action was carried out (err NULL) or failed. Borrowed until return.
    void (*acted)(void *ctx, const struct action *action, const struct error *err);
    // A resource's condition became another: ready or reason, or the message while it is not True.
    // before is NULL for a resource that is new.
    void (*condition)(void *ctx, const struct condition *condition, const struct condition *before);
    // Something in reconciler_status() changed.
    void (*status)(void *ctx);
    void *ctx;
};

// Borrows backend until reconciler_free; takes config over when it succeeds. Nothing is due before
// the first reconciler_trigger. Returns 0 or -ENOMEM.
int reconciler_new(struct backend *backend, struct config *config, enum reconcile_mode mode,
                   const struct reconciler_events *events, struct reconciler **ret);
// No key may be under way (reconciler_idle).
void reconciler_free(struct reconciler *reconciler);

// Starts a full pass now, back-off or not: start, SIGUSR1. The engine is observed first, and then
// every key is due. A container spec that was put back may be tried again.
void reconciler_trigger(struct reconciler *reconciler);
// Marks one key due now, for an event that names it. A key that is not known is left to an
// observation of the engine, which is marked instead. Whether a node runs is the engine's to say:
// a container's event is for "engine", which finds the nodes that changed.
void reconciler_trigger_key(struct reconciler *reconciler, const char *name);

// Swaps the configuration (takes it over) as soon as no key is under way, then marks every key;
// clusters that the old one wanted and the new one does not are cleaned up. What is under way ends
// as by reconciler_stop; of several configurations in a row the last one counts. The reconciler
// calls events->status after the swap.
void reconciler_reload(struct reconciler *reconciler, struct config *config);

// Takes up what the backend answered and starts what is due. Call it when reconciler_next_due says
// so, which every call of this interface and of the backend's callbacks may change.
void reconciler_step(struct reconciler *reconciler, uint64_t now_ms, int64_t now_s);
// When to call it next, false when nothing is scheduled.
bool reconciler_next_due(const struct reconciler *reconciler, uint64_t *ret_ms);

// Takes no more keys. Those that are being observed end at once; one that acts ends after its
// action in flight, since nobody would know whether a request that was cut short was carried out.
void reconciler_stop(struct reconciler *reconciler);
bool reconciler_idle(const struct reconciler *reconciler);

// Whether the latest look at every key could observe it.
bool reconciler_all_observed(const struct reconciler *reconciler);

// In every mode but RECONCILE_KEEP: nothing is left that this process could do: everything is
// converged, or every resource that is not is blocked on something outside (not settling).
bool reconciler_settled(const struct reconciler *reconciler);

// Borrowed until the next call into the reconciler. To be read and written (status_write_json)
// alone.
struct status *reconciler_status(struct reconciler *reconciler);
const struct config *reconciler_config(const struct reconciler *reconciler);

// Calls fn for every action that is pending: the engine's, the nodes', then the clusters' (in the
// two observing modes).
void reconciler_each_pending(const struct reconciler *reconciler,
                             void (*fn)(void *ctx, const struct action *action), void *ctx);
