#include "lib/kinds/container/container.h"
#include "lib/kinds/kind.h"
#include "lib/kinds/node/node.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/route/route.h"

// A cluster's way is the longest, and begins in a file of a node: before the engine is busy with
// those of all nodes.
static const struct kind *const table[] = {&container_kind, &object_kind, &node_kind, &route_kind};

const struct kind_table kinds = {table, sizeof(table) / sizeof(table[0])};
const struct kind_table kinds_leading = {table, 1};
