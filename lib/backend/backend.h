// The real backend: Docker and Kubernetes requests into world structs, actions into requests.
#pragma once

#include "lib/http/http.h"
#include "lib/reconcile/backend.h"

// Progress of an image pull, one line, borrowed until return.
typedef void (*backend_progress_fn)(void *ctx, const char *line);

// Borrows transport until backend_free. Clients are made when they are first needed, from the
// configuration of the input; forget(NULL) drops them, so that a reload may change where they go.
int backend_new(struct http_transport *transport, backend_progress_fn progress, void *ctx,
                struct backend **ret);

// Nothing may be under way. NULL is fine.
void backend_free(struct backend *base);
