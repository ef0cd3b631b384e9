// What the tests of lib/docker share: a client on a scripted transport, and what a call told.
#pragma once

#include "lib/docker/docker.h"
#include "tests/support/fake_transport.h"

#include <stdbool.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct docker_test {
    struct fake_transport *fake;
    struct docker *docker;
    size_t first; // the first request after the negotiation
};

struct outcome {
    size_t calls;
    bool failed;
    struct error err;
    char *answer; // compact JSON, NULL for none
};

// Setup and teardown of a test whose client has agreed on API 1.41, as Engine 20.10 does.
int docker_test_setup(void **state);
int docker_test_teardown(void **state);

// A docker_done_fn with a struct outcome. It checks that an answer and an error exclude each other.
void outcome_done(void *ctx, json_t *answer, const struct error *err);
void outcome_clear(struct outcome *outcome);

// The contents of tests/unit/docker/fixtures/NAME; the caller frees them.
char *fixture_read(const char *name, size_t *ret_length);
