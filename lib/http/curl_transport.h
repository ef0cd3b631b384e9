// The real transport: libcurl's multi interface driven by a libuv loop.
#pragma once

#include "lib/http/http.h"

#include <uv.h>

// One per loop. Clients made from it must be freed before it. curl's global state is initialised
// here and cleaned up by curl_transport_close.
int curl_transport_new(uv_loop_t *loop, struct http_transport **ret, struct error *err);

// Clients that were freed close their handles in the loop: run it (uv_run until it returns 0)
// before uv_loop_close. NULL is fine.
void curl_transport_close(struct http_transport *transport);
