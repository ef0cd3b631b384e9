// Carries out one action of the plan: see struct kind.
#pragma once

#include "lib/kinds/kind.h"

int node_act(struct io *io, memory_t *memory, const struct action *action,
             const struct input *input, act_done_fn done, void *ctx, struct error *err);
