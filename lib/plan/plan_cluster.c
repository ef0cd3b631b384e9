// One cluster: the objects that should be there, and owned ones that should not.
#include "lib/plan/plan.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/doc/json.h"
#include "lib/plan/plan_internal.h"
#include "lib/plan/subset.h"

#include <errno.h>
#include <string.h>

struct cluster_plan {
    const struct plan_input *input;
    const char *cluster;
    const struct world_cluster *world;
    struct plan *plan;
    struct desired_objects *desired;
    struct desired_address address;
};

static const struct config_ui *ui_of(const struct cluster_plan *c)
{
    return &c->input->config->ui;
}

static const struct world_object *observed(const struct cluster_plan *c,
                                           const struct desired_object *desired)
{
    return world_cluster_object(c->world, desired->kind, desired->name_space, desired->name);
}

static char *resource_of(const struct cluster_plan *c, enum kube_kind kind, const char *name_space,
                         const char *name)
{
    return resource_object(c->cluster, kind, name_space, name);
}

static int converging(const struct cluster_plan *c, const char *resource, const char *sentence)
{
    return plan_add_condition(c->plan, resource, c->cluster, READY_FALSE, REASON_CONVERGING, "%s",
                              sentence);
}

// --- one desired object ---

static int add_apply(const struct cluster_plan *c, const struct desired_object *desired,
                     const char *resource, const char *verb, bool step, struct field_diffs *fields)
{
    struct action *action = plan_add_action(c->plan, &(struct action_template){
                                                         .type = ACTION_OBJECT_APPLY,
                                                         .verb = verb,
                                                         .resource = resource,
                                                         .step = step,
                                                         .body = desired->object,
                                                         .cluster = c->cluster,
                                                         .kind = desired->kind,
                                                         .name_space = desired->name_space,
                                                         .name = desired->name,
                                                     });
    if (action == NULL) {
        return -ENOMEM;
    }
    action_take_diffs(action, fields);
    return 0;
}

static int add_delete(const struct cluster_plan *c, const struct world_object *object,
                      const char *resource, const char *verb, struct field_diffs *fields)
{
    struct action *action = plan_add_action(c->plan, &(struct action_template){
                                                         .type = ACTION_OBJECT_DELETE,
                                                         .verb = verb,
                                                         .resource = resource,
                                                         .destructive = true,
                                                         .cluster = c->cluster,
                                                         .kind = object->kind,
                                                         .name_space = object->name_space,
                                                         .name = object->name,
                                                         .uid = object->uid,
                                                     });
    if (action == NULL) {
        return -ENOMEM;
    }
    action_take_diffs(action, fields);
    return 0;
}

static int plan_conflict(const struct cluster_plan *c, const struct desired_object *desired,
                         const char *resource)
{
    const char *kind = kube_kinds[desired->kind].kind;
    return plan_add_condition(
        c->plan, resource, c->cluster, READY_FALSE, REASON_NAME_CONFLICT,
        "%s %s in namespace %s is not managed by " WORLD_MANAGED_BY
        "; delete it, or hand it over with `kubectl --context kind-%s -n %s label --overwrite "
        "%s %s " WORLD_LABEL_MANAGED_BY "=" WORLD_MANAGED_BY "`",
        kind, desired->name, desired->name_space, c->cluster, desired->name_space, kind,
        desired->name);
}

// As `kubectl rollout status` sees it: every pod is of the present template and available.
static int plan_rollout(const struct cluster_plan *c, const struct world_object *deployment,
                        const char *resource)
{
    const json_t *object = deployment->object;
    int64_t wanted = ui_of(c)->replicas;
    int64_t generation = json_get_int(object, 0, "metadata", "generation", NULL);
    int64_t observed_generation = json_get_int(object, 0, "status", "observedGeneration", NULL);
    int64_t all = json_get_int(object, 0, "status", "replicas", NULL);
    int64_t updated = json_get_int(object, 0, "status", "updatedReplicas", NULL);
    int64_t available = json_get_int(object, 0, "status", "availableReplicas", NULL);
    if (observed_generation < generation) { // the counts are of before
        return converging(c, resource, "waits for the cluster's controller to take the change up");
    }
    if (updated >= wanted && all == updated && available >= updated) {
        return plan_add_converged(c->plan, resource, c->cluster);
    }
    // While an update is stuck the pods of the former template serve on.
    bool serving = available >= wanted;
    const char *why = c->world->pod_reason;
    return plan_add_condition(
        c->plan, resource, c->cluster, READY_FALSE, REASON_UNAVAILABLE,
        "%lld of %lld pods ready%s%s%s; see `kubectl --context kind-%s -n %s describe pods "
        "-l " DESIRED_LABEL_NAME "=" DESIRED_UI_NAME "`",
        (long long)available, (long long)wanted, serving ? ", but not of the latest change" : "",
        why == NULL ? "" : ": ", why == NULL ? "" : why, c->cluster, deployment->name_space);
}

