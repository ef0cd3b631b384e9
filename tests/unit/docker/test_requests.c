// Every request that is one exchange: what goes out, and what each kind of answer becomes.
#include "lib/base/str.h"
#include "tests/support/docker_test.h"

#include <errno.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define JSON "application/json"

typedef int (*send_fn)(struct docker *docker, struct outcome *outcome, struct error *err);

static int send_list(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_list(docker, NULL, outcome_done, outcome, err);
}

static int send_list_filtered(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_list(docker, "{\"label\":[\"a b\"]}", outcome_done, outcome, err);
}

static int send_inspect(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_inspect(docker, "hostk8s-registry", outcome_done, outcome, err);
}

static int send_inspect_odd(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_inspect(docker, "../v1.41/x?y", outcome_done, outcome, err);
}

static int send_create(struct docker *docker, struct outcome *outcome, struct error *err)
{
    json_auto_t *spec = json_pack("{s:s, s:[s]}", "Image", "registry:2", "Env", "KEY=secret");
    return docker_container_create(docker, "hostk8s-registry", spec, outcome_done, outcome, err);
}

static int send_start(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_start(docker, "r", outcome_done, outcome, err);
}

static int send_stop(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_stop(docker, "r", 7, outcome_done, outcome, err);
}

static int send_unpause(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_unpause(docker, "r", outcome_done, outcome, err);
}

static int send_rename(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_rename(docker, "r", "r-old", outcome_done, outcome, err);
}

static int send_remove(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_container_remove(docker, "r", outcome_done, outcome, err);
}

static int send_update(struct docker *docker, struct outcome *outcome, struct error *err)
{
    json_auto_t *changes = json_pack("{s:{s:s}}", "RestartPolicy", "Name", "always");
    return docker_container_update(docker, "r", changes, outcome_done, outcome, err);
}

static int send_network_inspect(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_network_inspect(docker, "kind", outcome_done, outcome, err);
}

static int send_connect(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_network_connect(docker, "kind", "r", "registry", outcome_done, outcome, err);
}

static int send_disconnect(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_network_disconnect(docker, "kind", "r", outcome_done, outcome, err);
}

static int send_image_inspect(struct docker *docker, struct outcome *outcome, struct error *err)
{
    return docker_image_inspect(docker, "joxit/docker-registry-ui:static", outcome_done, outcome,
                                err);
}

static int send_put(struct docker *docker, struct outcome *outcome, struct error *err)
{
    char path[] = "certs.d/localhost:5000/hosts.toml";
    char content[] = "server = \"x\"\n";
    const struct docker_file file = {.path = path, .content = content, .length = strlen(content)};
    return docker_archive_put(docker, "node", "/etc/containerd", &file, 1, outcome_done, outcome,
                              err);
}

