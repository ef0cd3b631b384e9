// The files of manifests/: Kubernetes objects as `kubectl apply` takes them, embedded at build,
// with
// ${…} where the configuration or what was observed decides.
//
// Variables are put into the tree that was read, never into the text. A plain scalar that is
// nothing but one ${x} becomes the variable's value, of whatever type; an element of a list becomes
// the elements of a variable that is a list, each in the place of an earlier one with the same
// `name`. In a quoted scalar, and within a longer one, a variable is text. Of what a plain scalar
// may mean in YAML there is null, true, false and a number of decimal digits; all else is text.
#pragma once

#include <jansson.h>

struct manifest {
    const char *file;          // "namespace.yaml"; NULL ends the list
    const unsigned char *text; // UTF-8, ends with a NUL
};

extern const struct manifest manifests[];

// The caller owns the reference. The manifests are a part of the program: what is wrong with one,
// or has no variable, is an assertion that fails.
json_t *manifest_read(const char *file, const json_t *variables);
