// A schema's tables as a JSON Schema (2020-12), by which an editor completes and checks the
// document. What follows from more than one value, or from the machine, it cannot tell.
#pragma once

#include "lib/doc/schema_type.h"

#include <jansson.h>

// The schema of a document that schema_decode reads; the caller owns it.
json_t *schema_json(const struct schema_field *fields);
