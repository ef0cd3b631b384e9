// Follows what changes in a cluster: a watch of each managed kind, which end together.
#pragma once

#include "lib/kinds/object/client.h"

// As in struct kind.
int object_watch(struct io *io, memory_t *memory, const struct input *input, watch_dirty_fn dirty,
                 watch_done_fn done, void *ctx, struct error *err);
void object_unwatch(struct io *io, memory_t memory);
