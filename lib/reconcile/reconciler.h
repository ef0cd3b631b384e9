// Takes keys from the queues and leads each through attempts (attempt.c) until nothing
// is left to do, and keeps a condition for every resource. All I/O goes through the kinds' table
// and struct io, all time comes in as a parameter, so it runs the same under a real loop and under
// a test's clock.
#pragma once

#include "lib/kinds/kind.h"
#include "lib/reconcile/mode.h"

struct reconciler;

// Borrows io and what table points to until reconciler_free; takes config over. Nothing is due
// before the first reconciler_trigger.
struct reconciler *reconciler_new(struct io *io, const struct kind_table *table,
                                  struct config *config, enum reconcile_mode mode,
                                  const struct reconciler_events *events);
// No key may be under way (reconciler_is_idle). NULL is fine.
void reconciler_free(struct reconciler *reconciler);
DEFINE_CLEANUP(struct reconciler *, reconciler_free)

// Starts a full pass now, back-off or not: start, SIGUSR1. The leading key is observed first, and
// then every key is due; nothing is throttled any longer.
void reconciler_trigger(struct reconciler *reconciler);

// Swaps the configuration (takes it over) as soon as no key is under way, then every key is due;
// clusters that the old one desired and the new one does not are cleaned up. What is under way ends
// as by reconciler_stop; of several configurations in a row the last one counts.
void reconciler_reload(struct reconciler *reconciler, struct config *config);

// Takes up what was answered and starts what is due. Call it when reconciler_next_due says so,
// which every call of this interface and of the kinds' callbacks may change. now_ms is io->now_ms
// as well.
void reconciler_advance(struct reconciler *reconciler, uint64_t now_ms, int64_t now_s);
// When to call it next, monotonic; KIND_NEVER when nothing is scheduled.
uint64_t reconciler_next_due(const struct reconciler *reconciler);

// Takes no more keys. Those that are being observed end at once; one that acts ends after its
// action in flight, since nobody would know whether a request that was cut short was carried out.
void reconciler_stop(struct reconciler *reconciler);
// Cuts the action in flight short, too.
void reconciler_abort(struct reconciler *reconciler);
bool reconciler_is_idle(const struct reconciler *reconciler);

// Whether the latest attempt of every key could observe it, and each of its resources.
bool reconciler_all_observed(const struct reconciler *reconciler);

// In every mode but RECONCILE_KEEP: nothing is left that this process could do: everything is
// converged, or every resource that is not waits for somebody to change something.
bool reconciler_is_settled(const struct reconciler *reconciler);

// Borrowed until the next call into the reconciler.
const struct status *reconciler_status(const struct reconciler *reconciler);

// Calls fn for every action that is pending, kind by kind (in the two observing modes).
void reconciler_each_pending(const struct reconciler *reconciler,
                             void (*fn)(void *ctx, const struct action *action), void *ctx);
