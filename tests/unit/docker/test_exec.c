// Commands in a container: three requests in turn. The bodies are Engine 20.10's, shortened.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <string.h>

#define CREATED "{\"Id\":\"73ab\"}\n"
#define RUNNING "{\"ID\":\"73ab\",\"Running\":true,\"ExitCode\":null}\n"
#define ENDED "{\"ID\":\"73ab\",\"Running\":false,\"ExitCode\":3}\n"
#define HEAD "engine: run a command in container node: "

struct run {
    size_t calls;
    int exit_code;
    char *output;
    struct error err;
    bool failed;
};

static void on_done(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct run *run = ctx;
    run->calls++;
    run->exit_code = exit_code;
    run->failed = err != NULL;
    if (err != NULL) {
        assert_null(output);
        run->err = *err;
    } else {
        run->output = str_dup(output);
        assert_non_null(run->output);
    }
}

static void start(struct docker_test *test, struct run *run)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo \"hi\"; exit 3", NULL};
    struct error err;
    assert_int_equal(docker_exec(test->docker, "node", argv, DOCKER_CHANGES, on_done, run, &err),
                     0);
}

static void test_requests(void **state)
{
    struct docker_test *test = *state;
    struct run run = {0};
    fake_transport_reply(test->fake, 201, CREATED);
    fake_transport_answer(test->fake,
                          &(struct fake_answer){.status = 200, .body = "hi\r\n", .chunk = 1});
    fake_transport_reply(test->fake, 200, RUNNING);
    fake_transport_reply(test->fake, 200, ENDED);
    start(test, &run);
    assert_int_equal(fake_transport_run(test->fake), 4);
    assert_int_equal(run.calls, 1);
    assert_false(run.failed);
    assert_int_equal(run.exit_code, 3);
    assert_string_equal(run.output, "hi\r\n");
    free(run.output);

    static const struct {
        enum http_method method;
        const char *path;
        const char *body;
        uint64_t timeout_ms;
        bool streamed;
    } expected[] = {
        {HTTP_POST, "/v1.41/containers/node/exec",
         "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"hi\\\"; exit 3\"],\"AttachStdout\":true,"
         "\"AttachStderr\":true,\"Tty\":true}",
         10000, false},
        {HTTP_POST, "/v1.41/exec/73ab/start", "{\"Detach\":false,\"Tty\":true}", 30000, true},
        {HTTP_GET, "/v1.41/exec/73ab/json", "", 10000, false},
        {HTTP_GET, "/v1.41/exec/73ab/json", "", 10000, false},
    };
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        const struct fake_request *sent = fake_transport_request(test->fake, test->first + i);
        assert_int_equal(sent->method, expected[i].method);
        assert_string_equal(sent->path, expected[i].path);
        assert_string_equal(sent->body, expected[i].body);
        assert_int_equal(sent->timeout_ms, expected[i].timeout_ms);
        assert_int_equal(sent->streamed, expected[i].streamed);
        assert_true(str_equal(sent->content_type, i < 2 ? "application/json" : NULL));
    }
}

#define STEPS_MAX 3

