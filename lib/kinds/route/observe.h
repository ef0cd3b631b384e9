// Asks for the page and for the API: see struct kind.
#pragma once

#include "lib/kinds/kind.h"

int route_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                  void *ctx, struct error *err);
void route_cancel(struct io *io, memory_t memory, bool changes_too);
void route_invalidate(struct io *io, memory_t *memory);
