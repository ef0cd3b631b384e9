// What a reconciler is for, and whom it tells.
#pragma once

#include "lib/kinds/plan.h"
#include "lib/reconcile/status.h"

enum reconcile_mode {
    RECONCILE_KEEP,     // run: converge, again at every poll
    RECONCILE_ONCE,     // apply: converge, until nothing is pending
    RECONCILE_OBSERVE,  // plan: observe every key once, act never
    RECONCILE_TEARDOWN, // teardown: as once, with nothing desired; the key that leads acts last
    RECONCILE_OBSERVE_TEARDOWN, // what a teardown would do: observe once, with nothing desired
};

struct reconciler_events {
    // An action was carried out (err NULL) or failed. Borrowed until return.
    void (*acted)(void *ctx, const struct action *action, const struct error *err);
    // A resource's condition became another: ready or reason, or the message while it is not True.
    // before->known is false for a resource that is new.
    void (*condition)(void *ctx, const struct condition *condition,
                      const struct status_before *before);
    // Something in reconciler_status() changed.
    void (*status)(void *ctx);
    void *ctx;
};