static const struct {
    struct fake_answer answers[STEPS_MAX];
    size_t requests; // that were sent
    const char *text;
    enum error_kind kind;
} failures[] = {
    {{{.status = 409, .body = "{\"message\":\"Container 865f is not running\"}"}},
     1,
     HEAD "Container 865f is not running (HTTP 409)",
     ERROR_CONFLICT},
    {{{.status = 404, .body = "{\"message\":\"No such container: node\"}"}},
     1,
     HEAD "No such container: node (HTTP 404)",
     ERROR_CONFLICT},
    {{{.status = 201, .body = "{}"}}, 1, HEAD "the answer has no id", ERROR_TRANSIENT},
    {{{.status = 201, .body = "{\"Id\":\"\"}"}}, 1, HEAD "the answer has no id", ERROR_TRANSIENT},
    {{{.status = 201, .body = "[]"}}, 1, HEAD "the answer is no object", ERROR_TRANSIENT},
    {{{.status = 201, .body = CREATED},
      {.status = 404, .body = "{\"message\":\"No such exec instance: 73ab\"}"}},
     2,
     HEAD "No such exec instance: 73ab (HTTP 404)",
     ERROR_CONFLICT},
    {{{.status = 201, .body = CREATED},
      {.status = 200,
       .body = "half",
       .error = {.kind = ERROR_TRANSIENT, .code = ETIMEDOUT, .text = "no answer within 30 s"}}},
     2,
     HEAD "no answer within 30 s",
     ERROR_TRANSIENT},
    // The engine goes between two steps.
    {{{.status = 201, .body = CREATED},
      {.error = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"}}},
     2,
     HEAD "refused",
     ERROR_TRANSIENT},
    {{{.status = 201, .body = CREATED},
      {.status = 200, .body = "hi"},
      {.status = 200, .body = "{\"Running\":false,\"ExitCode\":null}"}},
     3,
     HEAD "the answer has no exit code",
     ERROR_TRANSIENT},
    {{{.status = 201, .body = CREATED},
      {.status = 200, .body = "hi"},
      {.status = 500, .body = "{\"message\":\"gone\"}"}},
     3,
     HEAD "gone (HTTP 500)",
     ERROR_TRANSIENT},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        void *made = NULL;
        assert_int_equal(docker_test_setup(&made), 0);
        struct docker_test *test = made;
        for (size_t j = 0; j < failures[i].requests; j++) {
            fake_transport_answer(test->fake, &failures[i].answers[j]);
        }
        struct run run = {0};
        start(test, &run);
        assert_int_equal(fake_transport_run(test->fake), failures[i].requests);
        assert_int_equal(run.calls, 1);
        assert_true(run.failed);
        assert_string_equal(run.err.text, failures[i].text);
        assert_int_equal(run.err.kind, failures[i].kind);
        assert_int_equal(docker_test_teardown(&made), 0);
    }
}

static void test_output_is_bounded(void **state)
{
    struct docker_test *test = *state;
    const size_t length = DOCKER_EXEC_OUTPUT_MAX + 1000;
    _cleanup_free_ char *body = malloc(length);
    assert_non_null(body);
    memset(body, 'x', length);
    struct run run = {0};
    fake_transport_reply(test->fake, 201, CREATED);
    fake_transport_answer(
        test->fake,
        &(struct fake_answer){.status = 200, .body = body, .length = length, .chunk = 999});
    fake_transport_reply(test->fake, 200, ENDED);
    start(test, &run);
    assert_int_equal(fake_transport_run(test->fake), 3);
    assert_false(run.failed);
    assert_int_equal(strlen(run.output), DOCKER_EXEC_OUTPUT_MAX);
    free(run.output);
}

static void test_never_ends(void **state)
{
    struct docker_test *test = *state;
    struct run run = {0};
    fake_transport_reply(test->fake, 201, CREATED);
    fake_transport_reply(test->fake, 200, "");
    for (size_t i = 0; i < 200; i++) {
        fake_transport_reply(test->fake, 200, RUNNING);
    }
    start(test, &run);
    assert_int_equal(fake_transport_run(test->fake), 2 + 100);
    assert_int_equal(run.err.code, ETIMEDOUT);
    assert_string_equal(run.err.text, HEAD "it runs on after the end of its output");
}

static void test_cancel_at_every_step(void **state)
{
    struct docker_test *test = *state;
    static const char *const answers[] = {CREATED, "hi", RUNNING};
    for (size_t step = 0; step <= ELEMENTS(answers); step++) {
        struct run run = {0};
        start(test, &run);
        for (size_t i = 0; i < step; i++) {
            fake_transport_reply(test->fake, 200, answers[i]);
            assert_true(fake_transport_step(test->fake));
        }
        docker_cancel_all(test->docker);
        assert_int_equal(run.calls, 0);
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(run.calls, 1);
        assert_int_equal(run.err.code, ECANCELED);
        assert_int_equal(fake_transport_under_way(test->fake), 0);
    }
}

// The next step's request is refused at once: told from the callback of the step before.
static void test_next_step_refused(void **state)
{
    struct docker_test *test = *state;
    static const char *const answers[] = {CREATED, "hi", RUNNING};
    for (size_t step = 1; step <= ELEMENTS(answers); step++) {
        struct run run = {0};
        start(test, &run);
        for (size_t i = 0; i < step; i++) {
            fake_transport_reply(test->fake, 200, answers[i]);
            if (i + 1 == step) {
                fake_transport_refuse(test->fake, 1, EMFILE);
            }
            assert_true(fake_transport_step(test->fake));
        }
        assert_int_equal(run.calls, 1);
        assert_int_equal(run.err.code, EMFILE);
        assert_string_equal(run.err.text, HEAD "refused by the test");
        assert_int_equal(fake_transport_under_way(test->fake), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_DOCKER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, docker_test_setup, docker_test_teardown)
        WITH_DOCKER(test_requests),
        cmocka_unit_test(test_failures),
        WITH_DOCKER(test_output_is_bounded),
        WITH_DOCKER(test_never_ends),
        WITH_DOCKER(test_cancel_at_every_step),
        WITH_DOCKER(test_next_step_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
