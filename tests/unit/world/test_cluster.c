#include "lib/world/cluster.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *fixture(const char *name)
{
    _cleanup_free_ char *path = str_printf("%s/fixtures/kube/%s.json", TEST_DATA, name);
    json_error_t error;
    json_t *value = json_load_file(path, 0, &error);
    if (value == NULL) {
        fail_msg("%s: %s", path, error.text);
    }
    return value;
}

static void path_one(enum kube_kind kind, const char *name_space, const char *name, int result,
                     const char *expected)
{
    _cleanup_free_ char *path = NULL;
    assert_int_equal(kube_kind_path(kind, name_space, name, &path), result);
    if (expected == NULL) {
        assert_null(path);
    } else {
        assert_string_equal(path, expected);
    }
}

static void test_paths(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    path_one(KUBE_NAMESPACE, NULL, NULL, 0, "/api/v1/namespaces");
    path_one(KUBE_NAMESPACE, NULL, "hostk8s", 0, "/api/v1/namespaces/hostk8s");
    path_one(KUBE_DEPLOYMENT, NULL, NULL, 0, "/apis/apps/v1/deployments");
    path_one(KUBE_SERVICE, "hostk8s", NULL, 0, "/api/v1/namespaces/hostk8s/services");
    path_one(KUBE_INGRESS, "a", "b.c-1", 0,
             "/apis/networking.k8s.io/v1/namespaces/a/ingresses/b.c-1");
    path_one(KUBE_ENDPOINT_SLICE, "a", "b", 0,
             "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices/b");
    path_one(KUBE_NAMESPACE, "a", NULL, -EINVAL, NULL);
    path_one(KUBE_SERVICE, NULL, "b", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", "../b", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a/b", "b", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", "", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", "-b", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", "b.", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", "B c", -EINVAL, NULL);
    path_one(KUBE_SERVICE, "a", long_name, -EINVAL, NULL);
}

// Every kind as the API server answers with it.
static void test_recorded_lists(void **state)
{
    static const struct {
        const char *file;
        enum kube_kind kind;
        const char *name;
    } lists[] = {
        {"namespaces", KUBE_NAMESPACE, "hostk8s"},
        {"configmaps", KUBE_CONFIG_MAP, "local-registry-hosting"},
        {"deployments", KUBE_DEPLOYMENT, "registry-ui"},
        {"services", KUBE_SERVICE, "registry-api"},
        {"endpoints", KUBE_ENDPOINTS, "registry-api"},
        {"ingresses", KUBE_INGRESS, "registry-ui"},
    };
    (void)state;
    _cleanup_(world_cluster_freep) struct world_cluster *world = calloc(1, sizeof(*world));
    for (size_t i = 0; i < ELEMENTS(lists); i++) {
        json_auto_t *list = fixture(lists[i].file);
        assert_int_equal(world_cluster_add_list(world, lists[i].kind, list, NULL), 0);
        const char *name_space = lists[i].kind == KUBE_NAMESPACE    ? NULL
                                 : lists[i].kind == KUBE_CONFIG_MAP ? "kube-public"
                                                                    : "hostk8s";
        const struct world_object *object =
            world_cluster_object(world, lists[i].kind, name_space, lists[i].name);
        assert_non_null(object);
        assert_true(object->owned);
        assert_false(object->deleting);
        assert_non_null(object->uid);
        assert_non_null(json_object_get(object->object, "metadata"));
        size_t count = world->object_count; // the same again: nothing new
        assert_int_equal(world_cluster_add_list(world, lists[i].kind, list, NULL), 0);
        assert_int_equal(world->object_count, count);
    }
    // Slices that controllers made of the labelled Service and Endpoints.
    json_auto_t *slices = fixture("endpointslices");
    assert_int_equal(world_cluster_add_list(world, KUBE_ENDPOINT_SLICE, slices, NULL), 0);
    for (size_t i = 0; i < world->object_count; i++) {
        assert_true(world->objects[i].owned != (world->objects[i].kind == KUBE_ENDPOINT_SLICE));
    }
}

static void owned_one(enum kube_kind kind, const char *metadata, bool owned)
{
    _cleanup_(world_cluster_freep) struct world_cluster *world = calloc(1, sizeof(*world));
    _cleanup_free_ char *text =
        str_printf("{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",%s}}", metadata);
    json_auto_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_int_equal(world_cluster_add(world, kind, object, NULL), 0);
    assert_int_equal(world->objects[0].owned, owned);
    assert_int_equal(world->objects[0].name_space == NULL, kind == KUBE_NAMESPACE);
}

