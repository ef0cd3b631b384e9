// Pushing to a registry, with the requests that docker makes: the blobs first, then the manifest
// that names them. Asynchronous, with the contract of lib/api/api.h; every error has the registry's
// own words.
// https://github.com/opencontainers/distribution-spec/blob/v1.0.1/spec.md#push
#pragma once

#include "lib/api/api.h"

struct registry_blob {
    const char *repository; // "hostk8s-registryd/doctor"
    const char *digest;     // "sha256:…" of the data; NULL: it is discarded once it was taken
    const void *data;       // borrowed until done
    size_t length;
    // Where the client connects to, "http://localhost:8080": a registry that sends its client on to
    // another place cannot be pushed to by this one. Borrowed until done.
    const char *origin;
};

typedef void (*registry_pushed_fn)(void *ctx, const struct error *err);

// Begins an upload, sends the data and finishes or discards it. One that fails is discarded, too,
// before done tells why: what a registry has taken of it stays in its storage for a week otherwise.
// blob itself is copied.
int registry_push_blob(struct api *api, const struct registry_blob *blob, registry_pushed_fn done,
                       void *ctx, struct error *err);

// digest is the registry's own (Docker-Content-Digest), borrowed until return; NULL with err.
typedef void (*registry_tagged_fn)(void *ctx, const char *digest, const struct error *err);

// Puts an OCI manifest under a tag. Borrows all texts until return.
int registry_push_manifest(struct api *api, const char *repository, const char *tag,
                           const char *manifest, registry_tagged_fn done, void *ctx,
                           struct error *err);
#define REGISTRY_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
