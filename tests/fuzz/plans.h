// What holds of every plan, and of every request.
#pragma once

#include "lib/plan/plan.h"
#include "tests/support/fake_transport.h"

// Every action has a verb and is of a resource that has a condition, which is not True then. No
// resource has two. All texts are printable lines, secrets hidden. Nothing is done to storage but
// making the declared directory.
void check_plan(const struct plan_input *input, const struct plan *plan);

// Nothing but containers, images, networks and managed kinds is asked for; no volume is removed; no
// name leads elsewhere.
void check_requests(const struct fake_transport *fake);
