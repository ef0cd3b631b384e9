// The client, and every request that is one exchange: what goes out, and what an answer becomes.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <string.h>

#define JSON "application/json"

static int64_t time_s; // of the latest list

static void on_list(void *ctx, const struct api_answer *answer, const struct error *err)
{
    time_s = err != NULL ? 0 : docker_time_s(answer);
    outcome_done(ctx, answer->json, err);
}

static void on_log(void *ctx, const struct api_answer *answer, const struct error *err)
{
    json_auto_t *said =
        err != NULL ? NULL : json_pack("{s:s}", "text", buf_str(&answer->response->body));
    outcome_done(ctx, said, err);
}

// ---- the client

static void test_new(_unused_ void **state)
{
    static const struct {
        const char *host;
        bool tls;
        const char *unix_socket;
        const char *base;
    } table[] = {
        {"unix:///var/run/docker.sock", true, "/var/run/docker.sock", "http://localhost"},
        {"tcp://127.0.0.1:2375", false, NULL, "http://127.0.0.1:2375"},
        {"tcp://[::1]:2376", true, NULL, "https://[::1]:2376"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct fake_transport *fake = fake_transport_new();
        struct docker *docker = NULL;
        const struct docker_options options = {
            table[i].host, table[i].tls, "the CA", "the certificate", "the key", 500, NULL, NULL};
        assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, NULL), 0);
        const struct fake_endpoint *endpoint = fake_transport_endpoint(fake, 0);
        bool https = str_starts_with(table[i].base, "https");
        assert_true(str_equal(endpoint->unix_socket, table[i].unix_socket));
        assert_string_equal(endpoint->base, table[i].base);
        assert_true(str_equal(endpoint->ca_pem, https ? "the CA" : NULL));
        assert_true(str_equal(endpoint->cert_pem, https ? "the certificate" : NULL));
        assert_true(str_equal(endpoint->key_pem, https ? "the key" : NULL));
        assert_false(docker_is_negotiated(docker));
        docker_free(docker);
        fake_transport_free(fake);
    }
}

#define UNNAMED                                                                                    \
    "engine: ask for the API version: the answer names no API version; is this a Docker Engine?"

static void test_versions(_unused_ void **state)
{
    static const struct {
        int status;
        const char *headers;
        const char *prefix; // of the next request's path
        const char *text;   // or why there is none
        enum error_kind kind;
    } table[] = {
        {200, "api-version: 1.24\r\n", "/v1.24/", "", ERROR_NONE},
        {200, "Api-Version: 1.44\r\n", "/v1.44/", "", ERROR_NONE},
        {200, "Api-Version: 1.52\r\n", "/v1.44/", "", ERROR_NONE},
        {200, "Api-Version: 1.23\r\n", NULL,
         "engine: its API version 1.23 is too old, 1.24 is needed", ERROR_PERMANENT},
        {200, "", NULL, UNNAMED, ERROR_PERMANENT},
        {200, "Api-Version: 2.0\r\n", NULL, UNNAMED, ERROR_PERMANENT},
        {200, "Api-Version: 1.99999999999999999999\r\n", NULL, UNNAMED, ERROR_PERMANENT},
        {500, "Api-Version: 1.41\r\n", NULL, "engine: ask for the API version (HTTP 500)",
         ERROR_TRANSIENT},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct fake_transport *fake = fake_transport_new();
        struct docker *docker = NULL;
        struct error err;
        struct outcome outcome = {0};
        const struct docker_options options = {.host = "unix:///d.sock", .timeout_ms = 500};
        assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, &err), 0);
        assert_int_equal(docker_ask_raw(docker, DOCKER_LIST, NULL, on_list, &outcome, &err),
                         -ENOTCONN);
        assert_string_equal(err.text, "engine: no connection yet");

        const struct fake_answer answer = {.status = table[i].status, .headers = table[i].headers};
        fake_transport_answer(fake, &answer);
        assert_int_equal(docker_negotiate(docker, outcome_done, &outcome, &err), 0);
        assert_string_equal(fake_transport_last(fake)->path, "/_ping");
        assert_int_equal(fake_transport_last(fake)->timeout_ms, 500);
        assert_false(docker_is_negotiated(docker));
        assert_int_equal(fake_transport_run(fake), 1);
        outcome_is(&outcome, table[i].text);
        assert_int_equal(outcome.err.kind, table[i].kind);
        assert_int_equal(docker_is_negotiated(docker), table[i].prefix != NULL);
        if (table[i].prefix != NULL) {
            fake_transport_reply(fake, 204, NULL);
            assert_int_equal(
                docker_ask(docker, DOCKER_START, "r", NULL, NULL, outcome_done, &outcome, &err), 0);
            assert_true(str_starts_with(fake_transport_last(fake)->path, table[i].prefix));
            assert_int_equal(fake_transport_run(fake), 1);
        }
        docker_free(docker);
        fake_transport_free(fake);
    }
}