static const struct {
    send_fn send;
    enum http_method method;
    const char *path;
    const char *content_type;
    const char *body; // NULL: not compared
    uint64_t timeout_ms;
    int status;
    const char *fixture; // the answer's body
    const char *text;    // or this
} requests[] = {
    {send_list, HTTP_GET, "/v1.41/containers/json?all=1", NULL, "", TIMEOUT_MS, 200,
     "container-list.json", NULL},
    {send_list_filtered, HTTP_GET,
     "/v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%20b%22%5D%7D", NULL, "",
     TIMEOUT_MS, 200, NULL, "[]"},
    {send_inspect, HTTP_GET, "/v1.41/containers/hostk8s-registry/json", NULL, "", TIMEOUT_MS, 200,
     "container-inspect.json", NULL},
    {send_inspect_odd, HTTP_GET, "/v1.41/containers/..%2Fv1.41%2Fx%3Fy/json", NULL, "", TIMEOUT_MS,
     200, NULL, "{\"Id\":\"865f\"}"},
    {send_create, HTTP_POST, "/v1.41/containers/create?name=hostk8s-registry", JSON,
     "{\"Image\":\"registry:2\",\"Env\":[\"KEY=secret\"]}", TIMEOUT_MS, 201, "create.json", NULL},
    {send_start, HTTP_POST, "/v1.41/containers/r/start", NULL, "", TIMEOUT_MS, 204, NULL, NULL},
    {send_start, HTTP_POST, "/v1.41/containers/r/start", NULL, "", TIMEOUT_MS, 304, NULL, NULL},
    {send_stop, HTTP_POST, "/v1.41/containers/r/stop?t=7", NULL, "", TIMEOUT_MS + 7000, 204, NULL,
     NULL},
    {send_stop, HTTP_POST, "/v1.41/containers/r/stop?t=7", NULL, "", TIMEOUT_MS + 7000, 304, NULL,
     NULL},
    {send_unpause, HTTP_POST, "/v1.41/containers/r/unpause", NULL, "", TIMEOUT_MS, 204, NULL, NULL},
    {send_rename, HTTP_POST, "/v1.41/containers/r/rename?name=r-old", NULL, "", TIMEOUT_MS, 204,
     NULL, NULL},
    {send_remove, HTTP_DELETE, "/v1.41/containers/r?force=1&v=0", NULL, "", TIMEOUT_MS, 204, NULL,
     NULL},
    {send_update, HTTP_POST, "/v1.41/containers/r/update", JSON,
     "{\"RestartPolicy\":{\"Name\":\"always\"}}", TIMEOUT_MS, 200, NULL, "{\"Warnings\":null}"},
    {send_network_inspect, HTTP_GET, "/v1.41/networks/kind", NULL, "", TIMEOUT_MS, 200,
     "network-inspect.json", NULL},
    {send_connect, HTTP_POST, "/v1.41/networks/kind/connect", JSON,
     "{\"Container\":\"r\",\"EndpointConfig\":{\"Aliases\":[\"registry\"]}}", TIMEOUT_MS, 200, NULL,
     NULL},
    {send_disconnect, HTTP_POST, "/v1.41/networks/kind/disconnect", JSON,
     "{\"Container\":\"r\",\"Force\":true}", TIMEOUT_MS, 200, NULL, NULL},
    {send_image_inspect, HTTP_GET, "/v1.41/images/joxit%2Fdocker-registry-ui%3Astatic/json", NULL,
     "", TIMEOUT_MS, 200, "image-inspect.json", NULL},
    {send_put, HTTP_PUT,
     "/v1.41/containers/node/archive?path=%2Fetc%2Fcontainerd&noOverwriteDirNonDir=true",
     "application/x-tar", NULL, TIMEOUT_MS, 200, NULL, NULL},
};

static void assert_answer(const char *expected, const char *answer)
{
    if (expected == NULL) {
        assert_null(answer);
        return;
    }
    json_auto_t *a = json_loads(expected, 0, NULL);
    json_auto_t *b = json_loads(answer, 0, NULL);
    assert_non_null(a);
    assert_true(json_equal(a, b));
}

static void test_requests(void **state)
{
    struct docker_test *test = *state;
    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        struct outcome outcome = {0};
        struct error err;
        _cleanup_free_ char *fixture =
            requests[i].fixture == NULL ? NULL : fixture_read(requests[i].fixture, NULL);
        const char *body = fixture == NULL ? requests[i].text : fixture;
        fake_transport_reply(test->fake, requests[i].status, body);
        assert_int_equal(requests[i].send(test->docker, &outcome, &err), 0);

        const struct fake_request *sent = fake_transport_last(test->fake);
        assert_int_equal(sent->method, requests[i].method);
        assert_string_equal(sent->path, requests[i].path);
        assert_true(str_equal(sent->content_type, requests[i].content_type));
        if (requests[i].body != NULL) {
            assert_string_equal(sent->body, requests[i].body);
        }
        assert_int_equal(sent->timeout_ms, requests[i].timeout_ms);
        assert_int_equal(outcome.calls, 0);

        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(outcome.calls, 1);
        assert_false(outcome.failed);
        assert_answer(body, outcome.answer);
        outcome_clear(&outcome);
    }
}

