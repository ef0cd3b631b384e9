#include "lib/kube/kube.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_BYTES_MAX (1024u * 1024u)
#define TIMEOUT_MS 1234
#define UNIT "unit/kube/fixtures/"
#define DEPLOYMENT "/apis/apps/v1/namespaces/hostk8s/deployments/registry-ui"

static char *fixture(const char *name)
{
    _cleanup_free_ char *path = str_printf(TEST_DATA "/%s", name);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, &text, &length), 0);
    return text;
}

static json_t *json_fixture(const char *name)
{
    _cleanup_free_ char *text = fixture(name);
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

struct context {
    struct fake_transport *fake;
    struct kube *kube;
};

static int setup(void **state)
{
    struct context *context = calloc(1, sizeof(*context));
    assert_non_null(context);
    context->fake = fake_transport_new();
    struct kube_credentials credentials = {
        .server = (char[]){"https://127.0.0.1:6443"},
        .ca_pem = (char[]){"ca"},
        .cert_pem = (char[]){"cert"},
        .key_pem = (char[]){"key"},
        .token = (char[]){"token"},
        .tls_server_name = (char[]){"localhost"},
    };
    assert_int_equal(kube_new(fake_transport_http(context->fake), &credentials, TIMEOUT_MS,
                              &context->kube, NULL),
                     0);
    *state = context;
    return 0;
}

static int teardown(void **state)
{
    struct context *context = *state;
    kube_free(context->kube);
    fake_transport_free(context->fake);
    free(context);
    return 0;
}

struct outcome {
    unsigned count;
    json_t *answer;
    struct error err;
};

static void record(void *ctx, json_t *answer, const struct error *err)
{
    struct outcome *outcome = ctx;
    assert_true(answer == NULL || err == NULL);
    outcome->count++;
    outcome->answer = json_incref(answer);
    if (err != NULL) {
        outcome->err = *err;
    }
}

static void outcome_done(struct outcome *outcome)
{
    json_decref(outcome->answer);
    *outcome = (struct outcome){0};
}

#define _cleanup_outcome_ _cleanup_(outcome_done)

static void assert_request(const struct context *context, enum http_method method, const char *path,
                           const char *content_type, const char *body)
{
    const struct fake_request *request = fake_transport_last(context->fake);
    assert_int_equal(request->method, method);
    assert_string_equal(request->path, path);
    assert_true(str_equal(request->content_type, content_type));
    assert_string_equal(request->body, body);
    assert_string_equal(request->headers, "Accept: application/json\n");
    assert_int_equal(request->timeout_ms, TIMEOUT_MS);
    assert_false(request->streamed);
}

static void test_endpoint(void **state)
{
    const struct context *context = *state;
    const struct fake_endpoint *endpoint = fake_transport_endpoint(context->fake, 0);
    assert_string_equal(endpoint->base, "https://127.0.0.1:6443");
    assert_string_equal(endpoint->ca_pem, "ca");
    assert_string_equal(endpoint->cert_pem, "cert");
    assert_string_equal(endpoint->key_pem, "key");
    assert_string_equal(endpoint->bearer_token, "token");
    assert_string_equal(endpoint->tls_server_name, "localhost");
    assert_null(endpoint->unix_socket);
    assert_int_equal(fake_transport_count(context->fake), 0);
}

static void test_get(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    _cleanup_free_ char *text = fixture("fixtures/kube/apply_deployment.json");
    fake_transport_reply(context->fake, 200, text);
    assert_int_equal(kube_get(context->kube, DEPLOYMENT, NULL, record, &outcome, NULL), 0);
    assert_int_equal(outcome.count, 0);
    assert_request(context, HTTP_GET, DEPLOYMENT, NULL, "");
    assert_int_equal(fake_transport_run(context->fake), 1);
    assert_int_equal(outcome.count, 1);
    json_auto_t *expected = json_fixture("fixtures/kube/apply_deployment.json");
    assert_true(json_equal(outcome.answer, expected));
}

static void test_list(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    _cleanup_free_ char *text = fixture("fixtures/kube/deployments.json");
    fake_transport_reply(context->fake, 200, text);
    assert_int_equal(kube_list(context->kube, "/apis/apps/v1/deployments",
                               "app.kubernetes.io/managed-by=hostk8s-registryd", NULL, record,
                               &outcome, NULL),
                     0);
    assert_request(context, HTTP_GET,
                   "/apis/apps/v1/deployments"
                   "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dhostk8s-registryd",
                   NULL, "");
    fake_transport_run(context->fake);
    assert_int_equal(json_array_size(json_object_get(outcome.answer, "items")), 1);

    outcome_done(&outcome);
    fake_transport_reply(context->fake, 200, "{\"items\": null}");
    assert_int_equal(
        kube_list(context->kube, "/api/v1/namespaces", NULL, NULL, record, &outcome, NULL), 0);
    assert_request(context, HTTP_GET, "/api/v1/namespaces", NULL, "");
    fake_transport_run(context->fake);
    assert_non_null(outcome.answer);

    static const char *const shapes[] = {"{}", "{\"items\": {}}", "{\"items\": 7}"};
    for (size_t i = 0; i < ELEMENTS(shapes); i++) {
        outcome_done(&outcome);
        fake_transport_reply(context->fake, 200, shapes[i]);
        assert_int_equal(
            kube_list(context->kube, "/api/v1/namespaces", NULL, NULL, record, &outcome, NULL), 0);
        fake_transport_run(context->fake);
        assert_null(outcome.answer);
        assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);
        assert_string_equal(outcome.err.text,
                            "kube: GET /api/v1/namespaces: the answer has no list of items");
    }

    // A selector that fills the request line.
    struct error err = {0};
    _cleanup_free_ char *selector = malloc(5000);
    assert_non_null(selector);
    memset(selector, '=', 4999);
    selector[4999] = '\0';
    assert_int_equal(
        kube_list(context->kube, "/api/v1/pods", selector, NULL, record, &outcome, &err), -EFBIG);
    assert_string_equal(err.text, "kube: GET /api/v1/pods: the label selector is too long");
    assert_int_equal(err.kind, ERROR_PERMANENT);
}

