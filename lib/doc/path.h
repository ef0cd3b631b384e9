// Paths as users write them in a document.
#pragma once

#include "lib/base/error.h"

// Bytes of a path once it is expanded.
#define PATH_BYTES_MAX 4096

// What the meaning of a path depends on beside its text.
struct path_source {
    const char *directory;                           // absolute; of the file that it stands in
    const char *(*get)(void *ctx, const char *name); // a variable of the environment, NULL: unset
    void *ctx;
};

// Expands ~, $VAR, ${VAR} and $$ in text, and makes it absolute and clean: no `.`, `..`, double or
// trailing slashes (`..` takes the name before it away, as the engine does with its mounts). "" is
// *ret NULL. Returns 0 with *ret (the caller frees it), or -EINVAL with the reason in err.
int path_expand(const char *text, const struct path_source *source, char **ret, struct error *err);

// The text that path_expand reads back as path; the caller frees it.
char *path_escape(const char *path);
