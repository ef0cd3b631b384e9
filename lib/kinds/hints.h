// Which engine a configuration means.
#pragma once

#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/docker/docker_find.h"

// What docker_find is to go by; all of it is a copy in the arena, since a thread works with it.
struct docker_hints hints_make(const struct config *config, struct arena *arena);
