// One cluster: the objects that should be there, and owned ones that should not. Pure.
#pragma once

#include "lib/kinds/input.h"
#include "lib/kinds/plan.h"

#include <errno.h>

// The target is an object's path.
enum object_op {
    OBJECT_APPLY,  // body, of the digest in argument
    OBJECT_DELETE, // with the uid in argument
    // As OBJECT_DELETE when nobody lives in the namespace. Else it is released: the label goes, and
    // it is not the program's any more. The plan cannot know which.
    OBJECT_DELETE_NAMESPACE,
};

// The code of an error of OBJECT_DELETE_NAMESPACE: whether others live there could not be told.
#define OBJECT_DOUBT EBUSY

// As in struct kind; current is a struct object_current.
void object_plan(const struct input *input, const void *current, struct plan *ret);
void object_resources(const struct input *input, const struct condition *condition,
                      struct plan *ret);
enum reason object_explain(const struct input *input, const struct action *action,
                           const struct error *error, char *message, size_t size);
