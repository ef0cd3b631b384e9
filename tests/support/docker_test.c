#include "tests/support/docker_test.h"

#include "lib/base/str.h"

#include <stdio.h>

#define FIXTURE_BYTES_MAX (1024u * 1024u)
#define TIMEOUT_MS 10000

int docker_test_setup(void **state)
{
    struct docker_test *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    test->fake = fake_transport_new();
    const struct docker_options options = {.host = "unix:///var/run/docker.sock",
                                           .timeout_ms = TIMEOUT_MS};
    struct error err;
    assert_int_equal(docker_new(fake_transport_http(test->fake), &options, &test->docker, &err), 0);

    _cleanup_free_ char *headers = fixture_read("ping.headers", NULL);
    const struct fake_answer ping = {.status = 200, .headers = headers, .body = "OK"};
    struct outcome outcome = {0};
    fake_transport_answer(test->fake, &ping);
    assert_int_equal(docker_negotiate(test->docker, outcome_done, &outcome, &err), 0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_false(outcome.failed);
    test->first = fake_transport_count(test->fake);
    *state = test;
    return 0;
}

int docker_test_teardown(void **state)
{
    struct docker_test *test = *state;
    docker_free(test->docker);
    fake_transport_free(test->fake);
    free(test);
    return 0;
}

void outcome_done(void *ctx, json_t *answer, const struct error *err)
{
    struct outcome *outcome = ctx;
    outcome_clear(outcome);
    outcome->calls++;
    outcome->failed = err != NULL;
    if (err != NULL) {
        assert_null(answer);
        assert_int_not_equal(err->kind, ERROR_NONE);
        assert_true(err->code > 0);
        outcome->err = *err;
    } else if (answer != NULL) {
        outcome->answer = json_dumps(answer, JSON_COMPACT);
        assert_non_null(outcome->answer);
    }
}

void outcome_clear(struct outcome *outcome)
{
    free(outcome->answer);
    *outcome = (struct outcome){.calls = outcome->calls};
}

char *fixture_read(const char *name, size_t *ret_length)
{
    _cleanup_free_ char *path = str_printf("%s/unit/docker/fixtures/%s", TEST_DATA, name);
    assert_non_null(path);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *data = malloc(FIXTURE_BYTES_MAX);
    assert_non_null(data);
    size_t length = fread(data, 1, FIXTURE_BYTES_MAX - 1, file);
    assert_int_equal(ferror(file), 0);
    (void)fclose(file);
    data[length] = '\0';
    if (ret_length != NULL) {
        *ret_length = length;
    }
    return data;
}
