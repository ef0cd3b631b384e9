// Paths as users write them in a document.
#pragma once

#include "lib/base/error.h"
#include "lib/doc/schema.h"

// Expands ~, $VAR, ${VAR} and $$ in text, and makes it absolute and clean: no `.`, `..`, double or
// trailing slashes (`..` takes the name before it away, as the engine does with its mounts). "" is
// *ret NULL. Returns 0 with *ret (the caller frees it), -EINVAL with the reason in err, -ENOMEM.
int path_expand(const char *text, const struct schema_source *source, char **ret,
                struct error *err);

// The text that path_expand reads back as path; the caller frees it. NULL when out of memory.
char *path_escape(const char *path);
