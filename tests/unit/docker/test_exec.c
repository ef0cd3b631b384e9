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
    size_t output_length;
    char output[16]; // its beginning
    struct error err;
};

static void on_done(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct run *run = ctx;
    assert_true((output == NULL) == (err != NULL));
    run->calls++;
    run->exit_code = exit_code;
    run->output_length = output == NULL ? 0 : strlen(output);
    (void)snprintf(run->output, sizeof(run->output), "%s", output == NULL ? "" : output);
    run->err = err == NULL ? (struct error){0} : *err;
}

static void start(struct run *run)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo \"hi\"; exit 3", NULL};
    *run = (struct run){0};
    assert_int_equal(docker_exec(docker_test.docker, "node", argv, API_CHANGES, on_done, run, NULL),
                     0);
}

static void test_requests(_unused_ void **state)
{
    static const char *const answers[] = {CREATED, "hi\r\n", RUNNING, ENDED};
    static const struct {
        enum http_method method;
        const char *path;
        const char *body;
        uint64_t timeout_ms;
    } expected[] = {
        {HTTP_POST, "/v1.41/containers/node/exec",
         "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"hi\\\"; exit 3\"],\"AttachStdout\":true,"
         "\"AttachStderr\":true,\"Tty\":true}",
         DOCKER_TEST_TIMEOUT_MS},
        {HTTP_POST, "/v1.41/exec/73ab/start", "{\"Detach\":false,\"Tty\":true}", 30000},
        {HTTP_GET, "/v1.41/exec/73ab/json", "", DOCKER_TEST_TIMEOUT_MS},
        {HTTP_GET, "/v1.41/exec/73ab/json", "", DOCKER_TEST_TIMEOUT_MS},
    };
    struct run run;
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        fake_transport_reply(docker_test.fake, 200, answers[i]);
    }
    start(&run);
    assert_int_equal(fake_transport_run(docker_test.fake), 4);
    assert_int_equal(run.calls, 1);
    assert_int_equal(run.err.kind, ERROR_NONE);
    assert_int_equal(run.exit_code, 3);
    assert_string_equal(run.output, "hi\r\n");
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        const struct fake_request *sent =
            fake_transport_request(docker_test.fake, docker_test.first + i);
        assert_int_equal(sent->method, expected[i].method);
        assert_string_equal(sent->path, expected[i].path);
        assert_string_equal(sent->body, expected[i].body);
        assert_int_equal(sent->timeout_ms, expected[i].timeout_ms);
        assert_true(str_equal(sent->content_type, i < 2 ? "application/json" : NULL));
    }
}

static void test_failures(_unused_ void **state)
{
    static const struct {
        const char *bodies[2]; // of the requests before, which succeed
        int status;            // 0: the exchange breaks
        const char *body;
        const char *text;
    } table[] = {
        {{0}, 409, "{\"message\":\"it is not running\"}", HEAD "it is not running (HTTP 409)"},
        {{0}, 201, "{\"Id\":\"\"}", HEAD "the answer has no id"},
        {{CREATED}, 404, "{\"message\":\"No such exec\"}", HEAD "No such exec (HTTP 404)"},
        {{CREATED}, 0, "", HEAD "closed"},
        {{CREATED, "hi"},
         200,
         "{\"Running\":false,\"ExitCode\":null}",
         HEAD "the answer has no exit code"},
        {{CREATED, "hi"}, 500, "{\"message\":\"gone\"}", HEAD "gone (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct run run;
        size_t sent = 1;
        for (; sent <= 2 && table[i].bodies[sent - 1] != NULL; sent++) {
            fake_transport_reply(docker_test.fake, 200, table[i].bodies[sent - 1]);
        }
        if (table[i].status == 0) {
            fake_transport_fail(docker_test.fake, ERROR_TRANSIENT, ECONNRESET, "closed");
        } else {
            fake_transport_reply(docker_test.fake, table[i].status, table[i].body);
        }
        start(&run);
        assert_int_equal(fake_transport_run(docker_test.fake), sent);
        assert_int_equal(run.calls, 1);
        assert_string_equal(run.err.text, table[i].text);
    }
}

static void test_bounds(_unused_ void **state)
{
    char body[DOCKER_EXEC_OUTPUT_MAX + 1000];
    struct run run;
    memset(body, 'x', sizeof(body));
    fake_transport_reply(docker_test.fake, 201, CREATED);
    fake_transport_answer(
        docker_test.fake,
        &(struct fake_answer){.status = 200, .body = body, .length = sizeof(body)});
    fake_transport_reply(docker_test.fake, 200, ENDED);
    start(&run);
    assert_int_equal(fake_transport_run(docker_test.fake), 3);
    assert_int_equal(run.output_length, DOCKER_EXEC_OUTPUT_MAX);

    // It runs on.
    fake_transport_reply(docker_test.fake, 201, CREATED);
    for (int i = 0; i < 101; i++) {
        fake_transport_reply(docker_test.fake, 200, RUNNING);
    }
    start(&run);
    (void)fake_transport_run(docker_test.fake);
    assert_string_equal(run.err.text, HEAD "it runs on after the end of its output");

    static const char *const bad[] = {"\xff", NULL};
    assert_int_equal(
        docker_exec(docker_test.docker, "node", bad, API_READS, on_done, &run, &run.err), -EINVAL);
    assert_string_equal(run.err.text, HEAD "an argument is no UTF-8");
}

// It ends at every step: it is cancelled, its client is freed, or its next request is refused.
static void test_ends_at_every_step(_unused_ void **state)
{
    static const char *const answers[] = {CREATED, "hi", RUNNING};
    for (size_t i = 0; i < 3 * ELEMENTS(answers); i++) {
        size_t step = i / 3 + 1;
        struct run run;
        start(&run);
        for (size_t j = 0; j < step; j++) {
            fake_transport_reply(docker_test.fake, 200, answers[j]);
            fake_transport_refuse(docker_test.fake, i % 3 == 2 && j + 1 == step, EMFILE);
            assert_true(fake_transport_advance(docker_test.fake));
        }
        if (i % 3 == 0) {
            docker_cancel(docker_test.docker, API_CHANGES);
        } else if (i % 3 == 1) {
            docker_free(TAKE_PTR(docker_test.docker));
        }
        assert_int_equal(run.calls, i % 3 == 2);
        assert_int_equal(fake_transport_run(docker_test.fake), i % 3 != 2);
        assert_int_equal(run.calls, 1);
        assert_int_equal(run.err.code, i % 3 == 2 ? EMFILE : ECANCELED);
        assert_int_equal(docker_test_teardown(NULL), 0);
        assert_int_equal(docker_test_setup(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DOCKER(test_requests),
        WITH_DOCKER(test_failures),
        WITH_DOCKER(test_bounds),
        WITH_DOCKER(test_ends_at_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
