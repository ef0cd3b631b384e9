// Making a client and agreeing on an API version.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void new_one(const char *host, bool tls, const char *unix_socket, const char *base)
{
    struct fake_transport *fake = fake_transport_new();
    struct docker *docker = NULL;
    struct error err;
    const struct docker_options options = {.host = host, .tls = tls};
    assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, &err), 0);
    const struct fake_endpoint *endpoint = fake_transport_endpoint(fake, 0);
    assert_true(str_equal(endpoint->unix_socket, unix_socket));
    assert_string_equal(endpoint->base, base);
    assert_null(endpoint->ca_pem);
    assert_false(docker_is_negotiated(docker));
    docker_free(docker);
    fake_transport_free(fake);
}

static void refuse_one(const struct docker_options *options, int code, const char *text)
{
    struct fake_transport *fake = fake_transport_new();
    struct docker *docker = NULL;
    struct error err;
    assert_int_equal(docker_new(fake_transport_http(fake), options, &docker, &err), -code);
    assert_null(docker);
    assert_int_equal(err.kind, ERROR_PERMANENT);
    assert_string_equal(err.text, text);
    fake_transport_free(fake);
}

static void test_new(void **state)
{
    (void)state;
    new_one("unix:///var/run/docker.sock", false, "/var/run/docker.sock", "http://localhost");
    new_one("tcp://127.0.0.1:2375", false, NULL, "http://127.0.0.1:2375");
    new_one("tcp://[::1]:2376", true, NULL, "https://[::1]:2376");

    static const struct {
        const char *host;
        const char *text;
    } bad[] = {
        {"unix://", "engine: unix:// is neither unix:///PATH nor tcp://HOST:PORT"},
        {"unix://run/x", "engine: unix://run/x is neither unix:///PATH nor tcp://HOST:PORT"},
        {"ssh://host", "engine: ssh://host is neither unix:///PATH nor tcp://HOST:PORT"},
        {"tcp://", "engine: tcp:// is neither unix:///PATH nor tcp://HOST:PORT"},
        {"tcp://a:1/x", "engine: tcp://a:1/x is neither unix:///PATH nor tcp://HOST:PORT"},
        {"", "engine:  is neither unix:///PATH nor tcp://HOST:PORT"},
    };
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        refuse_one(&(struct docker_options){.host = bad[i].host}, EINVAL, bad[i].text);
    }
    refuse_one(
        &(struct docker_options){.host = "tcp://a:1", .tls = true, .ca_file = "/nonexistent"},
        ENOENT, "engine: cannot read /nonexistent: No such file or directory");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_new_tls(void **state)
{
    (void)state;
    char directory[] = "/tmp/docker-client-XXXXXX";
    assert_non_null(mkdtemp(directory));
    _cleanup_free_ char *ca = str_printf("%s/ca.pem", directory);
    _cleanup_free_ char *cert = str_printf("%s/cert.pem", directory);
    _cleanup_free_ char *key = str_printf("%s/key.pem", directory);
    write_file(ca, "the CA");
    write_file(cert, "the certificate");
    write_file(key, "the key");

    struct fake_transport *fake = fake_transport_new();
    struct docker *docker = NULL;
    struct error err;
    const struct docker_options options = {
        .host = "tcp://a:2376", .tls = true, .ca_file = ca, .cert_file = cert, .key_file = key};
    assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, &err), 0);
    const struct fake_endpoint *endpoint = fake_transport_endpoint(fake, 0);
    assert_string_equal(endpoint->ca_pem, "the CA");
    assert_string_equal(endpoint->cert_pem, "the certificate");
    assert_string_equal(endpoint->key_pem, "the key");
    docker_free(docker);
    fake_transport_free(fake);
    assert_int_equal(unlink(ca) + unlink(cert) + unlink(key) + rmdir(directory), 0);
}

static const struct {
    int status;
    const char *headers;
    const char *prefix; // of the next request's path
    const char *text;   // or why there is none
    enum error_kind kind;
} versions[] = {
    {200, "Api-Version: 1.41\r\n", "/v1.41/", NULL, ERROR_NONE},
    {200, "api-version: 1.24\r\n", "/v1.24/", NULL, ERROR_NONE},
    {200, "Api-Version: 1.44\r\n", "/v1.44/", NULL, ERROR_NONE},
    {200, "Api-Version: 1.52\r\n", "/v1.44/", NULL, ERROR_NONE},
    {200, "Api-Version: 1.23\r\n", NULL, "engine: its API version 1.23 is too old, 1.24 is needed",
     ERROR_PERMANENT},
    {200, "", NULL,
     "engine: ask for the API version: the answer names no API version; is this a Docker Engine?",
     ERROR_PERMANENT},
    {200, "Api-Version: 2.0\r\n", NULL,
     "engine: ask for the API version: the answer names no API version; is this a Docker Engine?",
     ERROR_PERMANENT},
    {200, "Api-Version: 1.99999999999999999999\r\n", NULL,
     "engine: ask for the API version: the answer names no API version; is this a Docker Engine?",
     ERROR_PERMANENT},
    {500, "Api-Version: 1.41\r\n", NULL, "engine: ask for the API version (HTTP 500)",
     ERROR_TRANSIENT},
};

