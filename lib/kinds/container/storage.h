// What is said of a registry's storage. Pure.
#pragma once

#include "lib/kinds/container/current.h"

// Why a registry cannot write there while others can, as far as its engine explains it, and what
// to do: for "…; CURE".
const char *storage_cure(struct arena *arena, const struct engine_about *about,
                         const struct container_spec *spec, const struct storage *storage);

// What is left on its file system, in a sentence; NULL: enough, or nobody knows.
const char *storage_left(struct arena *arena, const struct container_spec *spec,
                         const struct storage *storage);
