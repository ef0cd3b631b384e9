// The plan of a cluster: objects that should be there, and owned ones that should not.
#include "lib/kinds/object/plan.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/object_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <string.h>

#define UI "Deployment/hostk8s/registry-ui"
#define SLICE "EndpointSlice/hostk8s/registry-api"
#define HOSTING "ConfigMap/kube-public/local-registry-hosting"
#define CONVERGED "True Converged: "
#define NO_RIGHTS "; give the kubeconfig's user the rights or leave kubernetes.kubeconfig empty"

static const char *const resources[] = {
    "Namespace/hostk8s",
    HOSTING,
    UI,
    "Service/hostk8s/registry-ui",
    "Service/hostk8s/registry-api",
    SLICE,
    "Ingress/hostk8s/registry-ui",
    "Ingress/hostk8s/registry-api",
};

static void assert_conditions(struct object_rig *rig, const char *expected)
{
    assert_int_equal(rig->plan.condition_count, ELEMENTS(resources));
    for (size_t i = 0; i < ELEMENTS(resources); i++) {
        object_rig_assert_condition(rig, resources[i], expected);
    }
}

// Everything is there, and as it should be; the recorded rollout has come to its end.
static void init_converged(struct object_rig *rig)
{
    object_rig_add_recorded(rig);
    object_rig_change(rig, UI,
                      "{\"status\":{\"observedGeneration\":99,\"replicas\":1,"
                      "\"updatedReplicas\":1,\"availableReplicas\":1}}");
    object_rig_desire(rig);
}

// The object as the API server would make it of the manifest: the live one with a change.
static void set_merged(struct object_rig *rig, const char *resource, const char *change)
{
    struct object *object = object_rig_object(rig, resource);
    json_auto_t *merged = json_deep_copy(object->json);
    json_auto_t *value = json_loads(change, 0, NULL);
    assert_int_equal(json_object_update_recursive(merged, value), 0);
    object->merged = object_current_keep(rig->current, merged);
}

static void test_converged(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    object_rig_assert_plan(rig, "");
    assert_conditions(rig, CONVERGED);
    // A dry run that changes nothing is no difference, whatever the server keeps in its answer.
    set_merged(rig, "Service/hostk8s/registry-api",
               "{\"kind\":\"Service\",\"metadata\":{\"managedFields\":[]}}");
    object_rig_assert_plan(rig, "");
}

static void test_empty_cluster(void **state)
{
    struct object_rig *rig = *state;
    object_rig_desire(rig);
    object_rig_assert_plan(rig, "create Namespace/hostk8s\n"
                                "create " HOSTING " < Namespace/kube-public\n"
                                "create " UI " < Namespace/hostk8s\n"
                                "create Service/hostk8s/registry-api < Namespace/hostk8s\n"
                                "create Service/hostk8s/registry-ui < Namespace/hostk8s\n"
                                "create " SLICE " < Namespace/hostk8s\n"
                                "create Ingress/hostk8s/registry-ui < Namespace/hostk8s\n"
                                "create Ingress/hostk8s/registry-api < Namespace/hostk8s\n");
    assert_conditions(rig, "False Converging: is missing; is being made");
    const struct action *action = rig->plan.actions[2];
    assert_int_equal(action->op, OBJECT_APPLY);
    assert_string_equal(action->name, "object-apply");
    assert_string_equal(action->target, "/apis/apps/v1/namespaces/hostk8s/deployments/registry-ui");
    assert_string_equal(action->argument, object_rig_object(rig, UI)->digest);
    assert_string_equal(json_get_string(action->body, "kind", NULL), "Deployment");
}