static int plan_steady(const struct cluster_plan *c, const struct world_object *object,
                       const char *resource)
{
    if (object->kind == KUBE_DEPLOYMENT) {
        return plan_rollout(c, object, resource);
    }
    if (object->kind == KUBE_INGRESS && !c->world->ingress_class_present) {
        return plan_add_condition(c->plan, resource, c->cluster, READY_FALSE,
                                  REASON_INGRESS_CLASS_MISSING,
                                  "the cluster has no IngressClass %s; install an ingress "
                                  "controller that brings it, or set ui.ingressClass",
                                  ui_of(c)->ingress_class);
    }
    return plan_add_converged(c->plan, resource, c->cluster);
}

static int plan_owned(const struct cluster_plan *c, struct desired_object *desired,
                      const struct world_object *is, const char *resource)
{
    if (is->object == desired->met_by) {
        return plan_steady(c, is, resource);
    }
    _cleanup_subset_diff_ struct subset_diff diff = {0};
    if (subset_compare(is->object, desired->object, &diff) < 0 ||
        subset_compare_managed(is->object, desired->object, WORLD_MANAGED_BY, &diff) < 0) {
        return -ENOMEM;
    }
    if (diff.fields.count == 0) {
        json_decref(desired->met_by);
        desired->met_by = json_incref(is->object);
        return plan_steady(c, is, resource);
    }
    int r = 0;
    if (diff.recreate) {
        r = add_delete(c, is, resource, "recreate", &diff.fields);
        if (r == 0) {
            r = add_apply(c, desired, resource, "create", true, &diff.fields);
        }
    } else {
        r = add_apply(c, desired, resource, "apply", false, &diff.fields);
    }
    return r < 0 ? r : converging(c, resource, "differs from what is declared; is being changed");
}

static bool is_deleting(const struct world_object *object)
{
    return object != NULL && object->deleting;
}

static int plan_desired(const struct cluster_plan *c, struct desired_object *desired)
{
    _cleanup_free_ char *resource =
        resource_of(c, desired->kind, desired->name_space, desired->name);
    if (resource == NULL) {
        return -ENOMEM;
    }
    if (desired->kind == KUBE_INGRESS && !c->world->apis.ingress_v1) {
        return plan_add_condition(c->plan, resource, c->cluster, READY_FALSE, REASON_ERROR,
                                  "the cluster does not serve networking.k8s.io/v1; use a node "
                                  "image of Kubernetes 1.19 or later, or set ui.enabled: false");
    }
    const struct world_object *is = observed(c, desired);
    if (is_deleting(is)) {
        return converging(c, resource, "is being deleted; is made again when it is gone");
    }
    if (desired->name_space != NULL &&
        is_deleting(world_cluster_object(c->world, KUBE_NAMESPACE, NULL, desired->name_space))) {
        return plan_add_condition(c->plan, resource, c->cluster, READY_FALSE, REASON_CONVERGING,
                                  "waits until namespace %s is deleted, to make it again",
                                  desired->name_space);
    }
    if (is == NULL) {
        int r = add_apply(c, desired, resource, "create", false, &(struct field_diffs){0});
        return r < 0 ? r : converging(c, resource, "is missing; is being made");
    }
    if (is->owned) {
        return plan_owned(c, desired, is, resource);
    }
    // A namespace that was there before serves as it is, and is not ours to delete.
    return is->kind == KUBE_NAMESPACE ? plan_add_converged(c->plan, resource, c->cluster)
                                      : plan_conflict(c, desired, resource);
}

// --- the registry's address ---

static bool waits_for_address(const struct cluster_plan *c)
{
    return c->input->wanted && ui_of(c)->enabled && c->address.text == NULL;
}

static int plan_no_address(const struct cluster_plan *c)
{
    const struct config *config = c->input->config;
    struct desired_ref ref = desired_endpoints_ref(config, &c->world->apis, c->address.ipv6);
    _cleanup_free_ char *resource = resource_of(c, ref.kind, ref.name_space, ref.name);
    _cleanup_free_ char *network = resource_network(config);
    if (resource == NULL || network == NULL) {
        return -ENOMEM;
    }
    return plan_add_condition(c->plan, resource, c->cluster, READY_UNKNOWN, REASON_CONVERGING,
                              "waits for %s: the registry has no %s address there", network,
                              c->address.ipv6 ? "IPv6" : "IPv4");
}

// --- what is owned and not desired ---

static bool is_desired(const struct cluster_plan *c, const struct world_object *object)
{
    for (size_t i = 0; i < c->desired->count; i++) {
        if (observed(c, &c->desired->items[i]) == object) {
            return true;
        }
    }
    return false;
}

