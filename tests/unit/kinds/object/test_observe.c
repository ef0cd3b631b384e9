// The requests of an observation, in their order, and what becomes of the answers.
#include "lib/kinds/object/observe.h"

#include "lib/base/str.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

#define LISTS                                                                                      \
    "GET /api/v1/namespaces\n"                                                                     \
    "GET /api/v1/configmaps\n"                                                                     \
    "GET /apis/apps/v1/deployments\n"                                                              \
    "GET /api/v1/services\n"                                                                       \
    "GET /apis/discovery.k8s.io/v1/endpointslices\n"                                               \
    "GET /apis/networking.k8s.io/v1/ingresses\n"
#define CLASS "GET /apis/networking.k8s.io/v1/ingressclasses/nginx\n"
#define NS "/namespaces/hostk8s"
#define HOSTING "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
#define DEPLOYMENT "/apis/apps/v1" NS "/deployments/registry-ui"
#define SLICE "/apis/discovery.k8s.io/v1" NS "/endpointslices/registry-api"
#define INGRESS "/apis/networking.k8s.io/v1" NS "/ingresses/registry-"
// The recorded Deployment is in the midst of a rollout.
#define PODS "GET /api/v1" NS "/pods\n"
#define DRY_RUNS                                                                                   \
    "PATCH /api/v1" NS "/services/registry-api dry\n"                                              \
    "PATCH /api/v1" NS " dry\n"                                                                    \
    "PATCH " HOSTING " dry\n"                                                                      \
    "PATCH " DEPLOYMENT " dry\n" PODS "PATCH /api/v1" NS "/services/registry-ui dry\n"             \
    "PATCH " INGRESS "ui dry\n"                                                                    \
    "PATCH " INGRESS "api dry\n"                                                                   \
    "PATCH " SLICE " dry\n"

// Nothing has changed: what is known to be right is not asked for again.
static void test_steady(void **state)
{
    struct object_rig *rig = *state;
    object_rig_observe(rig);
    object_rig_assert_requests(rig, "GET /apis\n" LISTS CLASS DRY_RUNS);
    object_rig_observe(rig);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    object_rig_assert_requests(rig, LISTS CLASS PODS);
    assert_string_equal(fake_transport_request(rig->fake, 1)->path,
                        "/api/v1/namespaces?labelSelector=app.kubernetes.io%2Fmanaged-by%3D"
                        "hostk8s-registryd");

    // Another manifest, and another version of the object.
    rig->config->ui.replicas = 2;
    object_rig_observe(rig);
    object_rig_assert_requests(rig, LISTS CLASS "PATCH " DEPLOYMENT " dry\n" PODS);
    object_rig_rule(rig, "GET /api/v1/services", 200,
                    "{\"items\":[{\"metadata\":{\"name\":\"registry-ui\",\"namespace\":\"hostk8s\","
                    "\"uid\":\"1e76deea\",\"resourceVersion\":\"7\",\"labels\":{"
                    "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}}}]}");
    object_rig_observe(rig);
    object_rig_assert_requests(rig, LISTS "GET /api/v1" NS "/services/registry-api\n" CLASS PODS
                                          "PATCH /api/v1" NS "/services/registry-ui dry\n");
}

