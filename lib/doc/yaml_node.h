// Between the reader and the tree.
#pragma once

#include "lib/doc/yaml.h"

// Frees what the node owns, not the node; it is all zero then.
void yaml_node_done(struct yaml_node *node);
