// Whether others live in a namespace that is to be deleted: objects that neither the program nor
// the cluster itself put there. All that the API server can list in a namespace is looked at, in
// every version of every group, one request after the other: some kinds are only in one that is not
// preferred.
#pragma once

#include "lib/kube/kube.h"

// The first one that was found ("secrets/token"), borrowed until return; NULL: nobody lives there,
// or err is why that could not be told: of code OBJECT_DOUBT when it is about some of the APIs
// alone.
typedef void (*object_residents_fn)(void *ctx, const char *resident, const struct error *err);

int object_residents(struct api *kube, const char *name_space, object_residents_fn done, void *ctx,
                     struct error *err);
