// From a failed request to the words a user reads: which reason an error is for the resource.
#pragma once

#include "lib/plan/condition.h"
#include "lib/plan/plan.h"

// The reason for an action that failed, by its type, the error's code and HTTP status and, only for
// the engine's start errors which have no code of their own, the engine's words ("port is already
// allocated", "address already in use"). Fills message (size bytes) with the sentence.
enum reason outcome_of_action(const struct plan_input *input, const struct action *action,
                              const struct error *error, char *message, size_t size);

// The reason for a key ("engine", "node/X", "cluster/X") that could not be observed.
enum reason outcome_of_observation(const struct plan_input *input, const char *key,
                                   const struct error *error, char *message, size_t size);

// Whether it may pass by itself. An error without a reason of its own may, unless it says that it
// does not.
bool outcome_may_pass(enum reason reason, const struct error *error);
