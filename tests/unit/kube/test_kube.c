// Every request: what goes out, and what an answer becomes.
#include "lib/kube/kube.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/fake_transport.h"
#include "tests/support/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_BYTES_MAX (1024u * 1024u)
#define TIMEOUT_MS 1234
#define UNIT "unit/kube/fixtures/"
#define TOLD outcome_done, o, NULL

static struct fake_transport *fake;
static struct api *kube;
static struct secrets *secrets;

static char *fixture(const char *name)
{
    _cleanup_free_ char *path = str_printf(TEST_DATA "/%s", name);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, FILE_REGULAR, &text, &length, NULL), 0);
    return text;
}

static int setup(_unused_ void **state)
{
    const struct kube_credentials credentials = {
        .server = (char[]){"https://127.0.0.1:6443"},
        .ca_pem = (char[]){"ca"},
        .cert_pem = (char[]){"cert"},
        .key_pem = (char[]){"key"},
        .token = (char[]){"the-token"},
        .tls_server_name = (char[]){"localhost"},
    };
    fake = fake_transport_new();
    secrets = secrets_new();
    return kube_new(fake_transport_http(fake), &credentials, TIMEOUT_MS, secrets, &kube, NULL);
}

static int teardown(_unused_ void **state)
{
    api_free(TAKE_PTR(kube));
    fake_transport_free(fake);
    secrets_free(secrets);
    return 0;
}

static void test_endpoint(_unused_ void **state)
{
    const struct fake_endpoint *endpoint = fake_transport_endpoint(fake, 0);
    assert_string_equal(endpoint->base, "https://127.0.0.1:6443");
    assert_string_equal(endpoint->ca_pem, "ca");
    assert_string_equal(endpoint->cert_pem, "cert");
    assert_string_equal(endpoint->key_pem, "key");
    assert_string_equal(endpoint->bearer_token, "the-token");
    assert_string_equal(endpoint->tls_server_name, "localhost");
    assert_null(endpoint->unix_socket);
    assert_int_equal(fake_transport_count(fake), 0);
}

// ---- requests

typedef int (*send_fn)(struct outcome *o);

#define SEND(name, call)                                                                           \
    static int name(struct outcome *o)                                                             \
    {                                                                                              \
        return call;                                                                               \
    }
#define SEND_OBJECT(name, call)                                                                    \
    static int name(struct outcome *o)                                                             \
    {                                                                                              \
        json_auto_t *object = json_pack("{s:s}", "kind", "é");                                     \
        return call;                                                                               \
    }

SEND(get, kube_get(kube, "/x", TOLD))
SEND(list, kube_list(kube, "/apis/apps/v1/deployments", "a.b/c=d", false, TOLD))
SEND(list_first, kube_list(kube, "/api/v1/pods", "!a", true, TOLD))
SEND(groups, kube_get_apis(kube, "/apis", TOLD))
SEND(resources, kube_get_apis(kube, "/apis/apps/v1", TOLD))
SEND_OBJECT(apply, kube_apply(kube, "/x", "the manager", object, false, TOLD))
SEND_OBJECT(apply_dry, kube_apply(kube, "/x", "m", object, true, TOLD))
SEND_OBJECT(create, kube_try_create(kube, "/api/v1/namespaces", object, TOLD))
SEND(delete, kube_delete(kube, "/x", "u-1", TOLD))
SEND(delete_any, kube_delete(kube, "/x", NULL, TOLD))

#define OBJECT "{\"kind\":\"é\"}"
#define OPTIONS                                                                                    \
    "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"Background\""
#define APPLY "application/apply-patch+yaml"
#define JSON "application/json"