// The bodies are what Engine 20.10 answered.
static const struct {
    send_fn send;
    int status;
    const char *body;
    const char *text; // of the error; NULL: it is none
    enum error_kind kind;
    int code;
} refusals[] = {
    {send_create, 409,
     "{\"message\":\"Conflict. The container name \\\"/r\\\" is already in use by container "
     "\\\"865f\\\".\"}\n",
     "engine: create container hostk8s-registry: Conflict. The container name \"/r\" is already in "
     "use by container \"865f\". (HTTP 409)",
     ERROR_CONFLICT, EREMOTEIO},
    {send_create, 404, "{\"message\":\"No such image: nope:1\"}\n",
     "engine: create container hostk8s-registry: No such image: nope:1 (HTTP 404)", ERROR_CONFLICT,
     EREMOTEIO},
    {send_create, 500, "{\"message\":\"unexpected EOF\"}\n",
     "engine: create container hostk8s-registry: unexpected EOF (HTTP 500)", ERROR_TRANSIENT,
     EREMOTEIO},
    {send_create, 400, "{\"message\":\"invalid\\nreference\\u001b[0m\"}",
     "engine: create container hostk8s-registry: invalid reference?[0m (HTTP 400)", ERROR_PERMANENT,
     EREMOTEIO},
    {send_list, 502, "<html>\r\n<b>Bad \xfcGateway</b>\r\n",
     "engine: list containers: <html> <b>Bad ?Gateway</b> (HTTP 502)", ERROR_TRANSIENT, EREMOTEIO},
    {send_list, 503, "", "engine: list containers (HTTP 503)", ERROR_TRANSIENT, EREMOTEIO},
    {send_list, 500, "[\"message\"]", "engine: list containers: [\"message\"] (HTTP 500)",
     ERROR_TRANSIENT, EREMOTEIO},
    {send_list, 403, "{\"message\":null}", "engine: list containers: {\"message\":null} (HTTP 403)",
     ERROR_PERMANENT, EREMOTEIO},
    {send_list, 304, "", "engine: list containers (HTTP 304)", ERROR_PERMANENT, EREMOTEIO},
    {send_list, 200, "{}", "engine: list containers: the answer is no list", ERROR_TRANSIENT,
     EBADMSG},
    {send_list, 200, "", "engine: list containers: the answer is no JSON", ERROR_TRANSIENT,
     EBADMSG},
    {send_list, 200, "[{\"Id\":\"865f\"},{}]",
     "engine: list containers: an entry of the answer has no id", ERROR_TRANSIENT, EBADMSG},
    {send_list, 200, "[null]", "engine: list containers: an entry of the answer has no id",
     ERROR_TRANSIENT, EBADMSG},
    {send_inspect, 200, "{\"Id\":7}",
     "engine: inspect container hostk8s-registry: the answer has no id", ERROR_TRANSIENT, EBADMSG},
    {send_network_inspect, 200, "{}", "engine: inspect network kind: the answer has no id",
     ERROR_TRANSIENT, EBADMSG},
    {send_inspect, 200, "[]", "engine: inspect container hostk8s-registry: the answer is no object",
     ERROR_TRANSIENT, EBADMSG},
    {send_inspect, 200, "{\"Id\":",
     "engine: inspect container hostk8s-registry: the answer is no JSON", ERROR_TRANSIENT, EBADMSG},
    {send_inspect, 200, "null", "engine: inspect container hostk8s-registry: the answer is no JSON",
     ERROR_TRANSIENT, EBADMSG},
    {send_inspect, 404, "{\"message\":\"No such container: r\"}",
     "engine: inspect container hostk8s-registry: No such container: r (HTTP 404)", ERROR_CONFLICT,
     EREMOTEIO},
    {send_rename, 409, "{\"message\":\"Conflict.\"}",
     "engine: rename container r to r-old: Conflict. (HTTP 409)", ERROR_CONFLICT, EREMOTEIO},
    {send_remove, 404, "{\"message\":\"No such container: r\"}", NULL, ERROR_NONE, 0},
    {send_remove, 409, "{\"message\":\"removal of container r is already in progress\"}",
     "engine: remove container r: removal of container r is already in progress (HTTP 409)",
     ERROR_CONFLICT, EREMOTEIO},
    {send_start, 404, "{\"message\":\"No such container: r\"}",
     "engine: start container r: No such container: r (HTTP 404)", ERROR_CONFLICT, EREMOTEIO},
    {send_connect, 403,
     "{\"message\":\"endpoint with name fixture-docker-registry already exists in network kind\"}",
     NULL, ERROR_NONE, 0},
    {send_connect, 403, "{\"message\":\"container is not allowed\"}",
     "engine: connect r to network kind: container is not allowed (HTTP 403)", ERROR_PERMANENT,
     EREMOTEIO},
    {send_connect, 404, "{\"message\":\"network kind not found\"}",
     "engine: connect r to network kind: network kind not found (HTTP 404)", ERROR_CONFLICT,
     EREMOTEIO},
    {send_disconnect, 500, "{\"message\":\"container 865f is not connected to network kind\"}",
     NULL, ERROR_NONE, 0},
    {send_disconnect, 404, "{\"message\":\"endpoint r not found\"}", NULL, ERROR_NONE, 0},
    {send_disconnect, 500, "{\"message\":\"driver failed\"}",
     "engine: disconnect r from network kind: driver failed (HTTP 500)", ERROR_TRANSIENT,
     EREMOTEIO},
    {send_put, 404, "{\"message\":\"Could not find the file /etc/containerd in container node\"}",
     "engine: write below /etc/containerd in container node: Could not find the file "
     "/etc/containerd in container node (HTTP 404)",
     ERROR_CONFLICT, EREMOTEIO},
};

