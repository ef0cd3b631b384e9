// One observation of a cluster.
#pragma once

#include "lib/kinds/object/client.h"

// As in struct kind; the current is a struct object_current.
int object_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                   void *ctx, struct error *err);
