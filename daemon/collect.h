// Frees what is agreed on to go, in steps, each of which may be the last one of this process: the
// registry is stopped, what goes is decided once more, a container of gc's own removes it and runs
// garbage-collect, and the registry is started and asked for every tag.
#pragma once

#include "lib/config/config.h"
#include "lib/registry/mark.h"

struct collect_plan {
    struct config *config;
    const char *here;         // the root of the registry's storage on this machine
    const char *in_container; // likewise
    const struct mark_rules *rules;
    struct store *agreed; // marked by rules: the most that goes
    bool nothing;         // goes: what an interrupted gc has left is taken up all the same
};

// How long ago something has to be written before nobody is about to push what refers to it.
#define COLLECT_QUIET_SECONDS 60

// Says on stdout what it does. Returns the exit status.
int collect(const struct collect_plan *plan);
