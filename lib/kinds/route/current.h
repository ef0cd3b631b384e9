// What came for the two requests of a route, the page and the registry's API.
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
    bool has_api;       // it is a registry's, by its header
    const char *server; // who it says to be, NULL: it does not; likewise the next two
    const char *location;
    const char *title; // of a page
};

enum route_question {
    ROUTE_PAGE,
    ROUTE_API,
    ROUTE_QUESTIONS,
};

struct route_current {
    struct arena arena;
    struct route_answer answers[ROUTE_QUESTIONS];
};

// As in struct kind. NULL is fine.
void route_current_free(void *route_current);

// Decodes an answer; its strings are the arena's. server and location are headers, NULL: not there.
struct route_answer route_answer_decode(struct arena *arena, int status, const char *server,
                                        const char *location, const char *body);
