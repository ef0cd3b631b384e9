// What a cluster should have: a pure function of the configuration, the engine and what was
// observed.
#pragma once

#include "lib/kinds/engine.h"
#include "lib/kinds/object/current.h"

// Sets what of current's objects should be there, in the order of object_rows, by what is in
// current so far. engine may be NULL.
void object_desired_set(struct object_current *current, const struct config *config,
                        const struct engine *engine);
