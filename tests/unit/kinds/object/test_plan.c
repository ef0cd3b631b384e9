// What cases.txt does not tell of a plan: its actions' arguments, and plans without an observation.
#include "lib/kinds/object/plan.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

#define NO_RIGHTS "; give the kubeconfig's user the rights or leave kubernetes.kubeconfig empty"

static const struct action *action_of(struct object_rig *rig, const char *resource)
{
    _cleanup_free_ char *whole = str_printf("kube/dev/%s", resource);
    free(object_rig_plan(rig));
    const struct action *action = plan_first_action(&rig->plan, whole);
    assert_non_null(action);
    return action;
}

static void assert_delete(struct object_rig *rig, const char *resource, int op, const char *name)
{
    const struct action *action = action_of(rig, resource);
    assert_int_equal(action->op, op);
    assert_string_equal(action->name, name);
    assert_string_equal(action->target, object_rig_object(rig, resource)->path);
    assert_string_equal(action->argument, object_rig_object(rig, resource)->uid);
}

static void test_actions(void **state)
{
    struct object_rig *rig = *state;
    object_rig_have(rig, "Ingress/hostk8s/registry-ui", NULL);
    object_rig_have(rig, "Service/hostk8s/registry-ui",
                    "{'metadata':{'labels':{'hostk8s.addon':'registry'}}}");
    object_rig_have(rig, "EndpointSlice/hostk8s/registry-api-x",
                    "{'metadata':{'uid':'7','labels':{'hostk8s.addon':'registry',"
                    "'kubernetes.io/service-name':'registry-api',"
                    "'endpointslice.kubernetes.io/managed-by':"
                    "'endpointslicemirroring-controller.k8s.io'},"
                    "'ownerReferences':[{'kind':'Endpoints','uid':'8'}]},'endpoints':[{}]}");
    object_rig_observe(rig);
    const struct action *create = action_of(rig, "Ingress/hostk8s/registry-ui");
    assert_int_equal(create->op, OBJECT_APPLY);
    assert_string_equal(create->name, "object-apply");
    assert_string_equal(create->target,
                        "/apis/networking.k8s.io/v1/namespaces/hostk8s/ingresses/registry-ui");
    assert_string_equal(create->argument,
                        object_rig_object(rig, "Ingress/hostk8s/registry-ui")->digest);
    assert_string_equal(json_get_string(create->body, "kind", NULL), "Ingress");
    assert_delete(rig, "Service/hostk8s/registry-ui", OBJECT_DELETE, "object-delete");
    assert_delete(rig, "Endpoints/hostk8s/registry-api", OBJECT_DELETE, "object-delete");
    assert_string_equal(object_rig_object(rig, "Endpoints/hostk8s/registry-api")->uid, "8");
    rig->input.desired = false;
    assert_delete(rig, "Namespace/hostk8s", OBJECT_DELETE_NAMESPACE, "namespace-delete");
}

static void test_resources(void **state)
{
    struct object_rig *rig = *state;
    const struct condition condition = {
        .ready = READY_UNKNOWN, .reason = REASON_API_UNREACHABLE, .message = "100% down"};
    rig->input.engine = NULL;
    object_resources(&rig->input, &condition, &rig->plan);
    assert_int_equal(rig->plan.condition_count, 8);
    for (size_t i = 0; i < rig->plan.condition_count; i++) {
        assert_int_equal(rig->plan.conditions[i].reason, REASON_API_UNREACHABLE);
        assert_string_equal(rig->plan.conditions[i].message, "100% down");
    }
    assert_non_null(plan_condition(&rig->plan, "kube/dev/EndpointSlice/hostk8s/registry-api"));
}

static const struct action delete_home = {.op = OBJECT_DELETE_NAMESPACE,
                                          .target = "/api/v1/namespaces/hostk8s"};
static const struct {
    const struct action *action;
    enum error_kind kind;
    int code;
    int status;
    bool may_come; // to a cluster whose control plane was made a minute ago
    enum reason reason;
    const char *help;
} errors[] = {
    {NULL, ERROR_PERMANENT, ENOENT, 0, false, REASON_CLUSTER_NOT_FOUND,
     "; create it with `kind create cluster --name dev`, or set clusters to what `kind get "
     "clusters` prints"},
    {NULL, ERROR_TRANSIENT, ENOENT, 0, true, REASON_API_UNREACHABLE, "; it is asked again"},
    {NULL, ERROR_PERMANENT, EKEYREJECTED, 0, false, REASON_API_UNREACHABLE, "; it is asked again"},
    {NULL, ERROR_PERMANENT, EREMOTEIO, 403, true, REASON_FORBIDDEN, NO_RIGHTS},
    {NULL, ERROR_TRANSIENT, EREMOTEIO, 404, true, REASON_ERROR, ""}, // of admin.conf
    {NULL, ERROR_PERMANENT, EREMOTEIO, 422, false, REASON_ERROR, ""},
    {NULL, ERROR_TRANSIENT, EREMOTEIO, 503, true, REASON_ERROR, ""},
    {NULL, ERROR_TRANSIENT, EMFILE, 0, false, REASON_ERROR, ""},
    {NULL, ERROR_TRANSIENT, OBJECT_DOUBT, 503, true, REASON_ERROR, ""},
    {&delete_home, ERROR_PERMANENT, ENOENT, 0, false, REASON_ERROR, ""},
    {&delete_home, ERROR_TRANSIENT, OBJECT_DOUBT, 503, false, REASON_API_UNREACHABLE,
     "; mend that API, or if nothing there is needed, `kubectl --context kind-dev delete namespace "
     "hostk8s`"},
    {&delete_home, ERROR_TRANSIENT, OBJECT_DOUBT, 403, false, REASON_FORBIDDEN, NO_RIGHTS},
};

static void test_explain(void **state)
{
    (void)state;
    struct engine_node node = {
        .cluster = "dev", .role = NODE_CONTROL_PLANE, .running = true, .created_s = 1000};
    struct engine engine = {.nodes = &node, .node_count = 1};
    struct input input = {.name = "dev", .engine = &engine};
    char message[600];
    struct error error = {0};
    for (size_t i = 0; i < 4 * ELEMENTS(errors); i++) {
        size_t row = i / 4;
        bool converges = i % 4 == 0 && errors[row].may_come;
        engine.now_s = i % 2 == 0 ? 1060 : 2000;
        input.was_observed = i % 4 >= 2;
        (void)error_set(&error, errors[row].kind, errors[row].code, "it failed");
        error.status = errors[row].status;
        enum reason reason =
            object_explain(&input, errors[row].action, &error, message, sizeof(message));
        assert_string_equal(reason_name(reason),
                            reason_name(converges ? REASON_CONVERGING : errors[row].reason));
        _cleanup_free_ char *text = str_printf("it failed%s", errors[row].help);
        assert_string_equal(
            message,
            converges ? "cluster dev is being made; its API server does not answer yet" : text);
    }
    input.name = "desktop";
    (void)error_set(&error, ERROR_PERMANENT, ENOENT, "none");
    (void)object_explain(&input, NULL, &error, message, sizeof(message));
    assert_string_equal(message, "none; turn on Kubernetes by kind, and Show system containers, in "
                                 "Docker Desktop's settings, or change clusters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_actions),
        OBJECT_TEST(test_resources),
        cmocka_unit_test(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
