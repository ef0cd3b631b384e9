// What the API server answers, decoded.
#include "lib/kinds/object/current.h"

#include "lib/base/str.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

// Every kind as the API server answers with it; what its controllers made has our labels.
static void test_recorded(void **state)
{
    static const struct {
        const char *resource;
        bool owned;
        const char *path;
    } objects[] = {
        {"Namespace/hostk8s", true, "/api/v1/namespaces/hostk8s"},
        {"ConfigMap/kube-public/local-registry-hosting", true,
         "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"},
        {"Deployment/hostk8s/registry-ui", true,
         "/apis/apps/v1/namespaces/hostk8s/deployments/registry-ui"},
        {"Service/hostk8s/registry-ui", true, "/api/v1/namespaces/hostk8s/services/registry-ui"},
        {"Service/hostk8s/registry-api", true, "/api/v1/namespaces/hostk8s/services/registry-api"},
        {"EndpointSlice/hostk8s/registry-api", true,
         "/apis/discovery.k8s.io/v1/namespaces/hostk8s/endpointslices/registry-api"},
        {"EndpointSlice/hostk8s/registry-ui-d862d", false,
         "/apis/discovery.k8s.io/v1/namespaces/hostk8s/endpointslices/registry-ui-d862d"},
        {"Ingress/hostk8s/registry-ui", true,
         "/apis/networking.k8s.io/v1/namespaces/hostk8s/ingresses/registry-ui"},
        {"Ingress/hostk8s/registry-api", true,
         "/apis/networking.k8s.io/v1/namespaces/hostk8s/ingresses/registry-api"},
        {"IngressClass/nginx", false, "/apis/networking.k8s.io/v1/ingressclasses/nginx"},
    };
    struct object_rig *rig = *state;
    object_rig_add_recorded(rig);
    size_t count = rig->current->count;
    object_rig_add_recorded(rig); // the first answer counts
    assert_int_equal(rig->current->count, count);
    for (size_t i = 0; i < ELEMENTS(objects); i++) {
        const struct object *object = object_rig_object(rig, objects[i].resource);
        assert_int_equal(object->owned, objects[i].owned);
        assert_string_equal(object->path, objects[i].path);
        assert_false(object->deleting);
        assert_non_null(object->json);
        assert_non_null(object->uid);
        assert_int_equal(object->home != NULL, object->api->namespaced);
    }
    // And the namespace kube-public, which was not in a list.
    assert_int_equal(count, ELEMENTS(objects) + 1);
    assert_null(object_rig_object(rig, "Namespace/kube-public")->json);
    struct arena arena = {0};
    assert_string_equal(object_collection(&arena, object_api("EndpointSlice"), NULL),
                        "/apis/discovery.k8s.io/v1/endpointslices");
    arena_done(&arena);
}

#define LABEL "\"labels\":{\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\""
#define MANAGER                                                                                    \
    "\"managedFields\":[null,{\"manager\":\"hostk8s-registryd\"},{\"manager\":\"kubectl\"}]"
#define MAKER "\"endpointslice.kubernetes.io/managed-by\":"

static const struct {
    const char *kind;
    const char *metadata;
    bool owned;
} owners[] = {
    {"Service", LABEL "}", true},
    {"Service", "\"labels\":{\"app.kubernetes.io/managed-by\":\"Helm\"}", false},
    {"Service", "\"labels\":null,\"managedFields\":null", false},
    {"Service", "\"labels\":null," MANAGER, true},
    {"Service", "\"managedFields\":[{\"manager\":\"kubectl\"}]", false},
    {"Namespace", LABEL "}", true},
    {"Namespace", MANAGER, false},
    {"EndpointSlice", LABEL "}", true},
    {"EndpointSlice", LABEL "," MAKER "\"hostk8s-registryd\"}", true},
    {"EndpointSlice", LABEL "," MAKER "\"x.k8s.io\"}", false},
    {"EndpointSlice", "\"labels\":{" MAKER "\"x.k8s.io\"}," MANAGER, true},
};

static void test_owned(void **state)
{
    struct object_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(owners); i++) {
        object_rig_reset(rig);
        object_rig_add(rig, owners[i].kind,
                       "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",%s}}",
                       owners[i].metadata);
        _cleanup_free_ char *resource = str_printf(
            "%s/%s", owners[i].kind, str_equal(owners[i].kind, "Namespace") ? "a" : "b/a");
        assert_int_equal(object_rig_object(rig, resource)->owned, owners[i].owned);
    }
}

static void test_deleting(void **state)
{
    struct object_rig *rig = *state;
    object_rig_add(rig, "Namespace",
                   "{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":\"2026\"}}");
    const struct object *object = object_rig_object(rig, "Namespace/a");
    assert_true(object->deleting);
    assert_null(object->uid);
    assert_ptr_equal(object_current_get(rig->current, object_api("Service"), "a", "s")->home,
                     object);
}

static void malformed_one(const char *kind, const char *list, bool fine)
{
    _cleanup_(object_current_freep) struct object_current *current = object_current_new("dev");
    json_auto_t *value = json_loads(list, 0, NULL);
    assert_non_null(value);
    struct error err = {0};
    assert_int_equal(object_current_add(current, object_api(kind), value, &err),
                     fine ? 0 : -EBADMSG);
    _cleanup_free_ char *text =
        str_printf("the cluster's answer holds an object of kind %s without a valid name", kind);
    assert_string_equal(err.text, fine ? "" : text);
    assert_int_equal(current->count, 0);
}

