// The state of a resource in one word and one sentence.
#pragma once

#include "lib/base/error.h"

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
    REASON_NETWORK_MISSING,
    REASON_NODE_NOT_RUNNING,
    REASON_FOREIGN_FILE,
    REASON_CONFIG_PATH_DISABLED,
    REASON_API_UNREACHABLE,
    REASON_FORBIDDEN,
    REASON_CLUSTER_NOT_FOUND,
    REASON_INGRESS_CLASS_MISSING,
    REASON_UNAVAILABLE,
    REASON_CONTENDED, // something else keeps changing it back
    REASON_ERROR,
    _REASON_COUNT,
};

struct condition {
    char *resource;
    char *cluster; // NULL for a resource of no cluster
    enum ready ready;
    enum reason reason;
    char *message; // one line, says what to do; "" when converged
};

const char *ready_name(enum ready ready);    // "True", "False", "Unknown"
const char *reason_name(enum reason reason); // "Converged", …

// Whether waiting may help by itself (Converging, Unavailable, ApiUnreachable, NodeNotRunning …),
// so that `apply` goes on until its timeout.
bool reason_is_settling(enum reason reason);

void condition_done(struct condition *condition);
