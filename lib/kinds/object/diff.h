// What differs between an object as it is and as it should be, in words for people.
#pragma once

#include "lib/kinds/plan.h"

#include <jansson.h>
#include <stdbool.h>

// Adds a field to the action for each value that differs between two answers of the API server,
// without what the server itself keeps in an object (status, managedFields, resourceVersion …).
// Elements of a list are compared by their `name` where they have one, else by their place. With
// subset, desired is a manifest: what is not in it is no difference.
void object_diff(struct plan *plan, struct action *action, const json_t *current,
                 const json_t *desired, bool subset);

// Whether object_diff would add any, without subset.
bool object_differs(const json_t *current, const json_t *desired);
