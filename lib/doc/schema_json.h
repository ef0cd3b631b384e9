// A schema's tables as a JSON Schema (2020-12), by which an editor completes and checks the
// document. What follows from more than one value, or from the machine, it cannot tell.
#pragma once

#include "lib/doc/schema_type.h"

#include <stdio.h>

// Prints the schema of a document that schema_decode reads. Returns 0 or -errno of the stream.
int schema_print_json(const struct schema_field *fields, FILE *out);