static void test_drift(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    set_merged(rig, UI, "{\"spec\":{\"replicas\":3},\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
    set_merged(rig, "Namespace/hostk8s",
               "{\"metadata\":{\"labels\":{\"app.kubernetes.io/name\":\"x\"}}}");
    object_rig_assert_plan(
        rig, "apply Namespace/hostk8s\n"
             "    metadata.labels.app.kubernetes.io/name: \"hostk8s-registry\" -> \"x\"\n"
             "apply " UI "\n"
             "    metadata.labels.a: - -> \"b\"\n"
             "    spec.replicas: 1 -> 3\n");
    object_rig_assert_condition(
        rig, UI, "False Converging: differs from what is declared; is being changed");
}

static void test_recreate(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    object_rig_change(rig, SLICE, "{\"addressType\":\"FQDN\"}");
    object_rig_object(rig, SLICE)->immutable = true;
    object_rig_assert_plan(rig, "!recreate " SLICE "\n"
                                "    addressType: \"FQDN\" -> \"IPv4\"\n"
                                "+create " SLICE "\n");
    assert_int_equal(rig->plan.actions[0]->op, OBJECT_DELETE);
    assert_string_equal(rig->plan.actions[0]->name, "object-delete");
    assert_string_equal(rig->plan.actions[0]->argument, object_rig_object(rig, SLICE)->uid);
    assert_int_equal(rig->plan.actions[1]->op, OBJECT_APPLY);
    assert_string_equal(rig->plan.actions[0]->target, rig->plan.actions[1]->target);
}

static struct error http_error(int status)
{
    struct error error = {0};
    (void)error_set(&error, status >= 500 ? ERROR_TRANSIENT : ERROR_PERMANENT, EREMOTEIO,
                    "kube: no (HTTP %d)", status);
    error.status = status;
    return error;
}

static void test_refused(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    const struct error invalid = http_error(422);
    const struct error forbidden = http_error(403);
    object_rig_object(rig, "Service/hostk8s/registry-ui")->refusal = &invalid;
    object_rig_object(rig, "IngressClass/nginx")->refusal = &forbidden;
    object_rig_assert_plan(
        rig, "Service/hostk8s/registry-ui False Error: kube: no (HTTP 422)\n"
             "Ingress/hostk8s/registry-api False Forbidden: kube: no (HTTP 403)" NO_RIGHTS "\n"
             "Ingress/hostk8s/registry-ui False Forbidden: kube: no (HTTP 403)" NO_RIGHTS "\n");
}

// What is there of somebody else's stays; a namespace serves as it is.
static void test_conflicts(void **state)
{
    struct object_rig *rig = *state;
    object_rig_add(rig, "Namespace", "{\"metadata\":{\"name\":\"hostk8s\"}}");
    object_rig_add(rig, "ConfigMap",
                   "{\"metadata\":{\"name\":\"local-registry-hosting\","
                   "\"namespace\":\"kube-public\"}}");
    object_rig_desire(rig);
    object_rig_assert_plan(
        rig, "create " UI "\n"
             "create Service/hostk8s/registry-api\n"
             "create Service/hostk8s/registry-ui\n"
             "create " SLICE "\n"
             "create Ingress/hostk8s/registry-ui\n"
             "create Ingress/hostk8s/registry-api\n" HOSTING
             " False NameConflict: ConfigMap local-registry-hosting in namespace kube-public is "
             "not managed by hostk8s-registryd; delete it, or hand it over with `kubectl "
             "--context kind-dev -n kube-public label --overwrite ConfigMap "
             "local-registry-hosting app.kubernetes.io/managed-by=hostk8s-registryd`\n");
    object_rig_assert_condition(rig, "Namespace/hostk8s", CONVERGED);
}

#define GOES " False Converging: waits until namespace hostk8s is deleted, to make it again\n"
#define GOING " False Converging: is being deleted; is made again when it is gone\n"

// With the namespace everything in it goes; elsewhere work goes on.
static void test_deleting(void **state)
{
    struct object_rig *rig = *state;
    object_rig_add(rig, "Namespace",
                   "{\"metadata\":{\"name\":\"hostk8s\",\"deletionTimestamp\":\"2026\"}}");
    object_rig_desire(rig);
    object_rig_assert_plan(rig,
                           "create " HOSTING " < Namespace/kube-public\n"
                           "Namespace/hostk8s" GOING UI GOES "Service/hostk8s/registry-api" GOES
                           "Service/hostk8s/registry-ui" GOES SLICE GOES
                           "Ingress/hostk8s/registry-ui" GOES "Ingress/hostk8s/registry-api" GOES);
    object_rig_reset(rig);
    init_converged(rig);
    object_rig_object(rig, "Service/hostk8s/registry-ui")->deleting = true;
    object_rig_assert_plan(rig, "Service/hostk8s/registry-ui" GOING);
}

#define NO_INGRESS                                                                                 \
    " False Error: the cluster does not serve networking.k8s.io/v1; use a node image of "          \
    "Kubernetes 1.19 or later, or set ui.enabled: false\n"
#define NO_CLASS                                                                                   \
    " False IngressClassMissing: the cluster has no IngressClass other; install an ingress "       \
    "controller that brings it, or set ui.ingressClass\n"

static void test_needs(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    sample_set(&rig->config->ui.ingress_class, "other");
    object_rig_desire(rig);
    object_rig_assert_plan(rig, "Ingress/hostk8s/registry-api" NO_CLASS
                                "Ingress/hostk8s/registry-ui" NO_CLASS);
    rig->current->served[object_api_index(object_api("Ingress"))] = false;
    rig->current->served[object_api_index(object_api("Deployment"))] = false;
    object_rig_assert_plan(rig, UI " False Error: the cluster does not serve apps/v1\n"
                                   "Ingress/hostk8s/registry-api" NO_INGRESS
                                   "Ingress/hostk8s/registry-ui" NO_INGRESS);
}

static void test_no_address(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    rig->engine.registry_ipv4 = NULL;
    object_rig_desire(rig);
    // What is there may be right.
    static const char waits[] = " Unknown Converging: waits for network/kind/hostk8s-registry: the "
                                "registry has no ";
    _cleanup_free_ char *ipv4 = str_printf(SLICE "%sIPv4 address there\n", waits);
    object_rig_assert_plan(rig, ipv4);
    object_rig_change(rig, "Service/hostk8s/registry-api", "{\"spec\":{\"clusterIP\":\"fd::1\"}}");
    object_rig_desire(rig);
    _cleanup_free_ char *ipv6 = str_printf(SLICE "-ipv6%sIPv6 address there\n", waits);
    object_rig_assert_plan(rig, ipv6);
    // Elsewhere, or of another kind, nothing is.
    object_rig_add(rig, "EndpointSlice",
                   "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"labels\":{"
                   "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}}}");
    _cleanup_free_ char *other = str_printf("!delete EndpointSlice/b/a\n%s", ipv6);
    object_rig_assert_plan(rig, other);
    rig->engine.registry_ipv6 = "fc00::4";
    object_rig_desire(rig);
    object_rig_assert_plan(rig, "create " SLICE "-ipv6\n"
                                "!delete " SLICE "\n"
                                "!delete EndpointSlice/b/a\n");
}

static void rollout_one(struct object_rig *rig, const char *status, const char *pod_reason,
                        const char *expected)
{
    object_rig_reset(rig);
    init_converged(rig);
    json_t *json = (json_t *)object_rig_object(rig, UI)->json;
    json_object_set_new(json, "status", json_loads(status, 0, NULL));
    object_rig_change(rig, UI, "{\"metadata\":{\"generation\":1}}");
    object_rig_object(rig, UI)->pod_reason = pod_reason;
    object_rig_assert_plan(rig, expected);
    assert_int_equal(object_rig_object(rig, UI)->row->asks_pods(object_rig_object(rig, UI)),
                     pod_reason != NULL);
}

#define SEE "; see `kubectl --context kind-dev -n hostk8s describe pods -l " NAME "registry-ui`\n"
#define NAME "app.kubernetes.io/name="
#define UNSEEN UI " False Converging: waits for the cluster's controller to take the change up\n"

static void test_rollout(void **state)
{
    struct object_rig *rig = *state;
    rollout_one(rig,
                "{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                NULL, "");
    rollout_one(rig, "{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1}", "X: y",
                UI " False Unavailable: 0 of 1 pods ready: X: y" SEE);
    rollout_one(rig,
                "{\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                "X",
                UI " False Unavailable: 1 of 1 pods ready, but not of the latest change: X" SEE);
    rollout_one(rig,
                "{\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":2,"
                "\"availableReplicas\":1}",
                "X",
                UI " False Unavailable: 1 of 1 pods ready, but not of the latest change: X" SEE);
    rollout_one(rig,
                "{\"observedGeneration\":0,\"replicas\":1,\"updatedReplicas\":1,"
                "\"availableReplicas\":1}",
                NULL, UNSEEN);
    rollout_one(rig, "{}", "X", UNSEEN);
}

// ---- what should not be there ----

#define DELETE_UI                                                                                  \
    "!delete Ingress/hostk8s/registry-api\n"                                                       \
    "!delete Ingress/hostk8s/registry-ui\n"                                                        \
    "!delete " SLICE "\n"                                                                          \
    "!delete Service/hostk8s/registry-api\n"                                                       \
    "!delete Service/hostk8s/registry-ui\n"                                                        \
    "!delete " UI "\n"

static void test_teardown(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    rig->input.desired = false;
    object_rig_assert_plan(rig, DELETE_UI "!delete " HOSTING "\n"
                                          "!delete if empty Namespace/hostk8s\n");
    assert_int_equal(rig->plan.condition_count, 8);
    object_rig_assert_condition(rig, UI, "False Converging: is no longer wanted; is being deleted");
    object_rig_assert_condition(
        rig, "Namespace/hostk8s",
        "False Converging: is no longer wanted; is deleted unless others live in it");
    const struct action *last = rig->plan.actions[rig->plan.action_count - 1];
    assert_int_equal(last->op, OBJECT_DELETE_NAMESPACE);
    assert_string_equal(last->name, "namespace-delete");
    assert_string_equal(last->target, "/api/v1/namespaces/hostk8s");
    assert_string_equal(last->argument, object_rig_object(rig, "Namespace/hostk8s")->uid);
}

// What others made, Kubernetes' own namespaces, what its controllers derive, what is looked up, and
// what is going already.
static void test_left_alone(void **state)
{
    static const struct {
        const char *kind;
        const char *name;
        const char *more;
    } objects[] = {
        {"Namespace", "kube-x", ""},
        {"Namespace", "default", ""},
        {"Namespace", "hostk8s", "\"deletionTimestamp\":\"2026\","},
        {"Namespace", "default2", ""},
        {"Service", "s", ""},
        {"Endpoints", "s", ""},
        {"Endpoints", "t", ""},
        {"IngressClass", "c", ""},
    };
    struct object_rig *rig = *state;
    rig->input.desired = false;
    object_rig_add(rig, "Service",
                   "{\"metadata\":{\"name\":\"registry-api\",\"namespace\":\"hostk8s\"}}");
    for (size_t i = 0; i < ELEMENTS(objects); i++) {
        object_rig_add(rig, objects[i].kind,
                       "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"hostk8s\",%s\"labels\":{"
                       "\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\"}},"
                       "\"spec\":{\"selector\":{\"a\":\"b\"}}}",
                       objects[i].name, objects[i].more);
    }
    object_rig_desire(rig);
    object_rig_assert_plan(rig, "!delete Endpoints/hostk8s/t\n"
                                "!delete Service/hostk8s/s\n"
                                "!delete if empty Namespace/default2\n"
                                "Namespace/hostk8s False Converging: is no longer wanted; is "
                                "being deleted\n");
    // Without a selector no controller has made it.
    json_t *service = (json_t *)object_rig_object(rig, "Service/hostk8s/s")->json;
    json_object_clear(json_get_object(service, "spec", "selector", NULL));
    object_rig_assert_plan(rig, "!delete Endpoints/hostk8s/s\n"
                                "!delete Endpoints/hostk8s/t\n"
                                "!delete Service/hostk8s/s\n"
                                "!delete if empty Namespace/default2\n"
                                "Namespace/hostk8s False Converging: is no longer wanted; is "
                                "being deleted\n");
}

static void test_other_configuration(void **state)
{
    struct object_rig *rig = *state;
    init_converged(rig);
    rig->config->ui.enabled = false;
    object_rig_desire(rig);
    object_rig_assert_plan(rig, DELETE_UI "!delete if empty Namespace/hostk8s\n");
    object_rig_assert_condition(rig, HOSTING, CONVERGED);
    rig->config->ui.enabled = true;
    sample_set(&rig->config->ui.name_space, "tools");
    object_rig_desire(rig);
    object_rig_assert_plan(rig, "create Namespace/tools\n"
                                "create Deployment/tools/registry-ui < Namespace/tools\n"
                                "create Service/tools/registry-api < Namespace/tools\n"
                                "create Service/tools/registry-ui < Namespace/tools\n"
                                "create EndpointSlice/tools/registry-api < Namespace/tools\n"
                                "create Ingress/tools/registry-ui < Namespace/tools\n"
                                "create Ingress/tools/registry-api < Namespace/tools\n" DELETE_UI
                                "!delete if empty Namespace/hostk8s\n");
}

// ---- without an observation ----

static void test_resources(void **state)
{
    struct object_rig *rig = *state;
    rig->input.engine = NULL;
    const struct condition condition = {
        .ready = READY_UNKNOWN, .reason = REASON_API_UNREACHABLE, .message = "100% down"};
    object_resources(&rig->input, &condition, &rig->plan);
    assert_conditions(rig, "Unknown ApiUnreachable: 100% down");
}

static const struct action delete_home = {.op = OBJECT_DELETE_NAMESPACE,
                                          .target = "/api/v1/namespaces/hostk8s"};
static const struct {
    const struct action *action;
    enum error_kind kind;
    int code;
    int status;
    enum reason reason;
    const char *help;
} errors[] = {
    {NULL, ERROR_PERMANENT, ENOENT, 0, REASON_CLUSTER_NOT_FOUND,
     "; create it with `kind create cluster --name dev` or change clusters"},
    {NULL, ERROR_TRANSIENT, ENOENT, 0, REASON_API_UNREACHABLE, "; it is asked again"},
    {NULL, ERROR_PERMANENT, EKEYREJECTED, 0, REASON_API_UNREACHABLE, "; it is asked again"},
    {NULL, ERROR_PERMANENT, EREMOTEIO, 403, REASON_FORBIDDEN, NO_RIGHTS},
    {NULL, ERROR_TRANSIENT, EREMOTEIO, 503, REASON_ERROR, ""},
    {NULL, ERROR_TRANSIENT, OBJECT_DOUBT, 503, REASON_ERROR, ""},
    {&delete_home, ERROR_PERMANENT, ENOENT, 0, REASON_ERROR, ""},
    {&delete_home, ERROR_TRANSIENT, OBJECT_DOUBT, 503, REASON_API_UNREACHABLE,
     "; mend that API, or if nothing there is needed, `kubectl --context kind-dev delete namespace "
     "hostk8s`"},
    {&delete_home, ERROR_TRANSIENT, OBJECT_DOUBT, 403, REASON_FORBIDDEN, NO_RIGHTS},
};

static void test_explain(void **state)
{
    (void)state;
    const struct input input = {.name = "dev"};
    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        char message[600];
        struct error error = {0};
        (void)error_set(&error, errors[i].kind, errors[i].code, "it failed");
        error.status = errors[i].status;
        enum reason reason =
            object_explain(&input, errors[i].action, &error, message, sizeof(message));
        assert_string_equal(reason_name(reason), reason_name(errors[i].reason));
        assert_true(str_starts_with(message, "it failed"));
        assert_string_equal(message + strlen("it failed"), errors[i].help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_converged),    OBJECT_TEST(test_empty_cluster),
        OBJECT_TEST(test_drift),        OBJECT_TEST(test_recreate),
        OBJECT_TEST(test_refused),      OBJECT_TEST(test_conflicts),
        OBJECT_TEST(test_deleting),     OBJECT_TEST(test_needs),
        OBJECT_TEST(test_no_address),   OBJECT_TEST(test_rollout),
        OBJECT_TEST(test_teardown),     OBJECT_TEST(test_left_alone),
        OBJECT_TEST(test_resources),    OBJECT_TEST(test_other_configuration),
        cmocka_unit_test(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