static void test_requests(_unused_ void **state)
{
    static const struct {
        send_fn send;
        enum http_method method;
        const char *path;
        const char *content_type;
        const char *body;
        const char *answer;
        bool read;
    } table[] = {
        {get, HTTP_GET, "/x", NULL, "", "{\"a\":1}", true},
        {list, HTTP_GET, "/apis/apps/v1/deployments?labelSelector=a.b%2Fc%3Dd", NULL, "",
         "{\"items\":[{}]}", true},
        {list_first, HTTP_GET, "/api/v1/pods?labelSelector=%21a&limit=10", NULL, "",
         "{\"items\":null}", true},
        {groups, HTTP_GET, "/apis", NULL, "", "{\"groups\":[]}", true},
        {resources, HTTP_GET, "/apis/apps/v1", NULL, "", "{\"resources\":[]}", true},
        {apply, HTTP_PATCH, "/x?fieldManager=the%20manager&force=true", APPLY, OBJECT, "{}", false},
        {apply_dry, HTTP_PATCH, "/x?fieldManager=m&force=true&dryRun=All", APPLY, OBJECT, "{}",
         true},
        {create, HTTP_POST, "/api/v1/namespaces?dryRun=All", JSON, OBJECT, "{}", true},
        {delete, HTTP_DELETE, "/x", JSON, OPTIONS ",\"preconditions\":{\"uid\":\"u-1\"}}", "{}",
         false},
        {delete_any, HTTP_DELETE, "/x", JSON, OPTIONS "}", "{}", false},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_outcome_ struct outcome outcome = {0};
        fake_transport_reply(fake, 200, table[i].answer);
        assert_int_equal(table[i].send(&outcome), 0);
        const struct fake_request *request = fake_transport_last(fake);
        assert_int_equal(request->method, table[i].method);
        assert_string_equal(request->path, table[i].path);
        assert_true(str_equal(request->content_type, table[i].content_type));
        assert_string_equal(request->body, table[i].body);
        assert_string_equal(request->accept, JSON);
        assert_int_equal(request->timeout_ms, TIMEOUT_MS);
        assert_int_equal(outcome.calls, 0);
        assert_int_equal(fake_transport_run(fake), 1);
        outcome_is(&outcome, "");
        _cleanup_free_ char *answer = json_dumps(outcome.answer, JSON_COMPACT);
        assert_string_equal(answer, table[i].answer);

        _cleanup_outcome_ struct outcome cancelled = {0};
        assert_int_equal(table[i].send(&cancelled), 0);
        api_cancel(kube, API_READS);
        assert_int_equal(fake_transport_run(fake), table[i].read);
        api_cancel(kube, API_CHANGES);
        (void)fake_transport_run(fake);
        assert_int_equal(cancelled.err.code, ECANCELED);
    }
}

#define LIST "kube: GET /apis/apps/v1/deployments: "