static void test_new_cluster(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "hostk8s", 404, OBJECT_MISSING);
    object_rig_rule(rig, "local-registry-hosting", 404, OBJECT_MISSING);
    object_rig_rule(rig, "labelSelector", 200, "{\"items\":[]}");
    object_rig_observe(rig);
    object_rig_assert_requests(rig, "GET /apis\n" LISTS "GET /api/v1" NS "/services/registry-api\n"
                                    "GET /api/v1" NS "\n"
                                    "GET " HOSTING "\n"
                                    "GET " DEPLOYMENT "\n"
                                    "GET /api/v1" NS "/services/registry-ui\n"
                                    "GET " INGRESS "ui\n" CLASS "GET " INGRESS "api\n"
                                    "GET " SLICE "\n");
    for (size_t i = 0; i < rig->current->count; i++) {
        assert_true((rig->current->objects[i]->json == NULL) ==
                    !str_equal(rig->current->objects[i]->name, "nginx"));
    }

    // A Service of the other family brings the other slice; what is waited for is not asked for.
    object_rig_clear_rules(rig);
    object_rig_rule(rig, "GET /api/v1/services", 200,
                    "{\"items\":[{\"metadata\":{\"name\":\"registry-api\",\"namespace\":"
                    "\"hostk8s\"},\"spec\":{\"clusterIP\":\"fd00::1\"}}]}");
    object_rig_observe(rig);
    assert_string_equal(object_rig_object(rig, "EndpointSlice/hostk8s/registry-api-ipv6")->waits,
                        "IPv6");
    rig->engine.registry_ipv6 = "fc00::4";
    object_rig_observe(rig);
    assert_null(object_rig_object(rig, "EndpointSlice/hostk8s/registry-api")->row);
    object_rig_assert_requests(
        rig,
        LISTS "GET /api/v1" NS "/services/registry-ui\n" CLASS "PATCH /api/v1" NS
              " dry\nPATCH " HOSTING " dry\n"
              "PATCH " DEPLOYMENT " dry\n" PODS "PATCH /api/v1" NS "/services/registry-ui dry\n"
              "PATCH " INGRESS "ui dry\nPATCH " INGRESS "api dry\n" LISTS "GET /api/v1" NS
              "/services/registry-ui\n" CLASS "GET " SLICE "-ipv6\n" PODS);
}

// What is going, or is to be taken away, need not be compared.
static void test_no_dry_run(void **state)
{
    struct object_rig *rig = *state;
    rig->input.desired = false;
    object_rig_observe(rig);
    object_rig_assert_requests(rig, "GET /apis\n" LISTS CLASS);
    rig->input.desired = true;
    json_auto_t *list = object_fixture("1.36.2/deployments");
    json_object_set_new(
        json_object_get(json_array_get(json_object_get(list, "items"), 0), "metadata"),
        "deletionTimestamp", json_string("2026"));
    _cleanup_free_ char *text = json_dumps(list, 0);
    object_rig_rule(rig, "GET /apis/apps/v1/deployments", 200, text);
    object_rig_observe(rig);
    object_rig_assert_requests(rig,
                               LISTS CLASS "PATCH /api/v1" NS "/services/registry-api dry\n"
                                           "PATCH /api/v1" NS " dry\nPATCH " HOSTING " dry\n"
                                           "PATCH /api/v1" NS "/services/registry-ui dry\n"
                                           "PATCH " SLICE " dry\n"
                                           "PATCH " INGRESS "ui dry\nPATCH " INGRESS "api dry\n");
}

#define GROUPS(version)                                                                            \
    "{\"groups\":[{\"versions\":[{\"groupVersion\":\"apps/v1\"}]},{\"versions\":["                 \
    "{\"groupVersion\":\"" version "\"}]}]}"

static bool asks_groups(struct object_rig *rig)
{
    rig->logged = fake_transport_count(rig->fake);
    object_rig_observe(rig);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    return str_equal(fake_transport_request(rig->fake, rig->logged)->path, "/apis");
}

// What an API server serves is asked for until it had the time to start, and as long as something
// that is desired is missing.
static void test_discovery(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "GET /apis", 200, GROUPS("networking.k8s.io/v1"));
    object_rig_rule(rig, "GET /apis/", 404, OBJECT_MISSING);
    object_rig_rule(rig, "labelSelector", 200, "{\"items\":[]}");
    assert_true(asks_groups(rig));
    assert_non_null(object_rig_object(rig, "Endpoints/hostk8s/registry-api")->row);
    rig->io.now_ms += 19999;
    assert_true(asks_groups(rig));
    assert_true(asks_groups(rig));
    rig->io.now_ms += 1;
    assert_true(asks_groups(rig));
    assert_false(asks_groups(rig));

    // Of Ingress nothing can take the place.
    object_memory_get(&rig->memory)->discovered_ms = 0;
    object_rig_rule(rig, "GET /apis", 200, GROUPS("discovery.k8s.io/v1"));
    object_rig_rule(rig, "GET /apis/", 404, OBJECT_MISSING);
    object_rig_rule(rig, "labelSelector", 200, "{\"items\":[]}");
    for (int i = 0; i < 2; i++) {
        assert_true(asks_groups(rig));
        object_rig_assert_requests(rig, "GET /apis\n"
                                        "GET /api/v1/namespaces\n"
                                        "GET /api/v1/configmaps\n"
                                        "GET /apis/apps/v1/deployments\n"
                                        "GET /api/v1/services\n"
                                        "GET /apis/discovery.k8s.io/v1/endpointslices\n"
                                        "GET /api/v1" NS "/services/registry-api\n"
                                        "GET /api/v1" NS "\nGET " HOSTING "\n"
                                        "GET " DEPLOYMENT "\n"
                                        "GET /api/v1" NS "/services/registry-ui\n"
                                        "GET " SLICE "\n");
        assert_false(object_is_served(rig->current, object_api("Ingress")));
    }
}

