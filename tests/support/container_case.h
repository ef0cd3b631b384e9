// What an engine has, in short, and the whole plan that follows.
#pragma once

#include "lib/kinds/kind.h"
#include "tests/support/accent_engine.h"

struct container_case {
    // Words about what is beside the containers:
    //     no-image no-network silent unasked rejected removal other-image variables kept-policy
    //     storage-missing storage-forbidden storage-broken holder=NAME
    //     node=NAME,CLUSTER,STATUS,ENDED_S_AGO
    // "rejected" is the spec, as PortInUse: "it was tried"; the policy is id-1's.
    const char *world;
    // In the order of their ids id-1, id-2 …: what each one is, "running" if it is not said, and
    // what it has otherwise than that: its inspect, with ' for ".
    //     main        as it was made from the configuration, started an hour ago
    //     outdated    the same, made from another spec: of the image registry:1
    //     previous    the same, as a recreate leaves it behind, "exited"
    //     NAME        one that somebody else made of registry:2 over /srv/a, "created"
    const char *containers[3];
    // A line for each action, and for each resource that is not just ready:
    //     container-rename id-1 > hostk8s-registry-previous (recreate!) image: a -> b
    //     container: Converging: recreate is pending
    // '!' marks what is destructive, '+' a step of the action before, '?' what tries a spec out,
    // "new" is what the plan creates.
    const char *plan;
};

// What many plans have.
#define WAITS "network: Converging: waits for container/hostk8s-registry to run\n"
#define PENDING(verb) "container: Converging: " verb " is pending\n"
#define ATTACHES "network: Converging: attach is pending\n"
// The rest of a recreate behind its rename.
#define TRIED(stop)                                                                                \
    stop "container-start new (start+?)\n"                                                         \
         "network-connect new > kind (attach)\n" PENDING("recreate") ATTACHES
#define STOP "container-stop id-1 (stop+)\n"
#define RENAME "container-rename id-1 > hostk8s-registry-previous (recreate!) "
#define CREATE "container-create hostk8s-registry (create+?)\n"

// Prints both when a plan is another and fails.
void container_cases_check(const struct container_case *cases, size_t count);

// The caller frees it: the plan as above.
char *container_plan_text(const struct plan *plan);
