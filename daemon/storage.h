// Where a registry keeps its images, and what they take, in words.
#pragma once

#include "lib/api/api.h"
#include "lib/base/error.h"
#include "lib/config/config.h"
#include "lib/kinds/io.h"
#include "lib/registry/store.h"

// The root of the registry's storage: a directory of this machine, and its path in the container.
// The caller frees both. Returns 0, or -ENOTSUP and a sentence: it is nowhere here.
int storage_find(const struct config *config, char **ret_here, char **ret_in_container,
                 struct error *err);

// A client of the registry, by its published address; api_free ends it.
int storage_open_registry(const struct config *config, const struct io *io, struct api **ret,
                          struct error *err);

// On stdout. Whether all is known that the storage holds, or only what has a tag.
void storage_print(const struct store *store, bool whole);
void storage_print_json(const struct store *store, bool whole, const char *directory);
