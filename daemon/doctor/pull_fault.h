// Why a pull in a node has failed. Pure.
#pragma once

#include "daemon/doctor/fault.h"
#include "lib/config/config.h"

struct pull_evidence {
    const char *said;  // by crictl or ctr, all of it
    bool timed_out;    // it was ended after a time
    const char *node;  // its name
    const char *alias; // "localhost:5002": what the image's name begins with
    // The node's, as it was just observed; NULL: it is as it should be, or is not known.
    const struct condition *condition;
};

struct fault pull_fault(struct arena *arena, const struct config *config,
                        const struct pull_evidence *evidence);