// One list that a cluster may lack decides over its own objects alone.
static void test_optional_list(void **state)
{
    struct object_rig *rig = *state;
    static const char list[] = "GET /apis/networking.k8s.io/v1/ingresses";
    object_rig_reset(rig);
    object_rig_rule(rig, list, 403, "{\"message\":\"no\",\"reason\":\"Forbidden\"}");
    object_rig_observe(rig);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    const struct object *ingress = object_rig_object(rig, "Ingress/hostk8s/registry-ui");
    assert_int_equal(ingress->refusal->status, 403);
    assert_true(object_is_served(rig->current, ingress->api));
    assert_null(ingress->json);
    assert_null(object_rig_object(rig, "Service/hostk8s/registry-ui")->refusal);
    object_rig_rule(rig, list, 404, "404 page not found\n");
    object_rig_observe(rig);
    ingress = object_rig_object(rig, "Ingress/hostk8s/registry-ui");
    assert_null(ingress->refusal);
    assert_false(object_is_served(rig->current, ingress->api));
    object_rig_clear_rules(rig);
    object_rig_rule(rig, "ingressclasses/nginx", 500, "{}");
    object_rig_observe(rig);
    ingress = object_rig_object(rig, "Ingress/hostk8s/registry-ui");
    assert_null(ingress->refusal);
    assert_int_equal(ingress->need->refusal->status, 500);
}

static void failure_one(struct object_rig *rig, const char *request, int status, const char *body,
                        bool credentials_stay)
{
    object_rig_reset(rig);
    object_rig_rule(rig, request, status, body);
    object_rig_observe(rig);
    assert_int_equal(rig->err.status, status == 200 ? 0 : status);
    assert_int_equal(object_memory_get(&rig->memory)->source != NULL, credentials_stay);
}

static void test_failures(void **state)
{
    struct object_rig *rig = *state;
    failure_one(rig, "GET /apis", 503, "{}", true);
    failure_one(rig, "GET /api/v1/services", 403, "{}", true);
    failure_one(rig, "GET /api/v1/services", 404, "{}", false);
    failure_one(rig, "GET /api/v1/configmaps", 401, "{}", false);
    failure_one(rig, "GET /api/v1/configmaps", 200, "{\"items\":[{}]}", false);
    failure_one(rig, "GET /apis/networking.k8s.io/v1/ingresses", 401, "{}", false);
    failure_one(rig, "GET /apis/networking.k8s.io/v1/ingresses", 429, "{}", true);
    failure_one(rig, "GET /apis/networking.k8s.io/v1/ingresses", 0, "", false);
    failure_one(rig, "PATCH " DEPLOYMENT, 401, "{}", false);
    failure_one(rig, "PATCH " DEPLOYMENT, 0, "", false);
    failure_one(rig, "/pods", 500, "{}", true);
}

// A rollout that is stuck has its old pods ready.
static void test_pods(void **state)
{
    struct object_rig *rig = *state;
    json_auto_t *deployments = object_fixture("deployments_bad_image");
    json_auto_t *pods = object_fixture("pods_image_pull_back_off");
    _cleanup_free_ char *deployments_text = json_dumps(deployments, 0);
    _cleanup_free_ char *pods_text = json_dumps(pods, 0);
    object_rig_rule(rig, "GET /apis/apps/v1/deployments", 200, deployments_text);
    object_rig_rule(rig, "/pods", 200, pods_text);
    object_rig_observe(rig);
    assert_string_equal(
        object_rig_object(rig, "Deployment/hostk8s/registry-ui")->pod_reason,
        "ImagePullBackOff: Back-off pulling image \"localhost:5000/missing/registry-ui:1\"");
}

// ---- dry runs ----