#define LABEL "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\""
#define MANAGER                                                                                    \
    "\"managedFields\":[null,{\"manager\":\"kubectl\"},{\"manager\":\"hostk8s-registryd\"}]"
#define SLICE_LABEL "\"endpointslice.kubernetes.io/managed-by\":"

static void test_owned(void **state)
{
    (void)state;
    owned_one(KUBE_SERVICE, "\"labels\":{" LABEL "}", true);
    owned_one(KUBE_SERVICE, "\"labels\":{\"app.kubernetes.io/managed-by\":\"Helm\"}", false);
    owned_one(KUBE_SERVICE, "\"labels\":null,\"managedFields\":null", false);
    owned_one(KUBE_SERVICE, "\"labels\":null," MANAGER, true);
    owned_one(KUBE_SERVICE, "\"managedFields\":[{\"manager\":\"kubectl\"}]", false);
    owned_one(KUBE_NAMESPACE, "\"labels\":{" LABEL "}", true);
    owned_one(KUBE_NAMESPACE, MANAGER, false);
    owned_one(KUBE_ENDPOINT_SLICE, "\"labels\":{" LABEL "}", true);
    owned_one(KUBE_ENDPOINT_SLICE, "\"labels\":{" LABEL "," SLICE_LABEL "\"hostk8s-registryd\"}",
              true);
    owned_one(KUBE_ENDPOINT_SLICE, "\"labels\":{" LABEL "," SLICE_LABEL "\"x.k8s.io\"}", false);
    owned_one(KUBE_ENDPOINT_SLICE, "\"labels\":{" SLICE_LABEL "\"x.k8s.io\"}," MANAGER, true);
}

static void test_deleting(void **state)
{
    (void)state;
    _cleanup_(world_cluster_freep) struct world_cluster *world = calloc(1, sizeof(*world));
    json_auto_t *object = json_loads("{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":"
                                     "\"2026-11-22T22:23:00Z\"}}",
                                     0, NULL);
    assert_int_equal(world_cluster_add(world, KUBE_NAMESPACE, object, NULL), 0);
    assert_true(world->objects[0].deleting);
    assert_null(world->objects[0].uid);
    assert_null(world_cluster_object(world, KUBE_NAMESPACE, NULL, "b"));
    assert_null(world_cluster_object(world, KUBE_NAMESPACE, "a", "a"));
}

static void malformed_one(enum kube_kind kind, const char *list, const char *text)
{
    _cleanup_(world_cluster_freep) struct world_cluster *world = calloc(1, sizeof(*world));
    json_auto_t *value = json_loads(list, 0, NULL);
    struct error err = {0};
    assert_non_null(value);
    assert_int_equal(world_cluster_add_list(world, kind, value, &err), text == NULL ? 0 : -EBADMSG);
    assert_string_equal(err.text, text == NULL ? "" : text);
    assert_int_equal(world->object_count, 0);
}

static void test_malformed(void **state)
{
    (void)state;
    malformed_one(KUBE_SERVICE, "{}", NULL);
    malformed_one(KUBE_SERVICE, "{\"items\":null}", NULL);
    malformed_one(KUBE_SERVICE, "[]", NULL);
    malformed_one(KUBE_SERVICE, "{\"items\":[7]}",
                  "the cluster's answer holds an object of kind Service without a valid name");
    malformed_one(KUBE_NAMESPACE, "{\"items\":[{\"metadata\":{\"name\":1}}]}",
                  "the cluster's answer holds an object of kind Namespace without a valid name");
    malformed_one(KUBE_INGRESS, "{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}",
                  "the cluster's answer holds an object of kind Ingress without a valid name");
    static const char *const names[] = {"",  "../x", "a/b", "\\u001b[2J", "%s%n", "a\\nb",
                                        "A", "a b",  "-a",  "a.",         "$(id)"};
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        _cleanup_free_ char *list =
            str_printf("{\"items\":[{\"metadata\":{\"name\":\"%s\"}}]}", names[i]);
        malformed_one(
            KUBE_NAMESPACE, list,
            "the cluster's answer holds an object of kind Namespace without a valid name");
        _cleanup_free_ char *within = str_printf(
            "{\"items\":[{\"metadata\":{\"name\":\"a\",\"namespace\":\"%s\"}}]}", names[i]);
        malformed_one(KUBE_SERVICE, within,
                      "the cluster's answer holds an object of kind Service without a valid name");
    }
    world_cluster_free(NULL);
}

