// A client of a registry's HTTP API, for lib/registry/push.h and lib/registry/survey.h.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
#pragma once

#include "lib/api/api.h"

// A client for base, "http://127.0.0.1:5002"; api_free ends it.
int registry_new(struct http_transport *transport, const char *base, uint64_t timeout_ms,
                 const struct secrets *secrets, struct api **ret, struct error *err);
