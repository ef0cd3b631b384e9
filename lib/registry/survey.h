// Asks a registry for everything that a tag reaches, one by one: each tag's manifest, the children
// of an index, and every blob that they name. Names, tags and digests that no registry can have are
// left out.
#pragma once

#include "lib/api/api.h"
#include "lib/registry/store.h"

// store is finished, not marked, and has no revision that no tag reaches; times are not known. done
// takes it over. NULL with err.
typedef void (*survey_fn)(void *ctx, struct store *store, const struct error *err);

// Borrows api until done. api_cancel ends it.
int survey_begin(struct api *api, survey_fn done, void *ctx, struct error *err);
