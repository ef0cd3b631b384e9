// The plan of a cluster: objects that should be there.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/cluster_scene.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const resources[] = {
    "Namespace/hostk8s",
    "ConfigMap/kube-public/local-registry-hosting",
    "Deployment/hostk8s/registry-ui",
    "Service/hostk8s/registry-ui",
    "Service/hostk8s/registry-api",
    "Endpoints/hostk8s/registry-api",
    "Ingress/hostk8s/registry-ui",
    "Ingress/hostk8s/registry-api",
};

// What the API server makes of the objects is what was declared, also after a repair.
static void test_recorded(void **state)
{
    static const char *const fixtures[] = {"objects_converged", "objects_repaired"};
    (void)state;
    for (size_t i = 0; i < ELEMENTS(fixtures); i++) {
        _cleanup_scene_ struct scene scene;
        scene_init(&scene, fixtures[i]);
        scene_plan(&scene);
        scene_assert_actions(&scene, "");
        assert_int_equal(scene.plan.condition_count, ELEMENTS(resources));
        for (size_t r = 0; i == 0 && r < ELEMENTS(resources); r++) {
            scene_assert_condition(&scene, resources[r], READY_TRUE, REASON_CONVERGED, "");
        }
    }
}

static void test_recorded_drift(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_drifted");
    scene_plan(&scene);
    scene_assert_actions(&scene, "apply ConfigMap/kube-public/local-registry-hosting\n"
                                 "apply Deployment/hostk8s/registry-ui\n"
                                 "apply Service/hostk8s/registry-ui\n"
                                 "apply Endpoints/hostk8s/registry-api\n"
                                 "apply Ingress/hostk8s/registry-ui\n"
                                 "apply Ingress/hostk8s/registry-api\n");
    scene_assert_fields(
        &scene, 0,
        "data.localRegistryHosting.v1: \"host: x\" -> \"host: \\\"localhost:5002\\\"\\n"
        "hostFromClusterNetwork: \\\"hostk8s-registry:5000\\\"\\nhelp: "
        "\\\"https://kind.sigs.k8s.io/docs/user…\n");
    scene_assert_fields(
        &scene, 1,
        "spec.replicas: 3 -> 1\n"
        "spec.paused: true -> false\n"
        "spec.template.spec.containers[ui].command: [\"sh\"] -> []\n"
        "spec.template.spec.containers[ui].env[PULL_URL].value: (hidden) -> (hidden)\n");
    scene_assert_fields(
        &scene, 2, "metadata.labels.app.kubernetes.io/managed-by: - -> \"hostk8s-registryd\"\n");
    scene_assert_fields(&scene, 3, "subsets[0].addresses[0].ip: \"1.2.3.4\" -> \"172.18.0.4\"\n");
    scene_assert_fields(&scene, 4, "spec.rules[0].host: \"foo.bar\" -> -\n");
    scene_assert_fields(
        &scene, 5,
        "metadata.annotations.nginx.ingress.kubernetes.io/proxy-body-size: \"1m\" -> "
        "\"0\"\n");
    const struct action *action = &scene.plan.actions[2];
    assert_int_equal(action->type, ACTION_OBJECT_APPLY);
    assert_int_equal(action->kind, KUBE_SERVICE);
    assert_string_equal(action->name_space, "hostk8s");
    assert_string_equal(action->name, "registry-ui");
    assert_string_equal(json_get_string(action->body, "kind", NULL), "Service");
    scene_assert_condition(&scene, "Service/hostk8s/registry-ui", READY_FALSE, REASON_CONVERGING,
                           "differs from what is declared; is being changed");
}

// What was found to be right is not compared again while it is the same value.
static void test_kept_objects(void **state)
{
    (void)state;
    static char other[] = "172.18.0.9";
    _cleanup_scene_ struct scene scene;
    _cleanup_(desired_objects_done) struct desired_objects objects = {0};
    scene_init(&scene, "objects_converged");
    scene.input.objects = &objects;
    scene_plan(&scene);
    scene_assert_actions(&scene, "");
    struct world_object *service = scene_object(&scene, KUBE_SERVICE, "registry-ui");
    json_t *spec = json_object_get(service->object, "spec");
    assert_int_equal(json_object_set_new(spec, "ports", json_array()), 0);
    scene_plan(&scene);
    scene_assert_actions(&scene, "");
    assert_int_equal(scene.plan.condition_count, ELEMENTS(resources));

    // Another value is compared, and what is desired by now is compared with everything.
    json_t *received = service->object;
    service->object = json_deep_copy(received);
    scene_plan(&scene);
    scene_assert_actions(&scene, "apply Service/hostk8s/registry-ui\n");
    json_decref(service->object);
    service->object = received;
    scene.endpoint.ipv4 = other;
    scene_plan(&scene);
    scene_assert_actions(&scene, "apply Service/hostk8s/registry-ui\n"
                                 "apply Endpoints/hostk8s/registry-api\n");
}

