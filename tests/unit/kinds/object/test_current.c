// What the API server answers, decoded.
#include "lib/kinds/object/current.h"

#include "lib/base/str.h"
#include "tests/support/json_text.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

#define LABEL "'labels':{'app.kubernetes.io/managed-by':'hostk8s-registryd'"
#define MANAGER "'managedFields':[null,{'manager':'hostk8s-registryd'},{'manager':'kubectl'}]"
#define MAKER "'endpointslice.kubernetes.io/managed-by':"
#define SERVICE "'kubernetes.io/service-name':"
#define MIRROR                                                                                     \
    "'labels':{" MAKER "'endpointslicemirroring-controller.k8s.io'," SERVICE                       \
    "'s'},'ownerReferences':[{'kind':'Endpoints','uid':'7'}]"
#define HOSTING(text, more)                                                                        \
    "'name':'local-registry-hosting'},'data':{'localRegistryHosting.v1':'" text "'" more           \
    "},'x':{'y':1"
#define HELP "help: \\\"https://kind.sigs.k8s.io/docs/user/local-registry/\\\"\\n"

static const struct {
    const char *kind;
    const char *metadata; // beside name and namespace
    const char *expected; // what it is taken for
} objects[] = {
    {"Service", LABEL "}", "Service/b/a owned"},
    {"Service", "'labels':{'app.kubernetes.io/managed-by':'Helm'}", "Service/b/a"},
    {"Service", "'labels':null,'managedFields':null", "Service/b/a"},
    {"Service", "'labels':null," MANAGER, "Service/b/a owned"},
    {"Service", "'managedFields':[{'manager':'kubectl'}]", "Service/b/a"},
    {"Service", "'labels':{" SERVICE "'s'}", "Service/b/a"},
    {"Service", "'labels':{'hostk8s.addon':'registry'}", "Service/b/a hostk8s"},
    {"Service", "'labels':{'hostk8s.addon':'other'}", "Service/b/a"},
    {"Service", "'deletionTimestamp':'2026'", "Service/b/a deleting"},
    {"Namespace", LABEL "}", "Namespace/a owned"},
    {"Namespace", MANAGER, "Namespace/a"},
    {"Namespace", "'labels':{'hostk8s.addon':'registry'}", "Namespace/a"},
    {"Endpoints", "'labels':null", "Endpoints/b/a of a"},
    {"EndpointSlice", "'labels':{" SERVICE "'s'}", "EndpointSlice/b/a of s"},
    {"EndpointSlice", LABEL "," MAKER "'hostk8s-registryd'," SERVICE "'s'}",
     "EndpointSlice/b/a owned"},
    {"EndpointSlice", LABEL "," MAKER "'x.k8s.io'," SERVICE "'s'}", "EndpointSlice/b/a owned of s"},
    {"EndpointSlice", MIRROR, "Endpoints/b/s of s"},
    {"EndpointSlice", MIRROR ",'ownerReferences':null", "EndpointSlice/b/a of s"},
    {"EndpointSlice", MIRROR ",'ownerReferences':[{'kind':'Service','uid':'7'}]",
     "EndpointSlice/b/a of s"},
    {"ConfigMap", HOSTING("host: \\\"localhost:5002\\\"\\n" HELP, ""),
     "ConfigMap/b/local-registry-hosting hostk8s"},
    {"ConfigMap", HOSTING("host: \\\"localhost:5002\\\"\\n" HELP, ",'mine':''"),
     "ConfigMap/b/local-registry-hosting"},
    {"ConfigMap", HOSTING("host: \\\"registry:5001\\\"\\n" HELP, ""),
     "ConfigMap/b/local-registry-hosting"},
    {"ConfigMap", HOSTING("host: \\\"localhost:5001\\\"\\n" HELP, ""),
     "ConfigMap/b/local-registry-hosting"},
    {"ConfigMap", HOSTING(HELP, ""), "ConfigMap/b/local-registry-hosting"},
};

static void test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(objects); i++) {
        _cleanup_(object_current_freep) struct object_current *current = object_current_new("dev");
        _cleanup_free_ char *text =
            str_printf("{'items':[{'metadata':{'name':'a','namespace':'b','uid':'1',%s}}]}",
                       objects[i].metadata);
        _cleanup_free_ char *quoted = json_text(text);
        json_auto_t *list = json_loads(quoted, 0, NULL); // the last of two members counts
        assert_non_null(list);
        assert_int_equal(object_current_add(current, object_api(objects[i].kind), list, NULL), 0);
        const struct object *object = current->objects[0];
        _cleanup_free_ char *said =
            str_printf("%s%s%s%s%s%s", object->resource + strlen("kube/dev/"),
                       object->owned ? " owned" : "", object->made_by_hostk8s ? " hostk8s" : "",
                       object->deleting ? " deleting" : "", object->service == NULL ? "" : " of ",
                       object->service == NULL ? "" : object->service->name);
        assert_string_equal(said, objects[i].expected);
        assert_string_equal(object->uid, str_equal(objects[i].metadata, MIRROR) ? "7" : "1");
        // The first answer counts, and an object that was asked for by its name is that.
        size_t count = current->count;
        json_t *item = json_array_get(json_object_get(list, "items"), 0);
        assert_int_equal(object_current_add(current, object_api(objects[i].kind), item, NULL), 0);
        assert_int_equal(current->count,
                         str_equal(objects[i].metadata, MIRROR) ? count + 1 : count);
    }
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
        cmocka_unit_test(test_objects),     cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_recorded_pods),
        cmocka_unit_test(test_pod_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