static void test_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(versions); i++) {
        struct fake_transport *fake = fake_transport_new();
        struct docker *docker = NULL;
        struct error err;
        struct outcome outcome = {0};
        const struct docker_options options = {.host = "unix:///d.sock", .timeout_ms = 500};
        assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, &err), 0);
        assert_int_equal(docker_container_list(docker, NULL, outcome_done, &outcome, &err),
                         -ENOTCONN);
        assert_string_equal(err.text, "engine: list containers: no connection yet");
        assert_int_equal(err.kind, ERROR_TRANSIENT);

        fake_transport_answer(fake, &(struct fake_answer){.status = versions[i].status,
                                                          .headers = versions[i].headers});
        assert_int_equal(docker_negotiate(docker, outcome_done, &outcome, &err), 0);
        assert_string_equal(fake_transport_last(fake)->path, "/_ping");
        assert_int_equal(fake_transport_last(fake)->method, HTTP_GET);
        assert_int_equal(fake_transport_last(fake)->timeout_ms, 500);
        assert_false(docker_is_negotiated(docker));
        assert_int_equal(fake_transport_run(fake), 1);
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.failed, versions[i].text != NULL);
        assert_int_equal(docker_is_negotiated(docker), versions[i].text == NULL);
        if (versions[i].text != NULL) {
            assert_string_equal(outcome.err.text, versions[i].text);
            assert_int_equal(outcome.err.kind, versions[i].kind);
        } else {
            fake_transport_reply(fake, 200, "[]");
            assert_int_equal(docker_container_list(docker, NULL, outcome_done, &outcome, &err), 0);
            assert_true(str_starts_with(fake_transport_last(fake)->path, versions[i].prefix));
            assert_int_equal(fake_transport_run(fake), 1);
        }
        outcome_clear(&outcome);
        docker_free(docker);
        fake_transport_free(fake);
    }
}

static const struct {
    struct fake_answer answer;
    bool negotiated; // afterwards
    int code;
    const char *text;
} losses[] = {
    {{.error = {.kind = ERROR_TRANSIENT, .code = ENOENT, .text = "GET /x: no such socket"}},
     false,
     ENOENT,
     "engine: list containers: GET /x: no such socket"},
    {{.error = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"}},
     false,
     ECONNREFUSED,
     "engine: list containers: refused"},
    {{.error = {.kind = ERROR_TRANSIENT, .code = ECONNRESET, .text = "closed"}},
     false,
     ECONNRESET,
     "engine: list containers: closed"},
    {{.error = {.kind = ERROR_TRANSIENT, .code = ETIMEDOUT, .text = "no answer within 10 s"}},
     true,
     ETIMEDOUT,
     "engine: list containers: no answer within 10 s"},
    {{.status = 400,
      .body = "{\"message\":\"client version 1.44 is too new. Maximum supported API version is "
              "1.41\"}\n"},
     false,
     ENOTCONN,
     "engine: list containers: client version 1.44 is too new. Maximum supported API version is "
     "1.41 (HTTP 400)"},
    {{.status = 400,
      .body = "client version 1.11 is too old. Minimum supported API version is 1.12, please "
              "upgrade your client to a newer version\n"},
     false,
     ENOTCONN,
     "engine: list containers: client version 1.11 is too old. Minimum supported API version is "
     "1.12, please upgrade your client to a newer version (HTTP 400)"},
    {{.status = 400, .body = "{\"message\":\"bad filter\"}"},
     true,
     EREMOTEIO,
     "engine: list containers: bad filter (HTTP 400)"},
};

static void test_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(losses); i++) {
        void *made = NULL;
        assert_int_equal(docker_test_setup(&made), 0);
        const struct docker_test *test = made;
        struct error err;
        struct outcome outcome = {0};
        fake_transport_answer(test->fake, &losses[i].answer);
        assert_int_equal(docker_container_list(test->docker, NULL, outcome_done, &outcome, &err),
                         0);
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_true(outcome.failed);
        assert_string_equal(outcome.err.text, losses[i].text);
        assert_int_equal(outcome.err.code, losses[i].code);
        assert_int_equal(docker_is_negotiated(test->docker), losses[i].negotiated);
        // What is under way goes on, with the version last agreed on.
        assert_int_equal(docker_container_list(test->docker, NULL, outcome_done, &outcome, &err),
                         0);
        assert_string_equal(fake_transport_last(test->fake)->path, "/v1.41/containers/json?all=1");
        docker_cancel_all(test->docker);
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(docker_test_teardown(&made), 0);
    }
}

static void list_done(void *ctx, json_t *answer, const struct error *err)
{
    (void)ctx;
    (void)answer;
    assert_null(err);
}

static void test_time(void **state)
{
    struct docker_test *test = *state;
    static const struct {
        const char *headers;
        int64_t time_s;
    } cases[] = {
        {"Date: Sun, 22 Nov 2026 22:22:14 GMT\r\n", 1795386134},
        {"Date: yesterday\r\n", 0},
        {NULL, 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        fake_transport_answer(
            test->fake,
            &(struct fake_answer){.status = 200, .headers = cases[i].headers, .body = "[]"});
        assert_int_equal(docker_container_list(test->docker, NULL, list_done, NULL, NULL), 0);
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(docker_time_s(test->docker), cases[i].time_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_new_tls),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_losses),
        cmocka_unit_test_setup_teardown(test_time, docker_test_setup, docker_test_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
