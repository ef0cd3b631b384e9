// The kind of the key "engine": the containers that are declared, each with its place on the
// clusters' network. What it observes of the engine leads: the keys of all other kinds follow.
#pragma once

#include "lib/kinds/kind.h"

extern const struct kind container_kind;