#define TOO_NEW "client version 1.44 is too new. Maximum supported API version is 1.41"
#define TOO_OLD                                                                                    \
    "client version 1.11 is too old. Minimum supported API version is 1.12, please upgrade"

static void test_losses(_unused_ void **state)
{
    static const struct {
        int status; // 0: the exchange breaks
        const char *body;
        int code;
        bool lost;
        const char *text;
    } table[] = {
        {0, NULL, ENOENT, true, "broken"},
        {0, NULL, ECONNREFUSED, true, "broken"},
        {0, NULL, ECONNRESET, true, "broken"},
        {0, NULL, ETIMEDOUT, false, "broken"},
        {400, "{\"message\":\"" TOO_NEW "\"}\n", ENOTCONN, true, TOO_NEW " (HTTP 400)"},
        {400, TOO_OLD "\n", ENOTCONN, true, TOO_OLD " (HTTP 400)"},
        {400, "{\"message\":\"bad filter\"}", EREMOTEIO, false, "bad filter (HTTP 400)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *text = str_printf("engine: list containers: %s", table[i].text);
        struct outcome outcome = {0};
        struct fake_answer answer = {.status = table[i].status, .body = table[i].body};
        if (answer.status == 0) {
            (void)error_set(&answer.error, ERROR_TRANSIENT, table[i].code, "broken");
        }
        assert_int_equal(docker_test_setup(NULL), 0);
        fake_transport_answer(docker_test.fake, &answer);
        assert_int_equal(
            docker_ask_raw(docker_test.docker, DOCKER_LIST, NULL, on_list, &outcome, NULL), 0);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        outcome_is(&outcome, text);
        assert_int_equal(outcome.err.code, table[i].code);
        assert_int_equal(docker_is_negotiated(docker_test.docker), !table[i].lost);
        // What is under way goes on, with the version last agreed on.
        assert_int_equal(
            docker_ask_raw(docker_test.docker, DOCKER_LIST, NULL, on_list, &outcome, NULL), 0);
        assert_string_equal(fake_transport_last(docker_test.fake)->path,
                            "/v1.41/containers/json?all=1");
        docker_cancel(docker_test.docker, API_CHANGES);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        assert_int_equal(docker_test_teardown(NULL), 0);
    }
}

// What is to be done about an engine over TCP depends on whether TLS is spoken.
static void test_cures_over_tcp(_unused_ void **state)
{
    static const struct {
        bool tls;
        int status; // 0: there is no answer
        const char *body;
        const char *text;
    } table[] = {
        {false, 0, NULL, "refused; it is H; see that the engine listens there, and without TLS: "},
        {true, 0, NULL, "refused; it is H; see that the engine listens there with TLS, and that "},
        {false, 400, "Client sent an HTTP request to an HTTPS server.\n",
         "Client sent an HTTP request to an HTTPS server. (HTTP 400); it is H; see that the "
         "engine listens there, and without TLS: one with TLS needs docker.host and docker.tls"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct fake_transport *fake = fake_transport_new();
        struct docker *docker = NULL;
        struct outcome outcome = {0};
        const struct docker_options options = {
            .host = "tcp://h:1", .tls = table[i].tls, .timeout_ms = 500, .origin = "H"};
        assert_int_equal(docker_new(fake_transport_http(fake), &options, &docker, NULL), 0);
        if (table[i].status == 0) {
            fake_transport_fail(fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
        } else {
            fake_transport_reply(fake, table[i].status, table[i].body);
        }
        assert_int_equal(docker_negotiate(docker, outcome_done, &outcome, NULL), 0);
        assert_int_equal(fake_transport_run(fake), 1);
        assert_non_null(strstr(outcome.err.text, table[i].text));
        docker_free(docker);
        fake_transport_free(fake);
    }
}

static void test_time(_unused_ void **state)
{
    static const struct {
        const char *headers;
        int64_t time_s;
    } table[] = {
        {"Date: Sun, 22 Nov 2026 22:22:14 GMT\r\n", 1795386134},
        {"Date: yesterday\r\n", 0},
        {NULL, 0},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct fake_answer answer = {
            .status = 200, .headers = table[i].headers, .body = "[]"};
        _cleanup_outcome_ struct outcome outcome = {0};
        fake_transport_answer(docker_test.fake, &answer);
        assert_int_equal(
            docker_ask_raw(docker_test.docker, DOCKER_LIST, NULL, on_list, &outcome, NULL), 0);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        assert_int_equal(time_s, table[i].time_s);
    }
}

// What becomes of a container that runs a command.
static void test_ends(_unused_ void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *text; // "": it is no error
        const char *answer;
        bool log; // or how it has ended
    } table[] = {
        {200, "{\"StatusCode\":137}\n", "", "{\"StatusCode\":137}", false},
        {200, "{\"Error\":null,\"StatusCode\":0}\n", "", "{\"Error\":null,\"StatusCode\":0}",
         false},
        {200, "{}", "engine: wait for container r: the answer has no exit code", NULL, false},
        {404, "{\"message\":\"No such container: r\"}",
         "engine: wait for container r: No such container: r (HTTP 404)", NULL, false},
        {200, "a\r\nb\r\n", "", "{\"text\":\"a\\r\\nb\\r\\n\"}", true},
        {404, "{\"message\":\"No such container: r\"}",
         "engine: read the log of container r: No such container: r (HTTP 404)", NULL, true},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_outcome_ struct outcome outcome = {0};
        struct docker *docker = docker_test.docker;
        fake_transport_reply(docker_test.fake, table[i].status, table[i].body);
        assert_int_equal(
            table[i].log
                ? docker_ask_raw(docker, DOCKER_LOG, "r", on_log, &outcome, NULL)
                : docker_ask(docker, DOCKER_WAIT, "r", NULL, NULL, outcome_done, &outcome, NULL),
            0);
        const struct fake_request *sent = fake_transport_last(docker_test.fake);
        assert_string_equal(sent->path, table[i].log
                                            ? "/v1.41/containers/r/logs?stdout=1&stderr=1&tail=2"
                                            : "/v1.41/containers/r/wait");
        assert_int_equal(sent->method, table[i].log ? HTTP_GET : HTTP_POST);
        assert_int_equal(sent->timeout_ms, DOCKER_TEST_TIMEOUT_MS);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        outcome_is(&outcome, table[i].text);
        json_auto_t *expected =
            table[i].answer == NULL ? NULL : json_loads(table[i].answer, 0, NULL);
        assert_true(expected == NULL ? outcome.answer == NULL
                                     : json_equal(outcome.answer, expected));
    }
}

// ---- requests

#define UI "joxit/docker-registry-ui:static"

static int send(enum docker_op op, const char *name, const char *argument, const char *body,
                struct outcome *o)
{
    json_auto_t *json = *body == '\0' ? NULL : json_loads(body, 0, NULL);
    return docker_ask(docker_test.docker, op, name, argument, json, outcome_done, o, NULL);
}

static void test_requests(_unused_ void **state)
{
    static const struct {
        enum docker_op op;
        const char *name;
        const char *argument;
        enum http_method method;
        const char *path;
        const char *body;    // "": none
        int status;          // of the answer
        const char *fixture; // its body, NULL for none
        uint64_t more_ms;
    } table[] = {
        {DOCKER_LIST, NULL, NULL, HTTP_GET, "containers/json?all=1", "", 200, "container-list.json",
         0},
        {DOCKER_INSPECT, "r", NULL, HTTP_GET, "containers/r/json", "", 200,
         "container-inspect.json", 0},
        {DOCKER_INSPECT, "../v1.41/x?y", NULL, HTTP_GET, "containers/..%2Fv1.41%2Fx%3Fy/json", "",
         200, "create.json", 0},
        {DOCKER_CREATE, "r", NULL, HTTP_POST, "containers/create?name=r",
         "{\"Image\":\"registry:2\",\"Env\":[\"KEY=secret\"]}", 201, "create.json", 0},
        {DOCKER_START, "r", NULL, HTTP_POST, "containers/r/start", "", 204, NULL, 0},
        {DOCKER_START, "r", NULL, HTTP_POST, "containers/r/start", "", 304, NULL, 0},
        {DOCKER_STOP, "r", NULL, HTTP_POST, "containers/r/stop?t=10", "", 204, NULL, 10000},
        {DOCKER_STOP, "r", NULL, HTTP_POST, "containers/r/stop?t=10", "", 304, NULL, 10000},
        {DOCKER_UNPAUSE, "r", NULL, HTTP_POST, "containers/r/unpause", "", 204, NULL, 0},
        {DOCKER_RENAME, "r", "r-old", HTTP_POST, "containers/r/rename?name=r-old", "", 204, NULL,
         0},
        {DOCKER_REMOVE, "r", NULL, HTTP_DELETE, "containers/r?force=1&v=0", "", 204, NULL, 0},
        {DOCKER_UPDATE, "r", NULL, HTTP_POST, "containers/r/update",
         "{\"RestartPolicy\":{\"Name\":\"always\"}}", 200, "create.json", 0},
        {DOCKER_NETWORK_INSPECT, "kind", NULL, HTTP_GET, "networks/kind", "", 200,
         "network-inspect.json", 0},
        {DOCKER_CONNECT, "r", "kind", HTTP_POST, "networks/kind/connect", "{\"Container\":\"r\"}",
         200, NULL, 0},
        {DOCKER_DISCONNECT, "r", "kind", HTTP_POST, "networks/kind/disconnect",
         "{\"Container\":\"r\",\"Force\":true}", 200, NULL, 0},
        {DOCKER_IMAGE_INSPECT, UI, NULL, HTTP_GET,
         "images/joxit%2Fdocker-registry-ui%3Astatic/json", "", 200, "image-inspect.json", 0},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const char *fixture = table[i].fixture;
        _cleanup_free_ char *answer = fixture == NULL ? NULL : fixture_read(fixture, NULL);
        json_auto_t *expected = answer == NULL ? NULL : json_loads(answer, 0, NULL);
        _cleanup_outcome_ struct outcome outcome = {0};
        fake_transport_reply(docker_test.fake, table[i].status, answer);
        assert_int_equal(
            send(table[i].op, table[i].name, table[i].argument, table[i].body, &outcome), 0);

        const struct fake_request *sent = fake_transport_last(docker_test.fake);
        assert_int_equal(sent->method, table[i].method);
        assert_string_equal(sent->path + strlen("/v1.41/"), table[i].path);
        assert_string_equal(sent->body, table[i].body);
        assert_true(str_equal(sent->content_type, *table[i].body == '\0' ? NULL : JSON));
        assert_int_equal(sent->timeout_ms, DOCKER_TEST_TIMEOUT_MS + table[i].more_ms);
        assert_int_equal(outcome.calls, 0);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        outcome_is(&outcome, "");
        assert_true(expected == NULL ? outcome.answer == NULL
                                     : json_equal(outcome.answer, expected));
    }
}

// The bodies are what Engine 20.10 answered, or Podman 4.3.1.
static void test_answers(_unused_ void **state)
{
    static const struct {
        enum docker_op op;
        int status;
        const char *body;
        const char *text; // "": it is no error
    } table[] = {
        {DOCKER_CREATE, 409, "{\"message\":\"Conflict. The name is already in use.\"}\n",
         "engine: create container r: Conflict. The name is already in use. (HTTP 409)"},
        {DOCKER_CREATE, 201, "{\"Id\":\"fbd2\",\"Warnings\":[]}", ""},
        {DOCKER_LIST, 200, "{}", "engine: list containers: the answer is no list"},
        {DOCKER_LIST, 200, "", "engine: list containers: the answer is no JSON"},
        {DOCKER_LIST, 200, "[{\"Id\":\"865f\"},{}]",
         "engine: list containers: an entry of the answer has no id"},
        {DOCKER_LIST, 200, "[null]", "engine: list containers: an entry of the answer has no id"},
        {DOCKER_INSPECT, 200, "{\"Id\":7}", "engine: inspect container r: the answer has no id"},
        {DOCKER_INSPECT, 200, "[]", "engine: inspect container r: the answer is no JSON object"},
        {DOCKER_INSPECT, 404,
         "{\"cause\":\"no such container\",\"message\":\"no such\",\"response\":404}\n",
         "engine: inspect container r: no such (HTTP 404)"},
        {DOCKER_NETWORK_INSPECT, 200, "{}", "engine: inspect network kind: the answer has no id"},
        {DOCKER_IMAGE_INSPECT, 200, "{}",
         "engine: inspect image joxit/docker-registry-ui:static: the answer has no id"},
        {DOCKER_RENAME, 409, "{\"message\":\"Conflict.\"}",
         "engine: rename container r to r-old: Conflict. (HTTP 409)"},
        {DOCKER_REMOVE, 404, "{\"message\":\"No such container: r\"}", ""},
        {DOCKER_REMOVE, 409, "{\"message\":\"is already in progress\"}",
         "engine: remove container r: is already in progress (HTTP 409)"},
        {DOCKER_START, 404, "{\"message\":\"No such container: r\"}",
         "engine: start container r: No such container: r (HTTP 404)"},
        {DOCKER_UPDATE, 404, "Not Found\n", "engine: update container r: Not Found (HTTP 404)"},
        {DOCKER_CONNECT, 200, "OK", ""},
        {DOCKER_CONNECT, 403,
         "{\"message\":\"endpoint with name x already exists in network kind\"}", ""},
        {DOCKER_CONNECT, 403, "{\"message\":\"container is not allowed\"}",
         "engine: connect r to network kind: container is not allowed (HTTP 403)"},
        {DOCKER_CONNECT, 404, "{\"message\":\"network kind not found\"}",
         "engine: connect r to network kind: network kind not found (HTTP 404)"},
        {DOCKER_DISCONNECT, 200, "OK\n", ""},
        {DOCKER_DISCONNECT, 500,
         "{\"message\":\"container 865f is not connected to network kind\"}", ""},
        {DOCKER_DISCONNECT, 403,
         "{\"message\":\"container 865f is not connected to network kind\"}", ""},
        {DOCKER_DISCONNECT, 404, "{\"message\":\"endpoint r not found\"}", ""},
        {DOCKER_DISCONNECT, 500, "{\"message\":\"driver failed\"}",
         "engine: disconnect r from network kind: driver failed (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_outcome_ struct outcome outcome = {0};
        fake_transport_reply(docker_test.fake, table[i].status, table[i].body);
        enum docker_op op = table[i].op;
        bool connects = op == DOCKER_CONNECT || op == DOCKER_DISCONNECT;
        const char *name = op == DOCKER_IMAGE_INSPECT     ? UI
                           : op == DOCKER_NETWORK_INSPECT ? "kind"
                                                          : "r";
        assert_int_equal(send(op, name, connects ? "kind" : "r-old", "{}", &outcome), 0);
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        outcome_is(&outcome, table[i].text);
        assert_true(docker_is_negotiated(docker_test.docker));
    }
}

static int on_event(_unused_ void *ctx, const json_t *event)
{
    return str_equal(json_string_value(json_object_get(event, "Type")), "network") ? 0 : -EPROTO;
}

static void test_events(_unused_ void **state)
{
    struct outcome outcome = {0};
    const struct fake_answer answer = {
        .status = 200,
        .body = "{\"Type\":\"network\",\"Action\":\"connect\",\"time\":1796016029}\n"
                "{\"Type\":\"network\",\"Action\":\"disconnect\"}\n",
        .chunk = 7,
    };
    fake_transport_answer(docker_test.fake, &answer);
    assert_int_equal(
        docker_events(docker_test.docker, 1796016028, on_event, outcome_done, &outcome, NULL), 0);
    assert_string_equal(fake_transport_last(docker_test.fake)->path,
                        "/v1.41/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22"
                        "%5D%7D&since=1796016028");
    assert_int_equal(fake_transport_last(docker_test.fake)->timeout_ms, 0);
    assert_int_equal(fake_transport_run(docker_test.fake), 1);
    outcome_is(&outcome, "");
}

static void on_progress(_unused_ void *ctx, _unused_ const char *line, _unused_ uint64_t bytes)
{
}

// A pull is a stream as well, but nobody watches by it.
static void test_cancel(_unused_ void **state)
{
    for (enum api_effect from = API_READS; from <= API_WATCHES; from++) {
        struct outcome o[4] = {0};
        assert_int_equal(send(DOCKER_START, "r", NULL, "", &o[0]), 0);
        assert_int_equal(send(DOCKER_LIST, NULL, NULL, "", &o[1]), 0);
        assert_int_equal(
            docker_image_pull(docker_test.docker, "a:1", on_progress, outcome_done, &o[2], NULL),
            0);
        assert_int_equal(docker_events(docker_test.docker, 0, on_event, outcome_done, &o[3], NULL),
                         0);
        docker_cancel(docker_test.docker, from);
        for (size_t i = 0; i < ELEMENTS(o); i++) {
            fake_transport_reply(docker_test.fake, 200, "[]");
        }
        assert_int_equal(fake_transport_run(docker_test.fake), ELEMENTS(o));
        bool reads = from == API_READS;
        assert_int_equal(o[0].err.code, 0);
        assert_int_equal(o[1].err.code, reads ? ECANCELED : 0);
        assert_int_equal(o[2].err.code, reads ? ECANCELED : 0);
        assert_int_equal(o[3].err.code, ECANCELED);
        outcome_clear(&o[1]);
        assert_int_equal(docker_test_teardown(NULL), 0);
        assert_int_equal(docker_test_setup(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_losses),
        WITH_DOCKER(test_time),
        WITH_DOCKER(test_requests),
        WITH_DOCKER(test_answers),
        cmocka_unit_test(test_cures_over_tcp),
        WITH_DOCKER(test_ends),
        WITH_DOCKER(test_events),
        WITH_DOCKER(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
