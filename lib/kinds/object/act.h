// Carries out one action in a cluster.
#pragma once

#include "lib/kinds/object/client.h"

// As in struct kind.
int object_act(struct io *io, memory_t *memory, const struct action *action,
               const struct input *input, act_done_fn done, void *ctx, struct error *err);
