// What a reconciler is for, and whom it tells.
#pragma once

#include "lib/kinds/plan.h"
#include "lib/reconcile/news.h"

enum reconcile_mode {
    RECONCILE_KEEP,     // run: converge, again at every poll
    RECONCILE_ONCE,     // apply: converge, until nothing is pending
    RECONCILE_OBSERVE,  // plan: observe every key once, act never
    RECONCILE_TEARDOWN, // teardown: as once, with nothing desired; the key that leads acts last
    RECONCILE_OBSERVE_TEARDOWN, // what a teardown would do: observe once, with nothing desired
};

struct reconciler_events {
    // An action was carried out (err as act_done_fn has it, but never NULL) or failed. Borrowed
    // until return.
    void (*acted)(void *ctx, const struct action *action, const struct error *err);
    // Conditions are other ones, and have been for hold_ms. NULL: nobody wants to know.
    news_fn news;
    uint64_t hold_ms;
    // Something in reconciler_status() changed.
    void (*status)(void *ctx);
    void *ctx;
};
