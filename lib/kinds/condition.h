// The state of a resource in one word and one sentence.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ready {
    READY_UNKNOWN,
    READY_FALSE,
    READY_TRUE,
};

enum reason {
    REASON_CONVERGED,
    REASON_CONVERGING,
    REASON_ENGINE_UNREACHABLE,
    REASON_PERMISSION_DENIED,
    REASON_IMAGE_PULL_FAILED,
    REASON_PORT_IN_USE,
    REASON_NAME_CONFLICT,
    REASON_STORAGE_NOT_WRITABLE,
    REASON_STORAGE_FULL,
    REASON_NETWORK_MISSING,
    REASON_NODE_NOT_RUNNING,
    REASON_FOREIGN_FILE,
    REASON_CONFIG_PATH_DISABLED,
    REASON_PROXY_IN_THE_WAY,
    REASON_API_UNREACHABLE,
    REASON_FORBIDDEN,
    REASON_CLUSTER_NOT_FOUND,
    REASON_INGRESS_CLASS_MISSING,
    REASON_GATEWAY_MISSING,
    REASON_ROUTE_NOT_ACCEPTED,
    REASON_UNAVAILABLE,
    REASON_CONTENDED,   // it does not stay as it was made
    REASON_MAINTENANCE, // `gc` is at work on it
    REASON_ERROR,
    _REASON_COUNT,
};

// The strings belong to whoever holds the condition.
struct condition {
    const char *resource;
    const char *cluster; // NULL for a resource of no cluster
    enum ready ready;
    enum reason reason;
    bool stays;          // though its reason is one that may pass
    const char *message; // one line, says what to do; "" when converged
};

const char *ready_name(enum ready ready);    // "True", "False", "Unknown"
const char *reason_name(enum reason reason); // "Converged", …

// Whether waiting may help by itself (Converging, Unavailable, ApiUnreachable, NodeNotRunning …),
// so that `apply` goes on until its timeout.
bool reason_may_pass(enum reason reason);

// What is wrong with the resource is not known to be so: nobody could be asked.
bool reason_is_unknown(enum reason reason);
