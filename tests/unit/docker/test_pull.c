// Pulling: the parameters of a reference, progress, and errors inside a stream that began with 200.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <string.h>

#define IMAGE "registry:2"

struct pull {
    struct outcome outcome; // first, so that both callbacks get the same context
    struct buf lines;       // each with a line end
    bool cancels;           // on the first line
};

static void on_progress(void *ctx, const char *line, _unused_ uint64_t bytes)
{
    struct pull *pull = ctx;
    assert_int_equal(buf_printf(&pull->lines, "%s\n", line), 0);
    if (pull->cancels) {
        docker_cancel(docker_test.docker, API_CHANGES);
    }
}

static void pull_done(struct pull *pull)
{
    buf_done(&pull->lines);
}

static struct pull pull_one(const char *image, const struct fake_answer *answer)
{
    struct pull pull = {.lines = BUF_INIT(64 * 1024)};
    fake_transport_answer(docker_test.fake, answer);
    assert_int_equal(
        docker_image_pull(docker_test.docker, image, on_progress, outcome_done, &pull, NULL), 0);
    assert_int_equal(fake_transport_run(docker_test.fake), 1);
    assert_int_equal(pull.outcome.calls, 1);
    assert_null(pull.outcome.answer);
    return pull;
}

static void test_references(_unused_ void **state)
{
    static const struct {
        const char *image;
        const char *query;
    } table[] = {
        {"registry:2", "fromImage=registry&tag=2"},
        {"registry", "fromImage=registry&tag=latest"},
        {"localhost:5002/a/b:1", "fromImage=localhost%3A5002%2Fa%2Fb&tag=1"},
        {"localhost:5002/a", "fromImage=localhost%3A5002%2Fa&tag=latest"},
        {"registry@sha256:abc", "fromImage=registry&tag=sha256%3Aabc"},
        {"localhost:5002/registry:2@sha256:abc",
         "fromImage=localhost%3A5002%2Fregistry&tag=sha256%3Aabc"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_(pull_done) struct pull pull =
            pull_one(table[i].image, &(struct fake_answer){.status = 200});
        const struct fake_request *sent = fake_transport_last(docker_test.fake);
        _cleanup_free_ char *path = str_printf("/v1.41/images/create?%s", table[i].query);
        outcome_is(&pull.outcome, "");
        assert_string_equal(sent->path, path);
        assert_int_equal(sent->method, HTTP_POST);
        assert_int_equal(sent->timeout_ms, DOCKER_PULL_TIMEOUT_MS);
        assert_true(sent->streamed && sent->body_length == 0);
    }
    struct error err;
    assert_int_equal(
        docker_image_pull(docker_test.docker, "a:", on_progress, outcome_done, NULL, &err),
        -EINVAL);
    assert_string_equal(err.text, "engine: pull a:: an empty name");
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

static void test_progress_at_every_chunk_size(_unused_ void **state)
{
    for (size_t chunk = 1; chunk <= sizeof(stream); chunk++) {
        _cleanup_(pull_done) struct pull pull =
            pull_one(IMAGE, &(struct fake_answer){.status = 200, .body = stream, .chunk = chunk});
        outcome_is(&pull.outcome, "");
        assert_string_equal(buf_str(&pull.lines), progress);
    }
}

static void test_recorded(_unused_ void **state)
{
    static const struct {
        const char *fixture;
        const char *last;
        const char *text;
    } table[] = {
        {"pull.jsonl", "registry:2: 3 of 3 layers, 7.6 MB\n", ""},
        {"pull-error.jsonl", "registry:2: 0 of 1 layers, 0.3 MB\n",
         "engine: pull registry:2: unexpected EOF"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *body = fixture_read(table[i].fixture, NULL);
        _cleanup_(pull_done) struct pull pull =
            pull_one(IMAGE, &(struct fake_answer){.status = 200, .body = body, .chunk = 100});
        assert_true(str_ends_with(buf_str(&pull.lines), table[i].last));
        outcome_is(&pull.outcome, table[i].text);
    }
}

// What the engine says of the image stays; its own failures may pass, and so may a damaged stream.
static void test_failures(_unused_ void **state)
{
    static const struct {
        int status; // 0: the exchange breaks
        const char *body;
        const char *text;
        enum error_kind kind;
    } table[] = {
        {200,
         "{\"status\":\"Pulling from x\",\"id\":\"2\"}\n{\"errorDetail\":{\"code\":401,"
         "\"message\":\"access denied\"},\"error\":\"denied\"}\n",
         "access denied", ERROR_PERMANENT},
        {200, "{\"error\":\"denied\"}", "denied", ERROR_PERMANENT},
        {200, "{\"error\":\"denied\"}\n{\"sta", "denied", ERROR_PERMANENT},
        // 20.10 answers so when it is the image's registry that cannot be reached.
        {500, "{\"message\":\"dial tcp: network is unreachable\"}\n",
         "dial tcp: network is unreachable (HTTP 500)", ERROR_PERMANENT},
        {404, "{\"message\":\"manifest unknown\"}\n", "manifest unknown (HTTP 404)",
         ERROR_PERMANENT},
        {0, NULL, "closed", ERROR_TRANSIENT},
        {200, "{}\n\"x\"\n", "a line of the stream is no valid JSON at byte 3 of 3",
         ERROR_TRANSIENT},
        {200, "{\"status\":\"Pulling", "a line of the stream is no valid JSON at byte 18 of 18",
         ERROR_TRANSIENT},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct error closed = {ERROR_TRANSIENT, ECONNRESET, .text = "closed"};
        const struct fake_answer answer = {.status = table[i].status,
                                           .body = table[i].body,
                                           .error =
                                               table[i].status == 0 ? closed : (struct error){0}};
        _cleanup_(pull_done) struct pull pull = pull_one(IMAGE, &answer);
        _cleanup_free_ char *text = str_printf("engine: pull registry:2: %s", table[i].text);
        outcome_is(&pull.outcome, text);
        assert_int_equal(pull.outcome.err.kind, table[i].kind);
    }
}

// An engine that is far away and refuses has answered: nothing is wrong with the way to it.
static void test_refusal_over_tcp(_unused_ void **state)
{
    const struct docker_options options = {
        .host = "tcp://h:1", .timeout_ms = DOCKER_TEST_TIMEOUT_MS, .origin = "H"};
    _cleanup_free_ char *headers = fixture_read("ping.headers", NULL);
    const struct fake_answer ping = {.status = 200, .headers = headers, .body = "OK"};
    struct fake_transport *fake = fake_transport_new();
    struct docker *docker = NULL;
    struct outcome outcome = {0};
    assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, NULL), 0);
    fake_transport_answer(fake, &ping);
    assert_int_equal(docker_negotiate(docker, outcome_done, &outcome, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 1);
    fake_transport_reply(fake, 200, "{\"errorDetail\":{\"message\":\"manifest unknown\"}}\n");
    outcome = (struct outcome){0};
    assert_int_equal(docker_image_pull(docker, IMAGE, NULL, outcome_done, &outcome, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 1);
    outcome_is(&outcome, "engine: pull registry:2: manifest unknown");
    docker_free(docker);
    fake_transport_free(fake);
}

// More layers than are counted, ids that are too long, counts that make no sense.
static void test_bounds(_unused_ void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT(1024 * 1024);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(
            buf_printf(&body, "{\"status\":\"Already exists\",\"id\":\"layer%u\"}\n", i), 0);
    }
    assert_int_equal(buf_append_str(&body, "{\"status\":\"Downloading\",\"id\":\"layer0\","
                                           "\"progressDetail\":{\"current\":-5,\"total\":null}}\n"
                                           "{\"status\":\"Waiting\",\"id\":\"0123456789012345678901"
                                           "234567890123456789\"}\n[]\n{\"id\":7,\"status\":{}}\n"
                                           "{\"status\":\"Waiting\"}\n"),
                     0);
    _cleanup_(pull_done) struct pull pull =
        pull_one(IMAGE, &(struct fake_answer){.status = 200, .body = buf_str(&body)});
    outcome_is(&pull.outcome, "");
    assert_true(str_ends_with(buf_str(&pull.lines), "registry:2: 128 of 128 layers, 0.0 MB\n"
                                                    "registry:2: 127 of 128 layers, 0.0 MB\n"));
}

static void test_cancel_from_progress(_unused_ void **state)
{
    static const char line[] = "{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\n";
    _cleanup_(pull_done) struct pull pull = {.lines = BUF_INIT(1024), .cancels = true};
    assert_int_equal(
        docker_image_pull(docker_test.docker, IMAGE, on_progress, outcome_done, &pull, NULL), 0);
    fake_transport_push(docker_test.fake, docker_test.first, line, sizeof(line) - 1);
    assert_int_equal(pull.outcome.calls, 0);
    assert_int_equal(fake_transport_run(docker_test.fake), 1);
    assert_int_equal(pull.outcome.err.code, ECANCELED);
    assert_string_equal(buf_str(&pull.lines), "registry:2: 0 of 1 layers, 0.0 MB\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DOCKER(test_references),
        WITH_DOCKER(test_progress_at_every_chunk_size),
        WITH_DOCKER(test_recorded),
        WITH_DOCKER(test_failures),
        cmocka_unit_test(test_refusal_over_tcp),
        WITH_DOCKER(test_bounds),
        WITH_DOCKER(test_cancel_from_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
