// The condition of a route. Pure.
#pragma once

#include "lib/kinds/input.h"
#include "lib/kinds/plan.h"

#define ROUTE_PREFIX "route/" // of the key, and of its resource

// current is a struct route_current.
void route_plan(const struct input *input, const void *current, struct plan *ret);
