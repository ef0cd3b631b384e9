// Why a pull in a node has failed. Pure.
#pragma once

#include "daemon/doctor/fault.h"

struct pull_evidence {
    const char *said;    // by crictl or ctr, all of it
    bool timed_out;      // it was ended after a time
    const char *node;    // its name
    const char *alias;   // "localhost:5002": what the image's name begins with
    const char *name;    // of the registry in the node's network
    const char *network; // of both
    // The node's, as it was just observed; NULL: it is as it should be, or is not known.
    const struct condition *condition;
};

struct fault pull_fault(struct arena *arena, const struct pull_evidence *evidence);