static void test_apply(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    json_auto_t *object = json_pack("{s:s, s:{s:s}}", "kind", "Namespace", "metadata", "name", "é");
    _cleanup_free_ char *text = fixture("fixtures/kube/apply_namespace.json");
    fake_transport_reply(context->fake, 201, text);
    assert_int_equal(kube_apply(context->kube, "/api/v1/namespaces/hostk8s", "hostk8s-registryd",
                                object, record, &outcome, NULL),
                     0);
    assert_request(
        context, HTTP_PATCH, "/api/v1/namespaces/hostk8s?fieldManager=hostk8s-registryd&force=true",
        "application/apply-patch+yaml", "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"é\"}}");
    assert_int_equal(object->refcount, 1);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
    assert_non_null(outcome.answer);

    // An object that no API server would take.
    struct error err = {0};
    _cleanup_free_ char *big = malloc(1100000);
    assert_non_null(big);
    memset(big, 'x', 1100000);
    json_auto_t *large = json_pack("{s:s#}", "data", big, (int)1100000);
    assert_non_null(large);
    assert_int_equal(kube_apply(context->kube, "/x", "m", large, record, &outcome, &err), -EFBIG);
    assert_string_equal(err.text, "kube: an object of more than 1048576 bytes");
    assert_int_equal(fake_transport_count(context->fake), 1);
}

static void test_delete(void **state)
{
    struct context *context = *state;
    const char *path = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting";
    _cleanup_outcome_ struct outcome outcome = {0};
    _cleanup_free_ char *deleted = fixture(UNIT "delete_configmap.json");
    fake_transport_reply(context->fake, 200, deleted);
    assert_int_equal(kube_delete(context->kube, path, "u-1", record, &outcome, NULL), 0);
    assert_request(context, HTTP_DELETE, path, "application/json",
                   "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                   "\"propagationPolicy\":\"Background\",\"preconditions\":{\"uid\":\"u-1\"}}");
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.err.kind, ERROR_NONE);

    outcome_done(&outcome);
    _cleanup_free_ char *missing = fixture(UNIT "status_404.json");
    fake_transport_reply(context->fake, 404, missing);
    assert_int_equal(kube_delete(context->kube, path, NULL, record, &outcome, NULL), 0);
    assert_request(context, HTTP_DELETE, path, "application/json",
                   "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                   "\"propagationPolicy\":\"Background\"}");
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
    assert_null(outcome.answer);
    assert_int_equal(outcome.err.kind, ERROR_NONE);

    outcome_done(&outcome);
    _cleanup_free_ char *conflict = fixture(UNIT "status_409_uid.json");
    fake_transport_reply(context->fake, 409, conflict);
    assert_int_equal(kube_delete(context->kube, path, "u-2", record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.err.kind, ERROR_CONFLICT);
    assert_int_equal(outcome.err.status, 409);
}

static void status_one(const struct context *context, int status, const char *body,
                       enum error_kind kind, const char *expected)
{
    _cleanup_outcome_ struct outcome outcome = {0};
    fake_transport_reply(context->fake, status, body);
    assert_int_equal(
        kube_list(context->kube, "/apis/apps/v1/deployments", NULL, NULL, record, &outcome, NULL),
        0);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
    assert_null(outcome.answer);
    assert_string_equal(outcome.err.text, expected);
    assert_int_equal(outcome.err.kind, kind);
    assert_int_equal(outcome.err.status, status);
    assert_true(outcome.err.code > 0);
}