// The endpoints controller gives a Service with a selector Endpoints with the Service's labels, and
// takes them away with it.
static bool is_derived(const struct cluster_plan *c, const struct world_object *object)
{
    const struct world_object *service =
        object->kind == KUBE_ENDPOINTS
            ? world_cluster_object(c->world, KUBE_SERVICE, object->name_space, object->name)
            : NULL;
    return service != NULL &&
           json_object_size(json_get_object(service->object, "spec", "selector", NULL)) > 0;
}

// While the address is unknown the endpoints that are there may still be right.
static bool is_kept_for_address(const struct cluster_plan *c, const struct world_object *object)
{
    struct desired_ref ref = desired_endpoints_ref(c->input->config, &c->world->apis, false);
    return waits_for_address(c) && object->kind == ref.kind &&
           str_equal(object->name_space, ref.name_space);
}

// Namespaces of Kubernetes itself: nobody's to delete, whatever their labels say.
static bool is_system_namespace(const struct world_object *object)
{
    return object->kind == KUBE_NAMESPACE &&
           (str_starts_with(object->name, "kube-") || str_equal(object->name, "default"));
}

// A Namespace takes with it all that lives in it. Only into ui.namespace has been looked; one that
// was ui.namespace before stays. ret_kept: whether it stays, with a condition that says why.
static int plan_kept_namespace(const struct cluster_plan *c, const struct world_object *object,
                               const char *resource, bool *ret_kept)
{
    const struct world_cluster *world = c->world;
    bool looked = str_equal(object->name, ui_of(c)->name_space);
    *ret_kept = !looked || world->resident != NULL || world->resident_doubt != NULL;
    if (!*ret_kept) {
        return 0;
    }
    if (looked && world->resident == NULL) {
        return plan_add_condition(c->plan, resource, c->cluster, READY_UNKNOWN,
                                  REASON_API_UNREACHABLE,
                                  "is kept while others may live in it: %s; mend that API, or if "
                                  "nothing there is needed, `kubectl --context kind-%s delete "
                                  "namespace %s`",
                                  world->resident_doubt, c->cluster, object->name);
    }
    return plan_add_condition(c->plan, resource, c->cluster, READY_TRUE, REASON_CONVERGED,
                              "left in place, for others %s%s; if nothing there is needed, "
                              "`kubectl --context kind-%s delete namespace %s`",
                              looked ? "live in it: " : "may live in it",
                              looked ? world->resident : "", c->cluster, object->name);
}

static int plan_undesired(const struct cluster_plan *c, const struct world_object *object)
{
    if (!object->owned || is_desired(c, object) || is_derived(c, object) ||
        is_kept_for_address(c, object) || is_system_namespace(object)) {
        return 0;
    }
    _cleanup_free_ char *resource = resource_of(c, object->kind, object->name_space, object->name);
    if (resource == NULL) {
        return -ENOMEM;
    }
    if (object->deleting) {
        return converging(c, resource, "is no longer wanted; is being deleted");
    }
    bool kept = false;
    int r = object->kind == KUBE_NAMESPACE ? plan_kept_namespace(c, object, resource, &kept) : 0;
    if (r < 0 || kept) {
        return r;
    }
    r = add_delete(c, object, resource, "delete", &(struct field_diffs){0});
    return r < 0 ? r : converging(c, resource, "is no longer wanted; is being deleted");
}

static int plan_objects(const struct cluster_plan *c)
{
    for (size_t i = 0; i < c->desired->count; i++) {
        int r = plan_desired(c, &c->desired->items[i]);
        if (r < 0) {
            return r;
        }
    }
    int r = waits_for_address(c) ? plan_no_address(c) : 0;
    // Backwards through the kinds: what points at something goes before it, a Namespace last.
    for (size_t kind = _KUBE_KIND_COUNT; r == 0 && kind-- > 0;) {
        for (size_t i = 0; r == 0 && i < c->world->object_count; i++) {
            const struct world_object *object = &c->world->objects[i];
            r = object->kind == kind ? plan_undesired(c, object) : 0;
        }
    }
    return r;
}

int plan_cluster(const struct plan_input *input, const char *cluster,
                 const struct world_cluster *world, struct plan *ret, struct error *err)
{
    _cleanup_(desired_objects_done) struct desired_objects objects = {0};
    struct cluster_plan c = {.input = input,
                             .cluster = cluster,
                             .world = world,
                             .plan = ret,
                             .desired = input->wanted && input->objects != NULL ? input->objects
                                                                                : &objects};
    if (input->wanted) {
        c.address = desired_registry_address(input->config, input->engine, world);
        int r = desired_objects_make(c.desired, input->config, &world->apis, &c.address, err);
        if (r < 0) {
            return r;
        }
    }
    if (plan_objects(&c) < 0) {
        plan_done(ret);
        return error_oom(err);
    }
    return 0;
}
