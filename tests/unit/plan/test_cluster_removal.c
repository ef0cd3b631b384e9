// The plan of a cluster: owned objects that should not be there.
#include "tests/support/cluster_scene.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEARDOWN                                                                                   \
    "!delete Ingress/hostk8s/registry-api\n"                                                       \
    "!delete Ingress/hostk8s/registry-ui\n"                                                        \
    "!delete Endpoints/hostk8s/registry-api\n"                                                     \
    "!delete Service/hostk8s/registry-api\n"                                                       \
    "!delete Service/hostk8s/registry-ui\n"                                                        \
    "!delete Deployment/hostk8s/registry-ui\n"

static void test_teardown(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene.input.wanted = false;
    scene_plan(&scene);
    scene_assert_actions(&scene, TEARDOWN "!delete ConfigMap/kube-public/local-registry-hosting\n"
                                          "!delete Namespace/hostk8s\n");
    assert_int_equal(scene.plan.condition_count, 8);
    assert_string_equal(scene.plan.actions[0].uid,
                        scene_object(&scene, KUBE_INGRESS, "registry-api")->uid);

    // What others made, the API server's own namespaces, and what is going already.
    _cleanup_scene_ struct scene others;
    scene_init(&others, NULL);
    others.input.wanted = false;
    scene_plan(&others);
    assert_int_equal(others.plan.condition_count, 0);
    scene_add(&others, KUBE_SERVICE,
              "{\"metadata\":{\"name\":\"registry-api\",\"namespace\":\"hostk8s\"}}");
    scene_add(&others, KUBE_NAMESPACE,
              "{\"metadata\":{\"name\":\"kube-public\",\"labels\":{"
              "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}}}");
    scene_add(&others, KUBE_NAMESPACE,
              "{\"metadata\":{\"name\":\"default\",\"labels\":{"
              "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}}}");
    scene_plan(&others);
    assert_int_equal(others.plan.condition_count, 0);
    scene_assert_actions(&others, "");
    scene_add(&others, KUBE_NAMESPACE,
              "{\"metadata\":{\"name\":\"hostk8s\",\"deletionTimestamp\":\"2026\",\"labels\":{"
              "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}}}");
    scene_plan(&others);
    scene_assert_actions(&others, "");
    scene_assert_condition(&others, "Namespace/hostk8s", READY_FALSE, REASON_CONVERGING,
                           "is no longer wanted; is being deleted");
}

static void test_ui_disabled(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    scene.config->ui.enabled = false;
    sample_set(&scene.world->resident_doubt, "kube: GET /apis/a.example/v1: down (HTTP 503)");
    scene_plan(&scene);
    scene_assert_actions(&scene, TEARDOWN);
    scene_assert_condition(&scene, "ConfigMap/kube-public/local-registry-hosting", READY_TRUE,
                           REASON_CONVERGED, "");
    scene_assert_condition(&scene, "Namespace/hostk8s", READY_UNKNOWN, REASON_API_UNREACHABLE,
                           "is kept while others may live in it: kube: GET /apis/a.example/v1: "
                           "down (HTTP 503); mend that API, or if nothing there is needed, "
                           "`kubectl --context kind-dev delete namespace hostk8s`");
    sample_set(&scene.world->resident, "cronjobs/backup");
    scene_plan(&scene);
    scene_assert_actions(&scene, TEARDOWN);
    scene_assert_condition(&scene, "Namespace/hostk8s", READY_TRUE, REASON_CONVERGED,
                           "left in place, for others live in it: cronjobs/backup; if nothing "
                           "there is needed, `kubectl --context kind-dev delete namespace "
                           "hostk8s`");
    sample_set(&scene.world->resident, NULL);
    sample_set(&scene.world->resident_doubt, NULL);
    scene_plan(&scene);
    scene_assert_actions(&scene, TEARDOWN "!delete Namespace/hostk8s\n");
}

static void test_other_namespace(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, "objects_converged");
    sample_set(&scene.config->ui.name_space, "tools");
    scene_plan(&scene);
    scene_assert_actions(&scene, "create Namespace/tools\n"
                                 "create Deployment/tools/registry-ui\n"
                                 "create Service/tools/registry-ui\n"
                                 "create Service/tools/registry-api\n"
                                 "create Endpoints/tools/registry-api\n"
                                 "create Ingress/tools/registry-ui\n"
                                 "create Ingress/tools/registry-api\n" TEARDOWN);
    scene_assert_condition(&scene, "Namespace/hostk8s", READY_TRUE, REASON_CONVERGED,
                           "left in place, for others may live in it; if nothing there is needed, "
                           "`kubectl --context kind-dev delete namespace hostk8s`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teardown),
        cmocka_unit_test(test_ui_disabled),
        cmocka_unit_test(test_other_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
