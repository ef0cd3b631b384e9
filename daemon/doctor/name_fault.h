// Whether a node knows the registry by its name, and as the right one. Pure.
#pragma once

#include "daemon/doctor/fault.h"
#include "lib/config/config.h"

struct name_evidence {
    const char *output; // of `getent ahosts NAME`: an address and more on each line
    const char *ipv4;   // of its container on the network; NULL: none
    const char *ipv6;   // likewise
    bool timed_out;     // it was ended after a time, without any output
};

// ret_address is the one found, of the arena; NULL with a fault.
struct fault name_fault(struct arena *arena, const struct config *config,
                        const struct name_evidence *evidence, const char **ret_address);
