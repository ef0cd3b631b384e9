// What came for the two requests of a route.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/error.h"

#include <stdbool.h>

// One answer, or why there is none (error.kind is not ERROR_NONE then).
struct route_answer {
    struct error error;
    int status;
    bool stays;         // by its status it does not pass
    bool is_page;       // the UI's
    bool has_api;       // it is a registry's
    const char *server; // who it says to be, NULL when it does not; likewise the next two
    const char *location;
    const char *title; // of a page
};

struct route_current {
    struct arena arena;
    struct route_answer page;
    struct route_answer api;
};

// NULL is fine.
void route_current_free(struct route_current *current);

// The headers that matter, NULL: not there; all borrowed.
struct route_headers {
    const char *server;
    const char *location;
    const char *api_version; // Docker-Distribution-Api-Version
};

// Decodes an answer; its strings are the arena's.
struct route_answer route_answer_decode(struct arena *arena, int status,
                                        const struct route_headers *headers, const char *body);