#define GET "kube: GET /apis/apps/v1/deployments: "

static void test_recorded_statuses(void **state)
{
    static const struct {
        int status;
        const char *fixture;
        enum error_kind kind;
        const char *expected;
    } table[] = {
        {400, UNIT "status_400.json", ERROR_PERMANENT,
         GET "the name of the object (registry-ui) does not match the name on the URL (other) "
             "(HTTP 400 BadRequest)"},
        {401, UNIT "status_401.json", ERROR_PERMANENT, GET "Unauthorized (HTTP 401 Unauthorized)"},
        {403, UNIT "status_403.json", ERROR_PERMANENT,
         GET "deployments.apps is forbidden: User \"nobody\" cannot list resource \"deployments\" "
             "in API group \"apps\" at the cluster scope (HTTP 403 Forbidden)"},
        {404, UNIT "status_404.json", ERROR_CONFLICT,
         GET "deployments.apps \"missing\" not found (HTTP 404 NotFound)"},
        {404, UNIT "status_404_not_served.json", ERROR_CONFLICT,
         GET "the server could not find the requested resource (HTTP 404 NotFound)"},
        {409, UNIT "status_409_apply.json", ERROR_CONFLICT,
         GET "Apply failed with 1 conflict: conflict with \"hostk8s-registryd\": .data.a (HTTP 409 "
             "Conflict)"},
        {422, UNIT "status_422.json", ERROR_PERMANENT,
         GET "Ingress.extensions \"bad\" is invalid: spec.rules[0].http.paths[0].path: Invalid "
             "value: \"v2\": must be an absolute path (HTTP 422 Invalid)"},
        {500, UNIT "status_bad_type.json", ERROR_TRANSIENT,
         GET "failed to create typed patch object: .spec.replicas: expected numeric (int or "
             "float), got *value.valueUnstructured (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *body = fixture(table[i].fixture);
        status_one(*state, table[i].status, body, table[i].kind, table[i].expected);
    }
}

// That there is no such object only the API server can say.
static void test_missing(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    _cleanup_free_ char *missing = fixture(UNIT "status_404.json");
    fake_transport_reply(context->fake, 404, missing);
    assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
    assert_null(outcome.answer);
    assert_int_equal(outcome.err.kind, ERROR_NONE);
    outcome_done(&outcome);
    fake_transport_reply(context->fake, 404, "page not found");
    assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_string_equal(outcome.err.text, "kube: GET /x: page not found (HTTP 404)");
}

static void test_other_bodies(void **state)
{
    status_one(*state, 502, "<html>\r\n<head>\x1b[31m\n <title>Bad  Gateway</title>\n",
               ERROR_TRANSIENT, GET "<html> <head> [31m <title>Bad Gateway</title> (HTTP 502)");
    status_one(*state, 503, "", ERROR_TRANSIENT, GET "no message (HTTP 503)");
    status_one(*state, 301, "[]", ERROR_PERMANENT, GET "[] (HTTP 301)");
    status_one(*state, 403, "{\"message\": null, \"reason\": 7}", ERROR_PERMANENT,
               GET "{\"message\": null, \"reason\": 7} (HTTP 403)");
    status_one(*state, 200, "<html>", ERROR_TRANSIENT, GET "the answer is no JSON object");
    status_one(*state, 200, "[1]", ERROR_TRANSIENT, GET "the answer is no JSON object");
    status_one(*state, 200, "", ERROR_TRANSIENT, GET "the answer is no JSON object");
    status_one(*state, 200, "{\"items\": [", ERROR_TRANSIENT, GET "the answer is no JSON object");
}

// The status stays visible behind a message of any length.
static void test_long_message(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    char message[2000];
    memset(message, 'm', sizeof(message));
    json_auto_t *status =
        json_pack("{s:s%, s:s}", "message", message, sizeof(message), "reason", "Invalid");
    _cleanup_free_ char *body = json_dumps(status, 0);
    fake_transport_reply(context->fake, 422, body);
    assert_int_equal(kube_get(context->kube, DEPLOYMENT, NULL, record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_true(str_ends_with(outcome.err.text, "mmm (HTTP 422 Invalid)"));
}

static void retry_after_one(const struct context *context, const char *headers, unsigned expected)
{
    _cleanup_outcome_ struct outcome outcome = {0};
    fake_transport_answer(context->fake,
                          &(struct fake_answer){.status = 429, .headers = headers, .body = "slow"});
    assert_int_equal(kube_get(context->kube, DEPLOYMENT, NULL, record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);
    assert_int_equal(outcome.err.retry_ms, expected);
}

static void test_retry_after(void **state)
{
    retry_after_one(*state, "Retry-After: 1\r\n", 1000);
    retry_after_one(*state, "retry-after: 3600\r\n", 3600000);
    retry_after_one(*state, "Retry-After: 3601\r\n", 0);
    retry_after_one(*state, "Retry-After: -1\r\n", 0);
    retry_after_one(*state, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 0);
    retry_after_one(*state, "", 0);
}

static void test_network_errors(void **state)
{
    struct context *context = *state;
    _cleanup_outcome_ struct outcome outcome = {0};
    fake_transport_fail(context->fake, ERROR_TRANSIENT, ECONNREFUSED, "GET /x: refused");
    assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcome, NULL), 0);
    fake_transport_run(context->fake);
    assert_string_equal(outcome.err.text, "kube: GET /x: refused");
    assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);
    assert_int_equal(outcome.err.code, ECONNREFUSED);
    assert_int_equal(outcome.err.status, 0);

    struct error err = {0};
    fake_transport_refuse(context->fake, 1, ENOBUFS);
    assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcome, &err), -ENOBUFS);
    assert_string_equal(err.text, "kube: refused by the test");
    fake_transport_refuse(context->fake, 1, ENOBUFS);
    assert_int_equal(kube_delete(context->kube, "/x", "u", record, &outcome, NULL), -ENOBUFS);
    fake_transport_run(context->fake);
    assert_int_equal(outcome.count, 1);
}

