// A reconciler over a fake backend and a clock that the test moves. All functions fail the test
// when something is wrong.
#pragma once

#include "lib/reconcile/reconciler.h"
#include "tests/support/fake_backend.h"

#define FIXTURE_CONTAINER "container/hostk8s-registry"
#define FIXTURE_NETWORK "network/kind/hostk8s-registry"
#define FIXTURE_NODE "node/hostk8s-control-plane"
#define FIXTURE_NAMESPACE "kube/hostk8s/Namespace/hostk8s"
#define FIXTURE_SLICE "kube/hostk8s/EndpointSlice/hostk8s/registry-api"

struct fixture {
    struct fake_backend *fake;
    struct fake_world *world;
    struct reconciler *reconciler;
    uint64_t now_ms;
    size_t acted;             // actions carried out
    size_t failed;            // actions that failed
    size_t transitions;       // condition events
    size_t statuses;          // status events
    char last_condition[256]; // "resource Reason"
};

// An engine without the registry, network "kind", and the running node hostk8s-control-plane of
// cluster hostk8s, which the configuration declares. Triggered.
struct fixture *fixture_new(enum reconcile_mode mode);
// As fixture_new with a configuration (taken over).
struct fixture *fixture_new_with(enum reconcile_mode mode, struct config *config);
void fixture_free(struct fixture *fixture);

void fixture_step(struct fixture *fixture);
// Steps and answers until nothing is due at this time.
void fixture_run(struct fixture *fixture);
void fixture_advance(struct fixture *fixture, uint64_t ms);
// Advances to whatever is due next until the reconciler has settled, by at most ms.
void fixture_settle(struct fixture *fixture, uint64_t ms);
uint64_t fixture_next_due(const struct fixture *fixture);

// "True Converged", "False PortInUse"; "absent" for a resource that the status does not have.
void fixture_is(const struct fixture *fixture, const char *resource, const char *expected);
const char *fixture_message(const struct fixture *fixture, const char *resource);
void fixture_all_ready(const struct fixture *fixture);
