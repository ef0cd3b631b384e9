// The plan of a node's files. Pure.
#pragma once

#include "lib/kinds/input.h"
#include "lib/kinds/plan.h"

#define NODE_PREFIX "node/" // of a key, and of its resource

// The target of both is the node's container id, the files are directories of NODE_CERTS_DIR.
enum node_op {
    NODE_HOSTS_WRITE,
    NODE_HOSTS_REMOVE,
    NODE_OPS,
};

// current is a struct node_current.
void node_plan(const struct input *input, const void *current, struct plan *ret);