static void test_drift(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "PATCH /api/v1" NS "/services/registry-ui", 200,
                    "{\"metadata\":{\"name\":\"registry-ui\"}}");
    for (int i = 0; i < 2; i++) { // it is asked until it agrees
        object_rig_observe(rig);
        assert_non_null(object_rig_object(rig, "Service/hostk8s/registry-ui")->merged);
        assert_int_equal(object_rig_object(rig, "Namespace/hostk8s")->merged != NULL, i == 0);
    }
    const struct fake_request *request = fake_transport_last(rig->fake);
    assert_string_equal(request->path, "/api/v1" NS "/services/registry-ui?fieldManager="
                                       "hostk8s-registryd&force=true&dryRun=All");
    assert_string_equal(request->content_type, "application/apply-patch+yaml");
}

// 422 may say that the manifest is invalid: such a one deletes nothing.
static void invalid_one(struct object_rig *rig, int status, bool immutable, int refused)
{
    object_rig_reset(rig);
    object_rig_rule(rig, "PATCH " DEPLOYMENT, 422, "{\"reason\":\"Invalid\"}");
    object_rig_rule(rig, "POST ", status, "{\"message\":\"words\"}");
    object_rig_observe(rig);
    const struct fake_request *request = fake_transport_last(rig->fake);
    assert_int_equal(request->method, HTTP_POST);
    assert_string_equal(request->path, "/apis/apps/v1" NS "/deployments?dryRun=All");
    assert_non_null(strstr(request->body, "\"kind\":\"Deployment\""));
    const struct object *object = object_rig_object(rig, "Deployment/hostk8s/registry-ui");
    assert_int_equal(object->immutable, immutable);
    assert_int_equal(object->refusal == NULL ? 0 : object->refusal->status, refused);
    assert_null(object->merged);
    assert_null(object_rig_object(rig, "Service/hostk8s/registry-ui")->refusal);
}

static void test_invalid(void **state)
{
    struct object_rig *rig = *state;
    invalid_one(rig, 409, true, 0);
    invalid_one(rig, 422, false, 422);
    invalid_one(rig, 500, false, 422);
    invalid_one(rig, 201, false, 422);
}

// What the server says of one object is that one's condition; a namespace is not made again.
static void test_refused(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "PATCH /api/v1" NS "?", 422, "{}");
    object_rig_rule(rig, "PATCH " DEPLOYMENT, 500, "{\"message\":\"a webhook is down\"}");
    object_rig_observe(rig);
    object_rig_assert_requests(rig, "GET /apis\n" LISTS CLASS DRY_RUNS);
    assert_int_equal(object_rig_object(rig, "Namespace/hostk8s")->refusal->status, 422);
    assert_string_equal(object_rig_object(rig, "Deployment/hostk8s/registry-ui")->refusal->text,
                        "kube: PATCH " DEPLOYMENT ": a webhook is down (HTTP 500)");
}

// ---- its end ----

static void test_interrupted(void **state)
{
    struct object_rig *rig = *state;
    for (size_t steps = 0; steps < 24; steps++) {
        object_rig_reset(rig);
        assert_int_equal(object_rig_begin_observe(rig), 0);
        for (size_t i = 0; i < steps / 2; i++) {
            object_rig_serve_one(rig);
        }
        object_rig_interrupt(rig, steps % 2 == 0);
    }
}

static void test_nothing_can_be_sent(void **state)
{
    struct object_rig *rig = *state;
    fake_transport_refuse(rig->fake, 1, ENFILE);
    assert_int_equal(object_rig_begin_observe(rig), -ENFILE);
    assert_int_equal(rig->err.code, ENFILE);
    assert_int_equal(object_rig_begin_observe(rig), 0);
    fake_transport_refuse(rig->fake, 1, EMFILE);
    object_rig_serve(rig);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.code, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_steady),        OBJECT_TEST(test_new_cluster),
        OBJECT_TEST(test_no_dry_run),    OBJECT_TEST(test_discovery),
        OBJECT_TEST(test_optional_list), OBJECT_TEST(test_failures),
        OBJECT_TEST(test_pods),          OBJECT_TEST(test_drift),
        OBJECT_TEST(test_invalid),       OBJECT_TEST(test_refused),
        OBJECT_TEST(test_interrupted),   OBJECT_TEST(test_nothing_can_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
