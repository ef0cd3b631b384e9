// The kind `object`: what the program keeps in a kind cluster, keys "cluster/NAME".
#pragma once

#include "lib/kinds/kind.h"

extern const struct kind object_kind;