static void test_too_many(void **state)
{
    (void)state;
    _cleanup_(world_cluster_freep) struct world_cluster *world = calloc(1, sizeof(*world));
    struct error err = {0};
    for (int i = 0; i <= 1000; i++) {
        json_auto_t *object = json_pack("{s:{s:o}}", "metadata", "name", json_sprintf("n%d", i));
        assert_int_equal(world_cluster_add(world, KUBE_NAMESPACE, object, &err),
                         i < 1000 ? 0 : -E2BIG);
    }
    assert_string_equal(err.text, "the cluster has more than 1000 objects with the label "
                                  "app.kubernetes.io/managed-by=hostk8s-registryd");
}

static void reason_one(const char *file, const char *expected)
{
    json_auto_t *pods = fixture(file);
    _cleanup_free_ char *reason = NULL;
    assert_int_equal(world_pod_reason(pods, &reason), 0);
    if (expected == NULL) {
        assert_null(reason);
    } else {
        assert_non_null(reason);
        assert_string_equal(reason, expected);
    }
}

static void test_recorded_pods(void **state)
{
    (void)state;
    reason_one("pods_ready", NULL);
    reason_one("pods_image_pull_back_off",
               "ImagePullBackOff: Back-off pulling image \"localhost:5000/missing/registry-ui:1\"");
    reason_one("pods_err_image_pull",
               "ErrImagePull: rpc error: code = Unknown desc = failed to pull and unpack image "
               "\"localhost:5000/missing/registry-ui:1\": failed to resolve reference "
               "\"localhost:5000/missing/registry-ui:1\": failed to do request: Head "
               "\"http://localhost:5000/v2/missing/registry-ui/manifests/1\": dial tcp "
               "127.0.0.1:5000: connect: connection refused");
    reason_one("pods_crash_loop_back_off",
               "CrashLoopBackOff: back-off 10s restarting failed container=ui "
               "pod=registry-ui-989489cc4-f85xp_hostk8s(d2ec8c25-aaf0-4907-b901-aa46ba14c6df)");
    reason_one("pods_unschedulable", "Unschedulable: 0/2 nodes are available: 2 node(s) didn't "
                                     "match Pod's node affinity.");
}

static void made_up_reason_one(const char *status, const char *expected)
{
    _cleanup_free_ char *text = str_printf("{\"items\":[null,{\"status\":%s}]}", status);
    json_auto_t *pods = json_loads(text, 0, NULL);
    _cleanup_free_ char *reason = NULL;
    assert_non_null(pods);
    assert_int_equal(world_pod_reason(pods, &reason), 0);
    assert_true(str_equal(reason, expected));
}

static void test_pod_reasons(void **state)
{
    (void)state;
    made_up_reason_one("null", NULL);
    made_up_reason_one("{\"containerStatuses\":[{\"state\":{\"running\":{}}}]}", NULL);
    made_up_reason_one("{\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":"
                       "\"ContainerCreating\"}}}]}",
                       "ContainerCreating");
    made_up_reason_one("{\"containerStatuses\":[{\"state\":{\"terminated\":{\"reason\":\"Error\","
                       "\"message\":\"no\\nroute\"}}}]}",
                       "Error: no route");
    made_up_reason_one("{\"initContainerStatuses\":[{\"ready\":true,\"state\":{\"terminated\":{"
                       "\"reason\":\"Completed\"}}}],\"conditions\":[{\"type\":\"PodScheduled\","
                       "\"status\":\"True\",\"reason\":\"x\"}]}",
                       NULL);
    made_up_reason_one("{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\"}]}", NULL);
}

// A long message is cut between characters.
static void test_long_reason(void **state)
{
    (void)state;
    char message[600];
    for (size_t i = 0; i < 299; i++) {
        memcpy(message + 2 * i, "ä", 2);
    }
    message[598] = '\0';
    json_auto_t *pods =
        json_pack("{s:[{s:{s:[{s:{s:{s:s, s:s}}}]}}]}", "items", "status", "containerStatuses",
                  "state", "waiting", "reason", "X", "message", message);
    _cleanup_free_ char *reason = NULL;
    assert_int_equal(world_pod_reason(pods, &reason), 0);
    assert_int_equal(strlen(reason), 399);
    assert_string_equal(reason + 397, "ä");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_recorded_lists),
        cmocka_unit_test(test_owned),         cmocka_unit_test(test_deleting),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_recorded_pods), cmocka_unit_test(test_pod_reasons),
        cmocka_unit_test(test_long_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
