// The real transport: libcurl's multi interface driven by a libuv loop.
#pragma once

#include "lib/http/http.h"

#include <uv.h>

// One per loop. Clients made from it must be freed before it. curl's global state is initialised
// here and cleaned up by curl_transport_close.
int curl_transport_new(uv_loop_t *loop, struct http_transport **ret, struct error *err);

// Starts closing; memory goes when the loop has run the close callbacks, so run the loop
// (uv_run until it returns 0) before uv_loop_close.
void curl_transport_close(struct http_transport *transport);
