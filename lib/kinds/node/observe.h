// Observes the files of a node: see struct kind.
#pragma once

#include "lib/kinds/kind.h"

int node_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                 void *ctx, struct error *err);