static void test_empty_cluster(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, NULL);
    scene_plan(&scene);
    scene_assert_actions(&scene, "create Namespace/hostk8s\n"
                                 "create ConfigMap/kube-public/local-registry-hosting\n"
                                 "create Deployment/hostk8s/registry-ui\n"
                                 "create Service/hostk8s/registry-ui\n"
                                 "create Service/hostk8s/registry-api\n"
                                 "create Endpoints/hostk8s/registry-api\n"
                                 "create Ingress/hostk8s/registry-ui\n"
                                 "create Ingress/hostk8s/registry-api\n");
    for (size_t i = 0; i < ELEMENTS(resources); i++) {
        scene_assert_condition(&scene, resources[i], READY_FALSE, REASON_CONVERGING,
                               "is missing; is being made");
    }
}

// A variable that is no longer declared is seen through the field manager's entry.
static void test_undeclared_variable(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    strmap_done(&scene.config->ui.environment);
    scene.config->ui.environment = (struct strmap){0};
    scene_plan(&scene);
    scene_assert_actions(&scene, "apply Deployment/hostk8s/registry-ui\n");
    scene_assert_fields(&scene, 0, "spec.template.spec.containers[ui].env[EMPTY]: (hidden) -> -\n");
}

static void test_recreate(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    struct world_object *service = scene_object(&scene, KUBE_SERVICE, "registry-api");
    json_t *spec = json_object_get(service->object, "spec");
    assert_int_equal(json_object_set_new(spec, "selector", json_pack("{s:s}", "x", "y")), 0);
    scene_plan(&scene);
    scene_assert_actions(&scene, "!recreate Service/hostk8s/registry-api\n"
                                 "+create Service/hostk8s/registry-api\n");
    scene_assert_fields(&scene, 0, "spec.selector.x: \"y\" -> -\n");
    assert_int_equal(scene.plan.actions[0].type, ACTION_OBJECT_DELETE);
    assert_string_equal(scene.plan.actions[0].uid, service->uid);
    assert_int_equal(scene.plan.actions[1].type, ACTION_OBJECT_APPLY);
    assert_null(scene.plan.actions[1].uid);
}

static void test_conflicts(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, NULL);
    scene_add(&scene, KUBE_NAMESPACE, "{\"metadata\":{\"name\":\"hostk8s\"}}");
    scene_add(&scene, KUBE_CONFIG_MAP,
              "{\"metadata\":{\"name\":\"local-registry-hosting\",\"namespace\":\"kube-public\"}}");
    scene_add(&scene, KUBE_SERVICE,
              "{\"metadata\":{\"name\":\"registry-api\",\"namespace\":\"hostk8s\"}}");
    scene_plan(&scene);
    scene_assert_actions(&scene, "create Deployment/hostk8s/registry-ui\n"
                                 "create Service/hostk8s/registry-ui\n"
                                 "create Endpoints/hostk8s/registry-api\n"
                                 "create Ingress/hostk8s/registry-ui\n"
                                 "create Ingress/hostk8s/registry-api\n");
    scene_assert_condition(&scene, "Namespace/hostk8s", READY_TRUE, REASON_CONVERGED, "");
    scene_assert_condition(
        &scene, "ConfigMap/kube-public/local-registry-hosting", READY_FALSE, REASON_NAME_CONFLICT,
        "ConfigMap local-registry-hosting in namespace kube-public is not managed by "
        "hostk8s-registryd; delete it, or hand it over with `kubectl --context kind-dev -n "
        "kube-public label --overwrite ConfigMap local-registry-hosting "
        "app.kubernetes.io/managed-by=hostk8s-registryd`");
    assert_int_equal(scene_condition(&scene, "Service/hostk8s/registry-api")->reason,
                     REASON_NAME_CONFLICT);
}

static void test_deleting(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene_object(&scene, KUBE_SERVICE, "registry-ui")->deleting = true;
    scene_plan(&scene);
    scene_assert_actions(&scene, "");
    scene_assert_condition(&scene, "Service/hostk8s/registry-ui", READY_FALSE, REASON_CONVERGING,
                           "is being deleted; is made again when it is gone");
    // With the namespace everything in it goes; elsewhere work goes on.
    _cleanup_scene_ struct scene gone;
    scene_init(&gone, NULL);
    scene_add(&gone, KUBE_NAMESPACE,
              "{\"metadata\":{\"name\":\"hostk8s\",\"deletionTimestamp\":\"2026\"}}");
    scene_plan(&gone);
    scene_assert_actions(&gone, "create ConfigMap/kube-public/local-registry-hosting\n");
    scene_assert_condition(&gone, "Namespace/hostk8s", READY_FALSE, REASON_CONVERGING,
                           "is being deleted; is made again when it is gone");
    scene_assert_condition(&gone, "Ingress/hostk8s/registry-ui", READY_FALSE, REASON_CONVERGING,
                           "waits until namespace hostk8s is deleted, to make it again");
}

