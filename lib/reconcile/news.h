// What the log tells of conditions: another reason, not another sentence for the same, and one that
// has stood for a while, since an engine that restarts has resources come and go with each of its
// events. What is on its way, as in a cluster that is being made, has to stand for longer.
// Contended is told at once: what is changed back again and again never stands. What has one cause
// is one line.
#pragma once

#include "lib/reconcile/status.h"

struct news {
    const struct condition *condition; // of the first of the resources
    const char *const *resources;      // all that have it
    size_t count;
    const char *cluster; // of all of them, NULL: of several, or of none
    enum reason before;  // of all of them, as it was told; _REASON_COUNT: not the same, or none
};

// Whether both have one cause.
bool news_is_same(const struct condition *a, const struct condition *b);

// Borrows it until it returns.
typedef void (*news_fn)(void *ctx, const struct news *news);

// Tells what has stood for hold_ms (24 times as long: what is on its way), and with it what has for
// half of that, since one cause does not show everywhere at once. Returns when there is more to
// tell, STATUS_NEVER: nothing so far.
uint64_t news_report(struct status *status, uint64_t now_ms, uint64_t hold_ms, news_fn fn,
                     void *ctx);
