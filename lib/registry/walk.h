// Reads a storage directory in the registry's own layout: names, sizes, times, the tags' links and
// the manifests. Blocks; the registry may write into it meanwhile.
// https://github.com/distribution/distribution/blob/main/registry/storage/paths.go
#pragma once

#include "lib/base/error.h"
#include "lib/registry/store.h"

// Below the root of a registry's storage.
#define WALK_LAYOUT "docker/registry/v2"

// Returns 0 with *ret finished, not marked, -E2BIG, or -errno of what cannot be read: -ENOENT when
// there is no such directory.
int walk_storage(const char *directory, struct store **ret, struct error *err);