static void test_malformed(void **state)
{
    static const char *const names[] = {"",  "../x", "a/b", "\\u001b[2J", "%s%n", "a\\nb",
                                        "A", "a b",  "-a",  "a.",         "$(id)"};
    (void)state;
    malformed_one("Service", "{\"items\":null}", true);
    malformed_one("Service", "{\"items\":[]}", true);
    malformed_one("Service", "{}", false);
    malformed_one("Service", "{\"items\":[7]}", false);
    malformed_one("Namespace", "{\"items\":[{\"metadata\":{\"name\":1}}]}", false);
    malformed_one("Ingress", "{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}", false);
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        _cleanup_free_ char *named = str_printf("{\"metadata\":{\"name\":\"%s\"}}", names[i]);
        malformed_one("Namespace", named, false);
        _cleanup_free_ char *within = str_printf(
            "{\"items\":[{\"metadata\":{\"name\":\"a\",\"namespace\":\"%s\"}}]}", names[i]);
        malformed_one("Service", within, false);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    _cleanup_(object_current_freep) struct object_current *current = object_current_new("dev");
    struct error err = {0};
    for (int i = 0; i <= 1000; i++) {
        json_auto_t *object = json_pack("{s:{s:o}}", "metadata", "name", json_sprintf("n%d", i));
        assert_int_equal(object_current_add(current, object_api("Namespace"), object, &err),
                         i < 1000 ? 0 : -E2BIG);
    }
    assert_string_equal(err.text, "the cluster has more than 1000 objects with the label "
                                  "app.kubernetes.io/managed-by=hostk8s-registryd");
}

// ---- pods ----

static void reason_one(json_t *pods, const struct secrets *secrets, const char *expected)
{
    struct arena arena = {0};
    const char *reason = object_pod_reason(&arena, pods, secrets);
    if (!str_equal(reason, expected)) {
        fail_msg("%s", reason);
    }
    arena_done(&arena);
    json_decref(pods);
}

static void test_recorded_pods(void **state)
{
    (void)state;
    reason_one(object_fixture("pods_ready"), NULL, NULL);
    reason_one(object_fixture("1.36.2/pods"), NULL, NULL);
    reason_one(object_fixture("pods_image_pull_back_off"), NULL,
               "ImagePullBackOff: Back-off pulling image \"localhost:5000/missing/registry-ui:1\"");
    // Too long to be told.
    reason_one(object_fixture("pods_err_image_pull"), NULL,
               "ErrImagePull: rpc error: code = Unknown desc = failed to pull and unpack image "
               "\"localhost:5000/missing/registry-ui:1\": failed to resolve reference "
               "\"localhost:5000/missing/registry-ui:1\": failed to do request: Head "
               "\"http://localhost:5000/v2/missing/registry-ui/manifests/1\": dial tcp "
               "127.0.0.1:5000: connect: connection refused");
    reason_one(object_fixture("pods_crash_loop_back_off"), NULL,
               "CrashLoopBackOff: back-off 10s restarting failed container=ui "
               "pod=registry-ui-989489cc4-f85xp_hostk8s(d2ec8c25-aaf0-4907-b901-aa46ba14c6df)");
    reason_one(object_fixture("pods_unschedulable"), NULL,
               "Unschedulable: 0/2 nodes are available: 2 node(s) didn't match Pod's node "
               "affinity.");
}

#define STATE(list, state) "{\"" list "\":[{\"state\":{" state "}}]}"

static const struct {
    const char *status;
    const char *expected;
} pods[] = {
    {"null", NULL},
    {STATE("containerStatuses", "\"running\":{\"reason\":\"X\"}"), NULL},
    {STATE("containerStatuses", "\"waiting\":{\"message\":\"x\"}"), NULL},
    {STATE("containerStatuses", "\"waiting\":{\"reason\":\"X\",\"message\":\"\"}"), "X"},
    {STATE("initContainerStatuses", "\"waiting\":{\"reason\":\"X\"}"), "X"},
    {STATE("initContainerStatuses", "\"terminated\":{\"reason\":\"X\"}"), "X"},
    {STATE("containerStatuses",
           "\"terminated\":{\"reason\":\"X\",\"message\":\"no\\nroute for geheimes\"}"),
     "X: no route for ***"},
    {"{\"initContainerStatuses\":[{\"ready\":true,\"state\":{\"terminated\":{\"reason\":\"X\"}}}],"
     "\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\",\"reason\":\"x\"}]}",
     NULL},
    {"{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\"}]}", NULL},
    {"{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"X\"}]}", "X"},
    {"{\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"X\"}}}],"
     "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}",
     NULL},
};

static void test_pod_reasons(void **state)
{
    (void)state;
    _cleanup_(secrets_freep) struct secrets *secrets = secrets_new();
    secrets_add(secrets, "geheimes");
    for (size_t i = 0; i < ELEMENTS(pods); i++) {
        // One that is going tells nothing.
        _cleanup_free_ char *text =
            str_printf("{\"items\":[null,{\"metadata\":{\"deletionTimestamp\":\"2026\"},"
                       "\"status\":" STATE("containerStatuses",
                                           "\"waiting\":{\"reason\":\"Y\"}") "},{\"status\":%s}]}",
                       pods[i].status);
        reason_one(json_loads(text, 0, NULL), secrets, pods[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_recorded),         OBJECT_TEST(test_owned),
        OBJECT_TEST(test_deleting),         cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_recorded_pods),
        cmocka_unit_test(test_pod_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
