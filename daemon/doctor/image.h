// The image that goes the whole way: as small as one can be, with a tag and a manifest of its own
// in each run, so that who has it is the registry that was pushed to.
#pragma once

#include "daemon/doctor/doctor.h"

#define IMAGE_REPOSITORY "hostk8s-registryd/doctor"

// Pushes it to the registry below a URL without a path. Returns 0 with doctor->digest, or -errno.
int image_push(struct doctor *doctor, const char *base, struct error *err);

// Pushes a blob as registry_push_blob does.
int image_push_blob(struct doctor *doctor, const char *base, const char *digest, const void *data,
                    size_t length, struct error *err);

// Whether it is in the registry below the URL, by doctor->answer: 1 or 0; a negative number where
// no registry says so.
int image_is_at(struct doctor *doctor, const char *base);

// Takes its manifest, and so its tag, out of the registry again. Its blobs stay, unreferenced.
int image_remove(struct doctor *doctor, const char *base, struct error *err);
