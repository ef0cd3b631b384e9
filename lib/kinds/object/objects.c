#include "lib/kinds/object/objects.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/doc/json.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define TROUBLE_TEXT_MAX 400 // bytes

// ---- API kinds ----

const struct object_api object_apis[] = {
    {"Namespace", "v1", "namespaces", .selector = OBJECT_SELECTOR, .holds_objects = true},
    {"ConfigMap", "v1", "configmaps", .namespaced = true, .selector = OBJECT_SELECTOR},
    {"Deployment", "apps/v1", "deployments", .namespaced = true, .selector = OBJECT_SELECTOR},
    {"Service", "v1", "services", .namespaced = true, .selector = OBJECT_SELECTOR},
    // Deprecated since 1.33: a list of them brings a Warning header.
    {"Endpoints", "v1", "endpoints", .namespaced = true, .selector = OBJECT_SELECTOR,
     .optional = true, .unless = "EndpointSlice"},
    // Those of others for that Service take a part of its requests.
    {"EndpointSlice", "discovery.k8s.io/v1", "endpointslices", .namespaced = true,
     .selector = "kubernetes.io/service-name=registry-api", .optional = true},
    {"Ingress", "networking.k8s.io/v1", "ingresses", .namespaced = true,
     .selector = OBJECT_SELECTOR, .optional = true},
    {"IngressClass", "networking.k8s.io/v1", "ingressclasses", .optional = true},
    {"HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes", .namespaced = true,
     .selector = OBJECT_SELECTOR, .optional = true, .custom = true},
    {"Gateway", "gateway.networking.k8s.io/v1", "gateways", .namespaced = true, .optional = true,
     .custom = true},
};

const size_t object_api_count = ELEMENTS(object_apis);
_Static_assert(ELEMENTS(object_apis) <= OBJECT_APIS_MAX, "more API kinds than OBJECT_APIS_MAX");

const struct object_api *object_api(const char *kind)
{
    const struct object_api *api = object_apis;
    while (!str_equal(api->kind, kind)) {
        api++;
        assert(api < object_apis + object_api_count);
    }
    return api;
}

size_t object_api_index(const struct object_api *api)
{
    return (size_t)(api - object_apis);
}

char *object_collection(struct arena *arena, const struct object_api *api, const char *name_space)
{
    return arena_printf(arena, "/%s/%s%s%s/%s", strchr(api->version, '/') ? "apis" : "api",
                        api->version, name_space == NULL ? "" : "/namespaces/",
                        name_space == NULL ? "" : name_space, api->plural);
}

void object_set_condition(struct plan *plan, const struct object *object, enum reason reason,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(&plan->arena, format, args);
    va_end(args);
    plan_set_condition(plan, object->resource, object->cluster,
                       reason_is_unknown(reason) ? READY_UNKNOWN : READY_FALSE, reason, "%s",
                       message);
}

const char *object_trouble_text(struct arena *arena, const json_t *trouble,
                                const struct secrets *secrets)
{
    const char *reason = json_get_string(trouble, "reason", NULL);
    const char *message = json_get_string(trouble, "message", NULL);
    char shown[TROUBLE_TEXT_MAX];
    _cleanup_free_ char *text =
        str_printf("%s%s%s", reason == NULL ? "" : reason, str_empty(message) ? "" : ": ",
                   str_empty(message) ? "" : message);
    _cleanup_free_ char *hidden = secrets_hide(secrets, text);
    str_excerpt(hidden, shown, sizeof(shown));
    return reason == NULL ? NULL : arena_dup(arena, shown);
}

// ---- variables ----

// What a user on this host pushes to and a node pulls as.
static char *public_host(const struct config_registry *registry)
{
    const char *address = registry->listen_address;
    bool local = str_starts_with(address, "127.") || str_equal(address, "0.0.0.0") ||
                 str_equal(address, "::") || str_equal(address, "::1");
    return str_printf("%s:%u", local ? "localhost" : address_bracketed(address).text,
                      registry->listen_port);
}

static json_t *environment_list(const struct strmap *environment)
{
    json_t *list = json_array();
    strmap_foreach (environment, entry) {
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", entry->key, "value", entry->value));
    }
    return list;
}

