// Server-side apply of one object, modelled: merging by keys, field management, omitted zero
// values, and the refusals of the API server's validation that matter to a plan.
#pragma once

#include <jansson.h>

// The object after WORLD_MANAGED_BY applied body to it (before is NULL for a new object), or NULL
// when the server refuses. The caller owns the reference.
json_t *model_apply(const json_t *before, json_t *body);
