// The real backend: Docker and Kubernetes requests into world structs, actions into requests.
#pragma once

#include "lib/base/buf.h"
#include "lib/http/http.h"
#include "lib/reconcile/backend.h"

// Progress of an image pull, one line, borrowed until return.
typedef void (*backend_progress_fn)(void *ctx, const char *line);

// Borrows transport until backend_free. Clients are made when they are first needed, from the
// configuration of the input; forget(NULL) drops them, so that a reload may change where they go.
int backend_new(struct http_transport *transport, backend_progress_fn progress, void *ctx,
                struct backend **ret);

// What is known of the nodes' files, as text for the next process, which then reads only what has
// changed. Text of another version is refused with -EBADMSG. Both return 0 or -errno, and without
// either everything is read.
int backend_print_cache(const struct backend *base, struct buf *text);
int backend_load_cache(struct backend *base, const char *text, size_t length);

// Nothing may be under way. NULL is fine.
void backend_free(struct backend *base);
