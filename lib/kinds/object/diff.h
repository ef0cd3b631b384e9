// What differs between an object as it is and as it should be, in words for people.
#pragma once

#include "lib/kinds/plan.h"

#include <jansson.h>
#include <stdbool.h>

// Whether two answers of the API server differ, without what the server itself keeps in an object
// (status, managedFields, resourceVersion …). Adds a field to the action (NULL: none) for each
// value that does. Elements of a list are compared by their `name` where they have one, else by
// their place. With subset, desired is a manifest: what is not in it is no difference.
bool object_diff(struct plan *plan, struct action *action, const json_t *current,
                 const json_t *desired, bool subset);
