// The kind of the keys "node/CONTAINER": the hosts.toml files of a kind cluster's node, by which
// its containerd finds the registry, and whether that reads them. A key has one resource, of the
// same name.
#pragma once

#include "lib/kinds/kind.h"

extern const struct kind node_kind;
