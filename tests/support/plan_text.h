// A plan as text, one line for each action and condition, so that a test can say what it expects:
//
//     container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) image: a -> b
//     container/hostk8s-registry False Converging: recreate is pending
//
// '!' marks what is destructive, '+' a step of the action before.
#pragma once

#include "lib/plan/plan.h"

// The caller frees it.
char *plan_text(const struct plan *plan);

// Prints both when they differ and fails.
void assert_plan_text(const struct plan *plan, const char *expected);
