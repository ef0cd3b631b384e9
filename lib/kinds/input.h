// What is known before an attempt observes anything.
#pragma once

#include "lib/base/error.h"
#include "lib/config/config.h"
#include "lib/kinds/engine.h"
#include "lib/kinds/record.h"

#include <stdbool.h>
#include <stdint.h>

// What an attempt may know beside what it observes. Valid until the attempt ends.
struct input {
    const struct config *config;
    const struct engine *engine; // the latest observed; NULL before the first, and for a kind that
                                 // follows while it cannot be observed
    const char *name;            // of the key, behind the '/'; "" for the engine
    bool desired;                // false: what is owned is to be removed
    bool acts;                   // something may be changed: not for `plan`
    bool was_observed;           // by an earlier attempt, and its cluster not missing since then
    bool unsettled;              // for a kind that follows: what it sees may come right, since
                                 // resources of other keys are on their way
    const struct records *records;
    uint64_t now_ms; // monotonic
};