static void test_cancel(void **state)
{
    struct context *context = *state;
    struct outcome outcomes[3] = {0};
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcomes[i], NULL), 0);
    }
    fake_transport_reply(context->fake, 200, "{}");
    assert_true(fake_transport_step(context->fake));
    kube_cancel_all(context->kube);
    kube_cancel_all(context->kube);
    assert_int_equal(outcomes[1].count, 0);
    assert_int_equal(fake_transport_run(context->fake), 2);
    assert_int_equal(outcomes[0].count, 1);
    assert_int_equal(outcomes[0].err.code, 0);
    for (size_t i = 1; i < ELEMENTS(outcomes); i++) {
        assert_int_equal(outcomes[i].count, 1);
        assert_int_equal(outcomes[i].err.code, ECANCELED);
    }
    kube_cancel_all(context->kube);
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        outcome_done(&outcomes[i]);
    }
}

static void test_cancel_reads(void **state)
{
    struct context *context = *state;
    struct outcome outcomes[2] = {0};
    assert_int_equal(kube_get(context->kube, "/x", NULL, record, &outcomes[0], NULL), 0);
    assert_int_equal(kube_delete(context->kube, "/x", "u", record, &outcomes[1], NULL), 0);
    kube_cancel_reads(context->kube);
    fake_transport_reply(context->fake, 200, "{}");
    assert_int_equal(fake_transport_run(context->fake), 2);
    assert_int_equal(outcomes[0].err.code, ECANCELED);
    assert_int_equal(outcomes[1].err.code, 0);
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        outcome_done(&outcomes[i]);
    }
}

// Calls end in any order, and a `done` may submit the next.
struct chain {
    struct context *context;
    unsigned left;
    struct outcome outcome;
};

static void chain_done(void *ctx, json_t *answer, const struct error *err)
{
    struct chain *chain = ctx;
    assert_non_null(answer);
    assert_null(err);
    chain->left--;
    fake_transport_reply(chain->context->fake, 200, "{}");
    assert_int_equal(
        chain->left > 0 ? kube_get(chain->context->kube, "/x", NULL, chain_done, chain, NULL)
                        : kube_get(chain->context->kube, "/y", NULL, record, &chain->outcome, NULL),
        0);
}

static void test_chain(void **state)
{
    struct context *context = *state;
    struct chain chains[2] = {{.context = context, .left = 2}, {.context = context, .left = 3}};
    for (size_t i = 0; i < ELEMENTS(chains); i++) {
        fake_transport_reply(context->fake, 200, "{}");
        assert_int_equal(kube_get(context->kube, "/x", NULL, chain_done, &chains[i], NULL), 0);
    }
    assert_int_equal(fake_transport_run(context->fake), 7);
    for (size_t i = 0; i < ELEMENTS(chains); i++) {
        assert_int_equal(chains[i].outcome.count, 1);
        outcome_done(&chains[i].outcome);
    }
}

#define WITH_KUBE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KUBE(test_endpoint),       WITH_KUBE(test_get),
        WITH_KUBE(test_list),           WITH_KUBE(test_apply),
        WITH_KUBE(test_delete),         WITH_KUBE(test_recorded_statuses),
        WITH_KUBE(test_other_bodies),   WITH_KUBE(test_missing),
        WITH_KUBE(test_long_message),   WITH_KUBE(test_retry_after),
        WITH_KUBE(test_network_errors), WITH_KUBE(test_cancel),
        WITH_KUBE(test_cancel_reads),   WITH_KUBE(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
