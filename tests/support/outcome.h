// What a request of lib/api, lib/docker or lib/kube told its caller.
#pragma once

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

#include <jansson.h>

struct outcome {
    unsigned calls;
    struct error err; // of the last call; kind ERROR_NONE: none
    json_t *answer;   // likewise
};

// An api_done_fn with a struct outcome. It checks that an answer and an error exclude each other.
void outcome_done(void *ctx, json_t *answer, const struct error *err);

void outcome_clear(struct outcome *outcome);
#define _cleanup_outcome_ _cleanup_(outcome_clear)

// Asserts that it ended once, with this error text ("": none).
void outcome_is(const struct outcome *outcome, const char *text);