// The bodies are recorded. That there is no such object only the API server can say.
static void test_answers(_unused_ void **state)
{
    static const struct {
        send_fn send;
        int status;
        const char *body; // or a fixture's name
        const char *text; // "": no error, and no answer
    } table[] = {
        {get, 404, UNIT "status_404.json", ""},
        {delete, 404, UNIT "status_404.json", ""},
        {get, 404, "page not found", "kube: GET /x: page not found (HTTP 404)"},
        {get, 200, "[]", "kube: GET /x: the answer is no JSON object"},
        {list, 200, "{}", LIST "the answer has no list of items"},
        {list, 200, "{\"items\":{}}", LIST "the answer has no list of items"},
        {groups, 200, "{}", "kube: GET /apis: the answer has no list of groups or resources"},
        {delete, 409, "{\"reason\":\"Conflict\",\"message\":\"uid\"}",
         "kube: DELETE /x: uid (HTTP 409 Conflict)"},
        {create, 409, "{\"reason\":\"AlreadyExists\",\"message\":\"it exists\"}",
         "kube: POST /api/v1/namespaces: it exists (HTTP 409 AlreadyExists)"},
        {list, 400, UNIT "status_400.json",
         LIST "the name of the object (registry-ui) does not match the name on the URL (other) "
              "(HTTP 400 BadRequest)"},
        {list, 401, UNIT "status_401.json", LIST "Unauthorized (HTTP 401 Unauthorized)"},
        {list, 403, UNIT "status_403.json",
         LIST "deployments.apps is forbidden: User \"nobody\" cannot list resource \"deployments\" "
              "in API group \"apps\" at the cluster scope (HTTP 403 Forbidden)"},
        {list, 404, UNIT "status_404_not_served.json",
         LIST "the server could not find the requested resource (HTTP 404 NotFound)"},
        {apply, 409, UNIT "status_409_apply.json",
         "kube: PATCH /x: Apply failed with 1 conflict: conflict with \"hostk8s-registryd\": "
         ".data.a (HTTP 409 Conflict)"},
        {apply, 422, UNIT "status_422.json",
         "kube: PATCH /x: Ingress.extensions \"bad\" is invalid: "
         "spec.rules[0].http.paths[0].path: Invalid value: \"v2\": must be an absolute path (HTTP "
         "422 Invalid)"},
        {apply_dry, 500, UNIT "status_bad_type.json",
         "kube: PATCH /x: failed to create typed patch object: .spec.replicas: expected numeric "
         "(int or float), got *value.valueUnstructured (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        bool recorded = str_starts_with(table[i].body, UNIT);
        _cleanup_free_ char *body = recorded ? fixture(table[i].body) : str_dup(table[i].body);
        _cleanup_outcome_ struct outcome outcome = {0};
        fake_transport_reply(fake, table[i].status, body);
        assert_int_equal(table[i].send(&outcome), 0);
        assert_int_equal(fake_transport_run(fake), 1);
        outcome_is(&outcome, table[i].text);
        assert_null(outcome.answer);
    }
}

static void test_groups_serve(_unused_ void **state)
{
    static const struct {
        const char *groups; // or a fixture's name
        const char *version;
        bool served;
    } table[] = {
        {"fixtures/kube/api_groups.json", "apps/v1", true},
        {"fixtures/kube/api_groups.json", "discovery.k8s.io/v1beta1", true},
        {"fixtures/kube/api_groups.json", "discovery.k8s.io/v1", false},
        {"fixtures/kube/api_groups.json", "apps", false},
        {"{\"groups\": null}", "apps/v1", false},
        {"{\"groups\": [null, 1, [], {}, {\"versions\": null}, {\"versions\": 2}]}", "a/v1", false},
        {"{\"groups\": [{\"versions\": [null, 3, {}, {\"groupVersion\": 1}]}]}", "a/v1", false},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const char *groups = table[i].groups;
        _cleanup_free_ char *text = *groups == 'f' ? fixture(groups) : str_dup(groups);
        json_auto_t *json = json_loads(text, 0, NULL);
        assert_non_null(json);
        assert_int_equal(kube_api_groups_serve(json, table[i].version), table[i].served);
    }
}

// ---- watches

static int count_event(void *ctx, const json_t *event)
{
    assert_true(ctx != NULL && json_is_object(event));
    return 0;
}

static void test_watch(_unused_ void **state)
{
    static const struct {
        const char *body;
        const char *text;
        enum error_kind kind;
        int status;
    } table[] = {
        {"{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOKMARK\"}\n", "", 0, 0},
        // An error event is the reason, whatever comes after it.
        {"{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"no the-token\"}}\n{}\n",
         "kube: GET /x: no ***", ERROR_CONFLICT, 410},
        {"{\"type\":\"ERROR\",\"object\":{\"code\":7}}\n{\"cut", "kube: GET /x: an error",
         ERROR_TRANSIENT, 0},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct outcome outcome = {0};
        const struct fake_answer answer = {.status = 200, .body = table[i].body, .chunk = 5};
        fake_transport_answer(fake, &answer);
        assert_int_equal(
            kube_watch(kube, "/x", "a=b", "7", count_event, outcome_done, &outcome, NULL), 0);
        assert_string_equal(fake_transport_last(fake)->path,
                            "/x?watch=1&allowWatchBookmarks=true&timeoutSeconds=300"
                            "&labelSelector=a%3Db&resourceVersion=7");
        assert_int_equal(fake_transport_last(fake)->timeout_ms, 330000);
        assert_int_equal(fake_transport_run(fake), 1);
        outcome_is(&outcome, table[i].text);
        assert_int_equal(outcome.err.kind, table[i].kind);
        assert_int_equal(outcome.err.status, table[i].status);
    }
    struct outcome outcome = {0};
    assert_int_equal(kube_watch(kube, "/x", "a=b", "7", count_event, outcome_done, &outcome, NULL),
                     0);
    api_cancel(kube, API_WATCHES);
    assert_int_equal(fake_transport_run(fake), 1);
    assert_int_equal(outcome.err.code, ECANCELED);
}

#define WITH_KUBE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KUBE(test_endpoint), WITH_KUBE(test_requests),
        WITH_KUBE(test_answers),  cmocka_unit_test(test_groups_serve),
        WITH_KUBE(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
