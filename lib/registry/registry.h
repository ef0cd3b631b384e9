// Asking a registry what it holds, by its HTTP API. Asynchronous, with the contract of
// lib/api/api.h; what comes back is borrowed until return. Names, tags and digests that no registry
// can have are left out.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
#pragma once

#include "lib/api/api.h"
#include "lib/base/strv.h"

// A client for base, "http://127.0.0.1:5002"; api_free ends it.
int registry_new(struct http_transport *transport, const char *base, uint64_t timeout_ms,
                 const struct secrets *secrets, struct api **ret, struct error *err);

// All of them, however many pages that takes. Tags: none where the repository is not known.
typedef void (*registry_names_fn)(void *ctx, const struct strv *names, const struct error *err);
int registry_repositories(struct api *api, registry_names_fn done, void *ctx, struct error *err);
int registry_tags(struct api *api, const char *repository, registry_names_fn done, void *ctx,
                  struct error *err);

// A manifest of whatever kind, by tag or digest. digest NULL: it is not there.
typedef void (*registry_manifest_fn)(void *ctx, const char *digest, const struct buf *text,
                                     const struct error *err);
int registry_manifest(struct api *api, const char *repository, const char *reference,
                      registry_manifest_fn done, void *ctx, struct error *err);

// Whether the repository has a blob, and of what size.
typedef void (*registry_size_fn)(void *ctx, bool found, uint64_t size, const struct error *err);
int registry_size(struct api *api, const char *repository, const char *digest,
                  registry_size_fn done, void *ctx, struct error *err);
