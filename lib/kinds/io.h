// What the kinds talk to the outside with: one for the process, shared by all keys.
#pragma once

#include "lib/base/secret.h"
#include "lib/docker/docker.h"
#include "lib/http/http.h"
#include "lib/work/work.h"

struct io {
    struct http_transport *transport;
    struct worker *worker;
    struct secrets *secrets; // what no text from outside may repeat
    struct docker *docker;   // the engine's client, made and dropped by the container kind; NULL
    // One line about a change that takes its time, for people, "" when it has ended; may be NULL.
    void (*progress)(void *ctx, const char *line);
    void *progress_ctx;
    uint64_t now_ms; // monotonic, of this turn of the loop
};
