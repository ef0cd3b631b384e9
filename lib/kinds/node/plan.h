// The plan of a node's files. Pure.
#pragma once

#include "lib/kinds/input.h"
#include "lib/kinds/plan.h"

#define NODE_PREFIX "node/" // of a key, and of its resource

// The target of each is the node's container id.
enum node_op {
    NODE_HOSTS_WRITE,    // the files are directories of NODE_CERTS_DIR
    NODE_HOSTS_REMOVE,   // likewise
    NODE_CONFIG_REPAIR,  // the files are the two beside config.toml
    NODE_CONFIG_RESTORE, // no files
    NODE_OPS,
};

// current is a struct node_current.
void node_plan(const struct input *input, const void *current, struct plan *ret);