static void test_apis(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene.world->apis = (struct world_apis){.endpoint_slice_v1 = true, .ingress_v1 = true};
    scene.world->ingress_class_present = false;
    scene_plan(&scene);
    // The Endpoints of the Service with a selector are its controller's.
    scene_assert_actions(&scene, "create EndpointSlice/hostk8s/registry-api\n"
                                 "!delete Endpoints/hostk8s/registry-api\n");
    scene_assert_condition(&scene, "Endpoints/hostk8s/registry-api", READY_FALSE, REASON_CONVERGING,
                           "is no longer wanted; is being deleted");
    scene_assert_condition(
        &scene, "Ingress/hostk8s/registry-ui", READY_FALSE, REASON_INGRESS_CLASS_MISSING,
        "the cluster has no IngressClass nginx; install an ingress controller that "
        "brings it, or set ui.ingressClass");

    _cleanup_scene_ struct scene old;
    scene_init(&old, NULL);
    old.world->apis = (struct world_apis){0};
    scene_plan(&old);
    assert_int_equal(old.plan.action_count, 6);
    scene_assert_condition(&old, "Ingress/hostk8s/registry-api", READY_FALSE, REASON_ERROR,
                           "the cluster does not serve networking.k8s.io/v1; use a node image of "
                           "Kubernetes 1.19 or later, or set ui.enabled: false");
}

static void no_address_one(struct scene *scene, const char *resource, const char *message)
{
    scene_plan(scene);
    scene_assert_actions(scene, "");
    scene_assert_condition(scene, resource, READY_UNKNOWN, REASON_CONVERGING, message);
}

static void test_no_address(void **state)
{
    (void)state;
    const char *message =
        "waits for network/kind/hostk8s-registry: the registry has no IPv4 address there";
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene.endpoint.ipv4 = NULL;
    no_address_one(&scene, "Endpoints/hostk8s/registry-api", message);
    scene.container.endpoint_count = 0;
    no_address_one(&scene, "Endpoints/hostk8s/registry-api", message);
    scene.engine.container_count = 0;
    no_address_one(&scene, "Endpoints/hostk8s/registry-api", message);
    scene.input.engine = NULL;
    no_address_one(&scene, "Endpoints/hostk8s/registry-api", message);
}

static void test_ipv6_cluster(void **state)
{
    (void)state;
    static char ipv6[] = "fc00::4";
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene.world->apis.endpoint_slice_v1 = true;
    scene.endpoint.ipv6 = ipv6;
    json_t *spec =
        json_object_get(scene_object(&scene, KUBE_SERVICE, "registry-api")->object, "spec");
    assert_int_equal(json_object_set_new(spec, "clusterIP", json_string("fd00::1")), 0);
    scene_plan(&scene);
    scene_assert_actions(&scene, "create EndpointSlice/hostk8s/registry-api-ipv6\n"
                                 "!delete Endpoints/hostk8s/registry-api\n");
    scene.endpoint.ipv6 = NULL;
    scene_plan(&scene);
    scene_assert_condition(
        &scene, "EndpointSlice/hostk8s/registry-api-ipv6", READY_UNKNOWN, REASON_CONVERGING,
        "waits for network/kind/hostk8s-registry: the registry has no IPv6 address there");
}

static void rollout_one(const char *status, const char *pod_reason, enum reason reason,
                        const char *message)
{
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    json_t *deployment = scene_object(&scene, KUBE_DEPLOYMENT, "registry-ui")->object;
    assert_int_equal(json_object_set_new(deployment, "status", json_loads(status, 0, NULL)), 0);
    sample_set(&scene.world->pod_reason, pod_reason);
    scene_plan(&scene);
    scene_assert_actions(&scene, "");
    if (reason != REASON_UNAVAILABLE) {
        scene_assert_condition(&scene, "Deployment/hostk8s/registry-ui",
                               reason == REASON_CONVERGED ? READY_TRUE : READY_FALSE, reason,
                               message);
        return;
    }
    _cleanup_free_ char *whole =
        str_printf("%s; see `kubectl --context kind-dev -n hostk8s describe pods -l "
                   "app.kubernetes.io/name=registry-ui`",
                   message);
    scene_assert_condition(&scene, "Deployment/hostk8s/registry-ui", READY_FALSE,
                           REASON_UNAVAILABLE, whole);
}

static void test_rollout(void **state)
{
    static const char unseen[] = "waits for the cluster's controller to take the change up";
    (void)state;
    rollout_one("{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                NULL, REASON_CONVERGED, "");
    rollout_one("{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1}",
                "ImagePullBackOff: Back-off pulling image \"x\"", REASON_UNAVAILABLE,
                "0 of 1 pods ready: ImagePullBackOff: Back-off pulling image \"x\"");
    rollout_one("{\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                "ErrImagePull", REASON_UNAVAILABLE,
                "1 of 1 pods ready, but not of the latest change: ErrImagePull");
    rollout_one("{\"observedGeneration\":0,\"replicas\":1,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                NULL, REASON_CONVERGING, unseen);
    rollout_one("{}", NULL, REASON_CONVERGING, unseen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_kept_objects),
        cmocka_unit_test(test_recorded_drift),
        cmocka_unit_test(test_empty_cluster),
        cmocka_unit_test(test_undeclared_variable),
        cmocka_unit_test(test_recreate),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_deleting),
        cmocka_unit_test(test_apis),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_ipv6_cluster),
        cmocka_unit_test(test_rollout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