json_t *object_variables(const struct config *config, const struct object_address *address)
{
    const struct config_registry *registry = &config->registry;
    const struct config_ui *ui = &config->ui;
    size_t path_length = strlen(ui->path);
    const char *gateway_name = ui->gateway + strcspn(ui->gateway, "/");
    _cleanup_free_ char *host = public_host(registry);
    // Left out while the nodes know the registry by `host`, too, which is what a reader takes from
    // its absence, and some know no other field.
    bool same_host = strv_contains(&config->nodes.aliases, host);
    const struct {
        const char *name;
        json_t *value;
    } all[] = {
        {"registry.name", json_string(registry->name)},
        {"registry.delete", json_boolean(registry->delete_enabled)},
        {"registry.host", json_string(host)},
        {"registry.hostFromContainerRuntime",
         same_host ? json_string("")
                   : json_sprintf("hostFromContainerRuntime: \"%s:5000\"\n", registry->name)},
        {"registry.address", json_string(address->text == NULL ? "" : address->text)},
        {"registry.addressType", json_string(address->ipv6 ? "IPv6" : "IPv4")},
        {"registry.addressSuffix", json_string(address->ipv6 ? "-ipv6" : "")},
        {"ui.namespace", json_string(ui->name_space)},
        {"ui.image", json_string(ui->image)},
        {"ui.replicas", json_integer(ui->replicas)},
        {"ui.title", json_string(ui->title)},
        {"ui.url", json_string(ui->url)},
        {"ui.listen", json_string(address->ipv6_pods ? "[::]:8081" : "8081")},
        {"ui.path", json_string(ui->path)},
        {"ui.pathPrefix", json_stringn(ui->path, path_length > 1 ? path_length - 1 : 1)},
        {"ui.ingressClass", json_string(ui->ingress_class)},
        {"ui.gateway", json_string(ui->gateway)},
        {"ui.gatewayNamespace", json_stringn(ui->gateway, (size_t)(gateway_name - ui->gateway))},
        {"ui.gatewayName", json_string(gateway_name[0] == '/' ? gateway_name + 1 : "")},
        {"ui.environment", environment_list(&ui->environment)},
    };
    json_t *variables = json_object();
    for (size_t i = 0; i < ELEMENTS(all); i++) {
        (void)json_object_set_new(variables, all[i].name, all[i].value);
    }
    return variables;
}

// ---- a Deployment ----

// As `kubectl rollout status` sees it: every pod is of the present template and available.
struct rollout {
    int64_t desired;
    int64_t available;
    bool seen; // by the controller; else the counts are of before
    bool complete;
};

static struct rollout rollout_of(const struct object *object)
{
    const json_t *status = json_get_object(object->json, "status", NULL);
    int64_t desired = json_get_int(object->manifest, 1, "spec", "replicas", NULL);
    int64_t all = json_get_int(status, 0, "replicas", NULL);
    int64_t updated = json_get_int(status, 0, "updatedReplicas", NULL);
    int64_t available = json_get_int(status, 0, "availableReplicas", NULL);
    return (struct rollout){
        .desired = desired,
        .available = available,
        .seen = json_get_int(status, 0, "observedGeneration", NULL) >=
                json_get_int(object->json, 0, "metadata", "generation", NULL),
        .complete = updated >= desired && all == updated && available >= updated,
    };
}

static bool rollout_asks_pods(const struct object *object)
{
    return !rollout_of(object).complete;
}

static void ready_of_rollout(const struct object *object, struct plan *plan)
{
    const struct rollout rollout = rollout_of(object);
    if (!rollout.seen) {
        object_set_condition(plan, object, REASON_CONVERGING,
                             "waits for the cluster's controller to take the change up");
    } else if (rollout.complete) {
        plan_set_converged(plan, object->resource, object->cluster);
    } else {
        const char *why = object->pod_reason;
        // While a rollout is stuck the pods of the former template serve on.
        bool serving = rollout.available >= rollout.desired;
        object_set_condition(
            plan, object, REASON_UNAVAILABLE,
            "%lld of %lld pods ready%s%s%s; see `kubectl --context kind-%s -n %s describe pods "
            "-l app.kubernetes.io/name=%s`",
            (long long)rollout.available, (long long)rollout.desired,
            serving ? ", but not of the latest change" : "", why == NULL ? "" : ": ",
            why == NULL ? "" : why, object->cluster, object->name_space, object->name);
    }
}

// ---- an HTTPRoute ----