static void test_refusals(void **state)
{
    struct docker_test *test = *state;
    for (size_t i = 0; i < ELEMENTS(refusals); i++) {
        struct outcome outcome = {0};
        struct error err;
        fake_transport_reply(test->fake, refusals[i].status, refusals[i].body);
        assert_int_equal(refusals[i].send(test->docker, &outcome, &err), 0);
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.failed, refusals[i].text != NULL);
        if (refusals[i].text != NULL) {
            assert_string_equal(outcome.err.text, refusals[i].text);
            assert_int_equal(outcome.err.kind, refusals[i].kind);
            assert_int_equal(outcome.err.code, refusals[i].code);
            assert_int_equal(outcome.err.status,
                             refusals[i].code == EBADMSG ? 0 : refusals[i].status);
            assert_null(strstr(outcome.err.text, "secret"));
        }
        assert_true(docker_is_negotiated(test->docker));
        outcome_clear(&outcome);
    }
}

static void test_retry_after(void **state)
{
    struct docker_test *test = *state;
    struct outcome outcome = {0};
    fake_transport_answer(
        test->fake,
        &(struct fake_answer){.status = 429, .headers = "Retry-After: 7\r\n", .body = "slow"});
    assert_int_equal(send_list(test->docker, &outcome, NULL), 0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);
    assert_int_equal(outcome.err.retry_ms, 7000);
    outcome_clear(&outcome);
}

static void test_excerpt_is_bounded(void **state)
{
    struct docker_test *test = *state;
    char body[4096];
    memset(body, 'x', sizeof(body));
    body[sizeof(body) - 1] = '\0';
    struct outcome outcome = {0};
    struct error err;
    fake_transport_reply(test->fake, 500, body);
    assert_int_equal(send_list(test->docker, &outcome, &err), 0);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_int_equal(strlen(outcome.err.text),
                     strlen("engine: list containers: ") + 127 + strlen(" (HTTP 500)"));
}

static void test_empty_name(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    struct outcome outcome = {0};
    assert_int_equal(docker_container_remove(test->docker, "", outcome_done, &outcome, &err),
                     -EINVAL);
    assert_string_equal(err.text, "engine: remove container: an empty name");
    assert_int_equal(outcome.calls, 0);
}

static void test_cancel_all(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    struct outcome outcomes[3] = {0};
    assert_int_equal(send_list(test->docker, &outcomes[0], &err), 0);
    assert_int_equal(send_start(test->docker, &outcomes[1], &err), 0);
    assert_int_equal(send_stop(test->docker, &outcomes[2], &err), 0);
    fake_transport_reply(test->fake, 200, "[]");
    assert_true(fake_transport_step(test->fake));
    docker_cancel_all(test->docker);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(outcomes[i].calls, 0);
    }
    assert_int_equal(fake_transport_run(test->fake), 2);
    assert_false(outcomes[0].failed);
    outcome_clear(&outcomes[0]);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err.code, ECANCELED);
        assert_true(docker_is_negotiated(test->docker));
    }
    docker_cancel_all(test->docker); // nothing is under way
}

static void test_cancel_reads(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    struct outcome outcomes[3] = {0};
    assert_int_equal(send_list(test->docker, &outcomes[0], &err), 0);
    assert_int_equal(send_start(test->docker, &outcomes[1], &err), 0);
    assert_int_equal(docker_image_pull(test->docker, "a:1", NULL, outcome_done, &outcomes[2], &err),
                     0);
    docker_cancel_reads(test->docker);
    fake_transport_reply(test->fake, 204, "");
    assert_int_equal(fake_transport_run(test->fake), 3);
    assert_int_equal(outcomes[0].err.code, ECANCELED);
    assert_false(outcomes[1].failed);
    assert_int_equal(outcomes[2].err.code, ECANCELED);
}

static void test_send_refused(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    struct outcome outcome = {0};
    fake_transport_refuse(test->fake, 1, EMFILE);
    assert_int_equal(send_start(test->docker, &outcome, &err), -EMFILE);
    assert_string_equal(err.text, "engine: start container r: refused by the test");
    assert_int_equal(fake_transport_run(test->fake), 0);
    assert_int_equal(outcome.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_DOCKER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, docker_test_setup, docker_test_teardown)
        WITH_DOCKER(test_requests),           WITH_DOCKER(test_refusals),
        WITH_DOCKER(test_excerpt_is_bounded), WITH_DOCKER(test_empty_name),
        WITH_DOCKER(test_cancel_all),         WITH_DOCKER(test_cancel_reads),
        WITH_DOCKER(test_send_refused),       WITH_DOCKER(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
