#include "tests/support/docker_test.h"

#include "lib/base/file.h"
#include "lib/base/str.h"

#define FIXTURE_BYTES_MAX (1024u * 1024u)

struct docker_test docker_test;

int docker_test_setup(_unused_ void **state)
{
    const struct docker_options options = {.host = "unix:///var/run/docker.sock",
                                           .timeout_ms = DOCKER_TEST_TIMEOUT_MS};
    _cleanup_free_ char *headers = fixture_read("ping.headers", NULL);
    const struct fake_answer ping = {.status = 200, .headers = headers, .body = "OK"};
    struct outcome outcome = {0};
    docker_test = (struct docker_test){.fake = fake_transport_new()};
    assert_int_equal(
        docker_new(fake_transport_http(docker_test.fake), &options, &docker_test.docker, NULL), 0);
    fake_transport_answer(docker_test.fake, &ping);
    assert_int_equal(docker_negotiate(docker_test.docker, outcome_done, &outcome, NULL), 0);
    assert_int_equal(fake_transport_run(docker_test.fake), 1);
    outcome_is(&outcome, "");
    docker_test.first = fake_transport_count(docker_test.fake);
    return 0;
}

int docker_test_teardown(_unused_ void **state)
{
    docker_free(docker_test.docker);
    fake_transport_free(docker_test.fake);
    return 0;
}

char *fixture_read(const char *name, size_t *ret_length)
{
    _cleanup_free_ char *path = str_printf(TEST_DATA "/unit/docker/fixtures/%s", name);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, FILE_REGULAR, &text, &length, NULL), 0);
    if (ret_length != NULL) {
        *ret_length = length;
    }
    return text;
}