// Of the conditions that a controller has set for a parent of the route, about the route as it is
// now: the first that is False, NULL when none is. Sets *ret_seen when there is any.
static const json_t *parent_refusal(const struct object *route, const json_t *parent,
                                    bool *ret_seen)
{
    int64_t generation = json_get_int(route->json, 0, "metadata", "generation", NULL);
    size_t i = 0;
    json_t *condition = NULL;
    json_array_foreach (json_get_array(parent, "conditions", NULL), i, condition) {
        const char *type = json_get_string(condition, "type", NULL);
        bool counts = str_equal(type, "Accepted") || str_equal(type, "ResolvedRefs");
        if (counts &&
            json_get_int(condition, INT64_MAX, "observedGeneration", NULL) >= generation) {
            *ret_seen = true;
            if (str_equal(json_get_string(condition, "status", NULL), "False")) {
                return condition;
            }
        }
    }
    return NULL;
}

// The same of all controllers of the Gateway.
// https://gateway-api.sigs.k8s.io/reference/spec/#routestatus
static const json_t *route_refusal(const struct object *route, bool *ret_seen)
{
    const json_t *refusal = NULL;
    size_t i = 0;
    json_t *parent = NULL;
    json_array_foreach (json_get_array(route->json, "status", "parents", NULL), i, parent) {
        const json_t *ref = json_get_object(parent, "parentRef", NULL);
        if (refusal == NULL && str_equal(json_get_string(ref, "name", NULL), route->need->name) &&
            str_equal(json_get_string(ref, "namespace", NULL), route->need->name_space)) {
            refusal = parent_refusal(route, parent, ret_seen);
        }
    }
    return refusal;
}

static void ready_of_route(const struct object *route, struct plan *plan)
{
    const struct object *gateway = route->need;
    bool seen = false;
    const json_t *refusal = route_refusal(route, &seen);
    const char *type = json_get_string(refusal, "type", NULL);
    const char *why = object_trouble_text(&plan->arena, refusal, NULL);
    if (refusal != NULL) {
        object_set_condition(
            plan, route, REASON_ROUTE_NOT_ACCEPTED, "Gateway %s/%s: %s is False: %s; %s%s",
            gateway->name_space, gateway->name, type, why == NULL ? "no reason" : why,
            str_equal(type, "Accepted")
                ? "change ui.gateway, or let a listener of it take routes of namespace "
                : "see what its controller logs of HTTPRoute registry-ui in namespace ",
            route->name_space);
    } else if (!seen) {
        object_set_condition(plan, route, REASON_CONVERGING,
                             "waits for the controller of Gateway %s/%s to take it up",
                             gateway->name_space, gateway->name);
    } else {
        plan_set_converged(plan, route->resource, route->cluster);
    }
}

// ---- objects ----

static const struct object_need ingress_class = {
    .kind = "IngressClass",
    .variable = "ui.ingressClass",
    .reason = REASON_INGRESS_CLASS_MISSING,
    .help = "install an ingress controller that brings it, or set ui.ingressClass",
};

static const struct object_need gateway = {
    .kind = "Gateway",
    .variable = "ui.gateway",
    .reason = REASON_GATEWAY_MISSING,
    .help = "create it, or change ui.gateway",
};

#define NO_GATEWAY                                                                                 \
    "install a Gateway controller and the Gateway API of version 1.0 or later, or set "            \
    "ui.gateway: \"\""
#define NO_INGRESS "use a node image of Kubernetes 1.19 or later, or set ui.enabled: false"

const struct object_row object_rows[] = {
    {.file = "namespace.yaml", .with = WITH_UI},
    {.file = "local-registry-hosting.yaml"},
    {.file = "configmap-ui.yaml", .with = WITH_UI},
    {.file = "deployment-ui.yaml",
     .uses = {"configmap-ui.yaml"},
     .with = WITH_UI,
     .ready = ready_of_rollout,
     .asks_pods = rollout_asks_pods},
    {.file = "service-ui.yaml", .with = WITH_UI},
    {.file = "service-api.yaml", .with = WITH_UI},
    {.file = "endpoints-api.yaml",
     .uses = {"service-api.yaml"},
     .with = WITH_UI,
     .is_endpoints = true},
    {.file = "endpointslice-api.yaml",
     .uses = {"service-api.yaml"},
     .with = WITH_UI,
     .is_endpoints = true},
    {.file = "ingress-ui.yaml",
     .uses = {"service-ui.yaml", "service-api.yaml"},
     .with = WITH_INGRESS,
     .unserved = NO_INGRESS,
     .need = &ingress_class},
    {.file = "httproute-ui.yaml",
     .uses = {"service-ui.yaml", "service-api.yaml"},
     .with = WITH_GATEWAY,
     .unserved = NO_GATEWAY,
     .need = &gateway,
     .ready = ready_of_route},
};

const size_t object_row_count = ELEMENTS(object_rows);
