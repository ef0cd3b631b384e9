// The HTTPRoute in place of the Ingress, and what its Gateway's controllers say of it.
#include "lib/base/str.h"
#include "tests/support/object_rig.h"
#include "tests/support/sample_config.h"

#define NO_INGRESSES "!delete Ingress/hostk8s/registry-api\n!delete Ingress/hostk8s/registry-ui\n"
#define ROUTE "HTTPRoute/hostk8s/registry-ui"
#define BACKEND(path, name, port)                                                                  \
    "{\"backendRefs\":[{\"name\":\"" name "\",\"port\":" #port "}],"                               \
    "\"matches\":[{\"path\":{\"type\":\"PathPrefix\",\"value\":\"" path "\"}}]}"

static void init_route(struct object_rig *rig)
{
    object_rig_reset(rig);
    object_rig_add_recorded(rig);
    object_rig_change(rig, "Deployment/hostk8s/registry-ui",
                      "{\"status\":{\"observedGeneration\":99,\"replicas\":1,"
                      "\"updatedReplicas\":1,\"availableReplicas\":1}}");
    sample_set(&rig->config->ui.gateway, "infra/web.gate");
    object_rig_desire(rig);
}

static void test_route(void **state)
{
    struct object_rig *rig = *state;
    init_route(rig);
    object_rig_assert_plan(rig, "create " ROUTE "\n" NO_INGRESSES);
    json_t *spec = json_object_get(rig->plan.actions[0]->body, "spec");
    _cleanup_free_ char *text = json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"parentRefs\":[{\"name\":\"web.gate\",\"namespace\":\"infra\"}],"
                              "\"rules\":[" BACKEND("/registry", "registry-ui", 80) "," BACKEND(
                                  "/v2/", "registry-api", 5000) "]}");
    rig->current->served[object_api_index(object_api("HTTPRoute"))] = false;
    object_rig_assert_plan(rig, NO_INGRESSES ROUTE
                           " False GatewayMissing: the cluster does not serve "
                           "gateway.networking.k8s.io/v1; install a Gateway controller and "
                           "the Gateway API of version 1.0 or later, or set ui.gateway: "
                           "\"\"\n");
    rig->config->ui.enabled = false;
    object_rig_desire(rig);
    assert_null(object_rig_object(rig, ROUTE)->row);
}

#define PARENT(name, conditions)                                                                   \
    "{\"parentRef\":{\"name\":\"" name "\",\"namespace\":\"infra\"},\"conditions\":[" conditions   \
    "]}"
#define SAYS(type, status, generation)                                                             \
    "{\"type\":\"" type "\",\"status\":\"" status                                                  \
    "\",\"reason\":\"Why\",\"message\":\"so\\nit is\","                                            \
    "\"observedGeneration\":" #generation "}"
#define WAITS                                                                                      \
    " False Converging: waits for the controller of Gateway infra/web.gate to take it up\n"
#define REFUSED(type, why)                                                                         \
    " False RouteNotAccepted: Gateway infra/web.gate: " type " is False: " why "; mend the "       \
    "Gateway (a listener has to allow routes of namespace hostk8s) or change ui.gateway\n"

// What the controllers of that Gateway say of the route as it is now.
static void test_route_status(void **state)
{
    static const struct {
        const char *parents;
        const char *expected; // behind the name; NULL: it is converged
    } all[] = {
        {"", WAITS},
        {PARENT("other", SAYS("Accepted", "False", 2)), WAITS},
        {PARENT("web.gate", SAYS("Accepted", "False", 1)), WAITS},
        {PARENT("web.gate", SAYS("Programmed", "False", 2)), WAITS},
        {PARENT("web.gate", SAYS("Accepted", "True", 2) "," SAYS("ResolvedRefs", "True", 2)), NULL},
        {PARENT("web.gate", "{\"type\":\"Accepted\",\"status\":\"True\"}"), NULL},
        {PARENT("web.gate", SAYS("Accepted", "False", 2)), REFUSED("Accepted", "Why: so it is")},
        {PARENT("web.gate", SAYS("Accepted", "True", 2)) "," PARENT(
             "web.gate", SAYS("ResolvedRefs", "False", 2)),
         REFUSED("ResolvedRefs", "Why: so it is")},
        {PARENT("web.gate", "{\"type\":\"Accepted\",\"status\":\"False\"}"),
         REFUSED("Accepted", "no reason")},
    };
    struct object_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(all); i++) {
        init_route(rig);
        object_rig_add(rig, "Gateway",
                       "{\"metadata\":{\"name\":\"web.gate\",\"namespace\":\"infra\"}}");
        object_rig_add(rig, "HTTPRoute",
                       "{\"metadata\":{\"name\":\"registry-ui\",\"namespace\":\"hostk8s\","
                       "\"generation\":2,\"labels\":{\"app.kubernetes.io/managed-by\":"
                       "\"hostk8s-registryd\"}},\"status\":{\"parents\":[%s]}}",
                       all[i].parents);
        _cleanup_free_ char *expected =
            str_printf(NO_INGRESSES "%s%s", all[i].expected == NULL ? "" : ROUTE,
                       all[i].expected == NULL ? "" : all[i].expected);
        object_rig_assert_plan(rig, expected);
    }
    object_rig_object(rig, "Gateway/infra/web.gate")->json = NULL;
    object_rig_assert_plan(rig, NO_INGRESSES ROUTE
                           " False GatewayMissing: the cluster has no Gateway infra/web.gate; "
                           "create it, or change ui.gateway\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {OBJECT_TEST(test_route), OBJECT_TEST(test_route_status)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
