// Pulling: the parameters of a reference, progress, and errors inside a stream that began with 200.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <string.h>

#define LINES_MAX 64
#define IMAGE "registry:2"

struct pull {
    struct outcome outcome;
    struct buf lines;      // each with a line end
    struct docker *cancel; // on the first line
};

static void on_progress(void *ctx, const char *line)
{
    // outcome is the first member, so that both callbacks get the same context.
    struct pull *pull = ctx;
    assert_int_equal(buf_printf(&pull->lines, "%s\n", line), 0);
    if (pull->cancel != NULL) {
        docker_cancel_all(pull->cancel);
    }
}

static struct pull pull_one(struct docker_test *test, const char *image,
                            const struct fake_answer *answer)
{
    struct pull pull = {.lines = BUF_INIT(LINES_MAX * 1024)};
    struct error err;
    fake_transport_answer(test->fake, answer);
    assert_int_equal(docker_image_pull(test->docker, image, on_progress, outcome_done, &pull, &err),
                     0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_int_equal(pull.outcome.calls, 1);
    assert_null(pull.outcome.answer);
    return pull;
}

static const struct {
    const char *image;
    const char *query;
} references[] = {
    {"registry:2", "fromImage=registry&tag=2"},
    {"registry", "fromImage=registry&tag=latest"},
    {"joxit/docker-registry-ui:static", "fromImage=joxit%2Fdocker-registry-ui&tag=static"},
    {"localhost:5002/a/b:1", "fromImage=localhost%3A5002%2Fa%2Fb&tag=1"},
    {"localhost:5002/a", "fromImage=localhost%3A5002%2Fa&tag=latest"},
    {"registry@sha256:abc", "fromImage=registry&tag=sha256%3Aabc"},
    {"localhost:5002/registry:2@sha256:abc",
     "fromImage=localhost%3A5002%2Fregistry&tag=sha256%3Aabc"},
};

static void test_references(void **state)
{
    struct docker_test *test = *state;
    for (size_t i = 0; i < ELEMENTS(references); i++) {
        struct pull pull =
            pull_one(test, references[i].image, &(struct fake_answer){.status = 200});
        assert_false(pull.outcome.failed);
        const struct fake_request *sent = fake_transport_last(test->fake);
        _cleanup_free_ char *path = str_printf("/v1.41/images/create?%s", references[i].query);
        assert_string_equal(sent->path, path);
        assert_int_equal(sent->method, HTTP_POST);
        assert_int_equal(sent->timeout_ms, DOCKER_PULL_TIMEOUT_MS);
        assert_true(sent->streamed);
        assert_int_equal(sent->body_length, 0);
        buf_done(&pull.lines);
    }
    struct error err;
    assert_int_equal(docker_image_pull(test->docker, ":2", NULL, outcome_done, NULL, &err),
                     -EINVAL);
    assert_string_equal(err.text, "engine: pull: an empty name");
    assert_int_equal(docker_image_pull(test->docker, "a:", NULL, outcome_done, NULL, &err),
                     -EINVAL);
}

// Lines as Engine 20.10 wrote them: three layers, the second of which is there already.
static const char stream[] =
    "{\"status\":\"Pulling from library/registry\",\"id\":\"2\"}\r\n"
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"e338e97467ce\"}\r\n"
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"81a5d737d0ea\"}\r\n"
    "{\"status\":\"Waiting\",\"progressDetail\":{},\"id\":\"81a5d737d0ea\"}\r\n"
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":36412,\"total\":4065678},"
    "\"progress\":\"[> ]  36.41kB/4.066MB\",\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1400619,\"total\":4065678},"
    "\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":300000,\"total\":300000},"
    "\"id\":\"81a5d737d0ea\"}\r\n"
    "{\"status\":\"Verifying Checksum\",\"progressDetail\":{},\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Extracting\",\"progressDetail\":{\"current\":65536,\"total\":4065678},"
    "\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"f7740d751633\"}\r\n"
    "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"81a5d737d0ea\"}\r\n"
    "{\"status\":\"Digest: sha256:b353\"}\r\n"
    "{\"status\":\"Status: Downloaded newer image for registry:2\"}\r\n";

static const char progress[] = "registry:2: 0 of 1 layers, 0.0 MB\n"
                               "registry:2: 1 of 2 layers, 0.0 MB\n"
                               "registry:2: 1 of 3 layers, 0.0 MB\n"
                               "registry:2: 1 of 3 layers, 1.4 MB\n"
                               "registry:2: 1 of 3 layers, 1.7 MB\n"
                               "registry:2: 1 of 3 layers, 4.4 MB\n"
                               "registry:2: 2 of 3 layers, 4.4 MB\n"
                               "registry:2: 3 of 3 layers, 4.4 MB\n";

static void test_progress_at_every_chunk_size(void **state)
{
    struct docker_test *test = *state;
    for (size_t chunk = 1; chunk <= sizeof(stream); chunk++) {
        struct pull pull = pull_one(
            test, IMAGE, &(struct fake_answer){.status = 200, .body = stream, .chunk = chunk});
        assert_false(pull.outcome.failed);
        assert_string_equal(buf_str(&pull.lines), progress);
        buf_done(&pull.lines);
    }
}

static void test_progress_is_optional(void **state)
{
    struct docker_test *test = *state;
    struct outcome outcome = {0};
    struct error err;
    fake_transport_reply(test->fake, 200, stream);
    assert_int_equal(docker_image_pull(test->docker, IMAGE, NULL, outcome_done, &outcome, &err), 0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_false(outcome.failed);
}

static void test_recorded(void **state)
{
    struct docker_test *test = *state;
    static const struct {
        const char *fixture;
        const char *last;
        const char *text;
    } recorded[] = {
        {"pull.jsonl", "registry:2: 3 of 3 layers, 7.6 MB\n", NULL},
        {"pull-error.jsonl", "registry:2: 0 of 1 layers, 0.3 MB\n",
         "engine: pull registry:2: unexpected EOF"},
    };
    for (size_t i = 0; i < ELEMENTS(recorded); i++) {
        _cleanup_free_ char *body = fixture_read(recorded[i].fixture, NULL);
        struct pull pull =
            pull_one(test, IMAGE, &(struct fake_answer){.status = 200, .body = body, .chunk = 100});
        assert_true(str_ends_with(buf_str(&pull.lines), recorded[i].last));
        assert_int_equal(pull.outcome.failed, recorded[i].text != NULL);
        if (recorded[i].text != NULL) {
            assert_string_equal(pull.outcome.err.text, recorded[i].text);
            assert_int_equal(pull.outcome.err.kind, ERROR_PERMANENT);
        }
        buf_done(&pull.lines);
    }
}

static const struct {
    struct fake_answer answer;
    const char *text;
    enum error_kind kind;
    int code;
    int status;
} failures[] = {
    // In the stream.
    {{.status = 200,
      .body = "{\"status\":\"Pulling from x\",\"id\":\"2\"}\n{\"errorDetail\":{\"code\":401,"
              "\"message\":\"pull access denied\"},\"error\":\"denied\"}\n"},
     "engine: pull registry:2: pull access denied",
     ERROR_PERMANENT,
     EREMOTEIO,
     0},
    {{.status = 200, .body = "{\"error\":\"denied\"}"},
     "engine: pull registry:2: denied",
     ERROR_PERMANENT,
     EREMOTEIO,
     0},
    // What the engine said counts more than how the exchange ended after it.
    {{.status = 200,
      .body = "{\"error\":\"manifest unknown\"}\n",
      .error = {.kind = ERROR_TRANSIENT, .code = ECONNRESET, .text = "answer ended early"}},
     "engine: pull registry:2: manifest unknown",
     ERROR_PERMANENT,
     EREMOTEIO,
     0},
    {{.status = 200, .body = "{\"error\":\"manifest unknown\"}\n{\"sta"},
     "engine: pull registry:2: manifest unknown",
     ERROR_PERMANENT,
     EREMOTEIO,
     0},
    // Before the stream: these are Engine 20.10's.
    {{.status = 404,
      .body = "{\"message\":\"manifest for registry:2 not found: manifest unknown: manifest "
              "unknown\"}\n"},
     "engine: pull registry:2: manifest for registry:2 not found: manifest unknown: manifest "
     "unknown (HTTP 404)",
     ERROR_PERMANENT,
     EREMOTEIO,
     404},
    {{.status = 500,
      .body = "{\"message\":\"Get \\\"https://registry-1.docker.io/v2/\\\": dial tcp: network is "
              "unreachable\"}\n"},
     "engine: pull registry:2: Get \"https://registry-1.docker.io/v2/\": dial tcp: network is "
     "unreachable (HTTP 500)",
     ERROR_PERMANENT,
     EREMOTEIO,
     500},
    // The engine's own failures pass.
    {{.status = 200,
      .body = "{\"status\":\"Pulling from x\",\"id\":\"2\"}\n",
      .error = {.kind = ERROR_TRANSIENT, .code = ECONNRESET, .text = "answer ended early"}},
     "engine: pull registry:2: answer ended early",
     ERROR_TRANSIENT,
     ECONNRESET,
     0},
    {{.error = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"}},
     "engine: pull registry:2: refused",
     ERROR_TRANSIENT,
     ECONNREFUSED,
     0},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        void *made = NULL;
        assert_int_equal(docker_test_setup(&made), 0);
        struct pull pull = pull_one(made, IMAGE, &failures[i].answer);
        assert_true(pull.outcome.failed);
        assert_string_equal(pull.outcome.err.text, failures[i].text);
        assert_int_equal(pull.outcome.err.kind, failures[i].kind);
        assert_int_equal(pull.outcome.err.code, failures[i].code);
        assert_int_equal(pull.outcome.err.status, failures[i].status);
        buf_done(&pull.lines);
        assert_int_equal(docker_test_teardown(&made), 0);
    }
}

// A stream that is no JSON, or ends within a line, is damaged, not refused: it may pass.
static void test_damaged(void **state)
{
    struct docker_test *test = *state;
    static const char *const bodies[] = {"<html>\n", "{\"status\":\"Pulling", "7\n", "{}\n\"x\"\n"};
    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        struct pull pull =
            pull_one(test, IMAGE, &(struct fake_answer){.status = 200, .body = bodies[i]});
        assert_true(pull.outcome.failed);
        assert_true(str_starts_with(pull.outcome.err.text, "engine: pull registry:2: "));
        assert_int_equal(pull.outcome.err.kind, ERROR_TRANSIENT);
        assert_int_equal(pull.outcome.err.code, EBADMSG);
        buf_done(&pull.lines);
    }
}

static void test_bounds(void **state)
{
    struct docker_test *test = *state;
    // More layers than are counted, ids that are too long, counts that make no sense.
    _cleanup_buf_ struct buf body = BUF_INIT(1024 * 1024);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(
            buf_printf(&body, "{\"status\":\"Already exists\",\"id\":\"layer%u\"}\n", i), 0);
    }
    assert_int_equal(buf_append_str(&body, "{\"status\":\"Downloading\",\"id\":\"layer0\","
                                           "\"progressDetail\":{\"current\":-5,\"total\":null}}\n"
                                           "{\"status\":\"Waiting\",\"id\":\"0123456789012345678901"
                                           "234567890123456789\"}\n[]\n{\"id\":7,\"status\":{}}\n"),
                     0);
    struct pull pull =
        pull_one(test, IMAGE, &(struct fake_answer){.status = 200, .body = buf_str(&body)});
    assert_false(pull.outcome.failed);
    assert_true(str_ends_with(buf_str(&pull.lines), "registry:2: 256 of 256 layers, 0.0 MB\n"
                                                    "registry:2: 255 of 256 layers, 0.0 MB\n"));
    buf_done(&pull.lines);

    _cleanup_free_ char *endless = malloc(300 * 1024 + 1);
    assert_non_null(endless);
    memset(endless, ' ', 300 * 1024);
    endless[0] = '{';
    endless[300 * 1024] = '\0';
    pull = pull_one(test, IMAGE, &(struct fake_answer){.status = 200, .body = endless});
    assert_int_equal(pull.outcome.err.code, EFBIG);
    buf_done(&pull.lines);
}

static void test_cancel_from_progress(void **state)
{
    struct docker_test *test = *state;
    struct pull pull = {.lines = BUF_INIT(1024), .cancel = test->docker};
    struct error err;
    assert_int_equal(docker_image_pull(test->docker, IMAGE, on_progress, outcome_done, &pull, &err),
                     0);
    static const char line[] = "{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\n";
    fake_transport_push(test->fake, test->first, line, sizeof(line) - 1);
    assert_int_equal(pull.outcome.calls, 0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_int_equal(pull.outcome.err.code, ECANCELED);
    assert_string_equal(buf_str(&pull.lines), "registry:2: 0 of 1 layers, 0.0 MB\n");
    buf_done(&pull.lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_DOCKER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, docker_test_setup, docker_test_teardown)
        WITH_DOCKER(test_references),
        WITH_DOCKER(test_progress_at_every_chunk_size),
        WITH_DOCKER(test_progress_is_optional),
        WITH_DOCKER(test_recorded),
        cmocka_unit_test(test_failures),
        WITH_DOCKER(test_damaged),
        WITH_DOCKER(test_bounds),
        WITH_DOCKER(test_cancel_from_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
