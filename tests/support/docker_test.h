// What the tests of lib/docker share: a client on a scripted transport.
#pragma once

#include "lib/docker/docker.h"
#include "tests/support/fake_transport.h"
#include "tests/support/outcome.h"

#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DOCKER_TEST_TIMEOUT_MS 10000

struct docker_test {
    struct fake_transport *fake;
    struct docker *docker;
    size_t first; // the first request after the negotiation
};
extern struct docker_test docker_test;

// Setup and teardown of a test whose client has agreed on API 1.41, as Engine 20.10 does.
int docker_test_setup(void **state);
int docker_test_teardown(void **state);
#define WITH_DOCKER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, docker_test_setup, docker_test_teardown)

// The contents of tests/unit/docker/fixtures/NAME; the caller frees them. ret_length may be NULL.
char *fixture_read(const char *name, size_t *ret_length);
