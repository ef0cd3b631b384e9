#include "lib/kinds/object/plan.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/explain.h"
#include "lib/kinds/object/desired.h"
#include "lib/kinds/object/diff.h"

#include <string.h>

#define MESSAGE_MAX (2 * ERROR_TEXT_MAX)

struct planner {
    const struct input *input;
    const struct object_current *current;
    struct plan *plan;
};

static void set_error(const struct planner *p, const struct object *object,
                      const struct error *error)
{
    char message[MESSAGE_MAX];
    enum reason reason = object_explain(p->input, NULL, error, message, sizeof(message));
    // What may be told otherwise when it is asked again is not known.
    bool known =
        !reason_is_unknown(reason) && (reason != REASON_ERROR || error->kind == ERROR_PERMANENT);
    plan_set_condition(p->plan, object->resource, object->cluster,
                       known ? READY_FALSE : READY_UNKNOWN, reason, "%s", message);
}

static struct action *add_apply(const struct planner *p, const struct object *object,
                                const char *verb, bool part)
{
    const struct object *home = object->home;
    const struct action action = {
        .op = OBJECT_APPLY,
        .name = "object-apply",
        .verb = verb,
        .resource = object->resource,
        .cluster = object->cluster,
        .needs = home != NULL && home->json == NULL ? home->resource : NULL,
        .part = part,
        .target = object->path,
        .argument = object->digest,
        .body = object->manifest,
    };
    return plan_add_action(p->plan, &action);
}

static struct action *add_delete(const struct planner *p, const struct object *object,
                                 const char *verb)
{
    bool is_home = object->api->holds_objects;
    const struct action action = {
        .op = is_home ? OBJECT_DELETE_NAMESPACE : OBJECT_DELETE,
        .name = is_home ? "namespace-delete" : "object-delete",
        .verb = is_home ? "delete if empty" : verb,
        .resource = object->resource,
        .cluster = object->cluster,
        .destructive = true,
        .target = object->path,
        .argument = object->uid,
    };
    return plan_add_action(p->plan, &action);
}

// ---- a desired object ----

// Deletes it and makes it anew. What HostK8s made is another object altogether: its fields are not
// worth telling, and an apply would leave some of them.
static void plan_recreate(const struct planner *p, const struct object *object)
{
    struct action *recreate = add_delete(p, object, "recreate");
    if (object->made_by_hostk8s) {
        plan_add_field(p->plan, recreate, "made by", "HostK8s", OBJECT_MANAGED_BY);
    } else {
        (void)object_diff(p->plan, recreate, object->json, object->manifest, true);
    }
    (void)add_apply(p, object, "create", true);
}

static void plan_owned(const struct planner *p, const struct object *object)
{
    const struct object_need *need = object->row->need;
    struct plan *plan = p->plan;
    if (object->immutable) {
        plan_recreate(p, object);
    } else if (object->merged != NULL &&
               object_diff(NULL, NULL, object->json, object->merged, false)) {
        struct action *apply = add_apply(p, object, "apply", false);
        (void)object_diff(plan, apply, object->json, object->merged, false);
    } else if (need != NULL && object->need->refusal != NULL) {
        set_error(p, object, object->need->refusal);
    } else if (need != NULL && object->need->json == NULL) {
        const char *space = object->need->name_space;
        object_set_condition(plan, object, need->reason, "the cluster has no %s %s%s%s; %s",
                             need->kind, space == NULL ? "" : space, space == NULL ? "" : "/",
                             object->need->name, need->help);
    } else if (object->row->ready != NULL) {
        object->row->ready(object, plan);
    } else {
        plan_set_converged(plan, object->resource, object->cluster);
    }
    if (plan_first_action(plan, object->resource) != NULL) {
        object_set_condition(plan, object, REASON_CONVERGING,
                             "differs from what is declared; is being changed");
    }
}

static bool is_foreign(const struct object *object)
{
    return object->json != NULL && !object->owned && !object->made_by_hostk8s &&
           !object->api->holds_objects;
}

// Somebody else's object in the place of one that this one is for; NULL when there is none.
static const struct object *foreign_used(const struct planner *p, const struct object *object)
{
    for (size_t i = 0; i < p->current->count; i++) {
        const struct object *other = p->current->objects[i];
        for (size_t use = 0; use < OBJECT_USES_MAX && other->row != NULL; use++) {
            if (str_equal(other->row->file, object->row->uses[use]) && is_foreign(other)) {
                return other;
            }
        }
    }
    return NULL;
}

static void plan_desired(const struct planner *p, const struct object *object)
{
    const struct config *config = p->input->config;
    const struct object_api *api = object->api;
    const struct object *foreign = foreign_used(p, object);
    struct plan *plan = p->plan;
    if (!object_is_served(p->current, api)) {
        const char *help = object->row->unserved;
        object_set_condition(plan, object, api->custom ? object->row->need->reason : REASON_ERROR,
                             "the cluster does not serve %s%s%s", api->version,
                             help == NULL ? "" : "; ", help == NULL ? "" : help);
    } else if (object->refusal != NULL) {
        set_error(p, object, object->refusal);
    } else if (object->waits != NULL) {
        plan_set_condition(plan, object->resource, object->cluster, READY_UNKNOWN,
                           REASON_CONVERGING,
                           "waits for network/%s/%s: the registry has no %s address there",
                           config->network, config->registry.name, object->waits);
    } else if (object->deleting) {
        object_set_condition(plan, object, REASON_CONVERGING,
                             "is being deleted; is made again when it is gone");
    } else if (object->home != NULL && object->home->deleting) {
        object_set_condition(plan, object, REASON_CONVERGING,
                             "waits until namespace %s is deleted, to make it again",
                             object->name_space);
    } else if (foreign != NULL) {
        object_set_condition(plan, object, REASON_NAME_CONFLICT,
                             "waits for %s %s, which is not managed by " OBJECT_MANAGED_BY,
                             foreign->api->kind, foreign->name);
    } else if (object->json == NULL) {
        (void)add_apply(p, object, "create", false);
        object_set_condition(plan, object, REASON_CONVERGING, "is missing; is being made");
    } else if (object->made_by_hostk8s) {
        plan_recreate(p, object);
        object_set_condition(plan, object, REASON_CONVERGING,
                             "was made by HostK8s; is being made anew");
    } else if (object->owned) {
        plan_owned(p, object);
    } else if (api->holds_objects) {
        // A namespace that was there before serves as it is, and is not ours to delete.
        plan_set_converged(plan, object->resource, object->cluster);
    } else {
        object_set_condition(plan, object, REASON_NAME_CONFLICT,
                             "%s %s in namespace %s is not managed by " OBJECT_MANAGED_BY
                             "; delete it, or hand it over with `kubectl --context kind-%s -n %s "
                             "label --overwrite %s %s " OBJECT_SELECTOR "`",
                             api->kind, object->name, object->name_space, object->cluster,
                             object->name_space, api->kind, object->name);
    }
}

// ---- what is owned and not desired ----

// While one waits, what there is may have the name that it will get, or another.
static bool may_be_awaited(const struct planner *p, const struct object *object)
{
    for (size_t i = 0; i < p->current->count && p->input->desired; i++) {
        const struct object *other = p->current->objects[i];
        if (other->row != NULL && other->waits != NULL && other->api == object->api &&
            other->home == object->home) {
            return true;
        }
    }
    return false;
}

// Nobody's to delete, whatever the labels say: what controllers make for a Service that has a
// selector, and the namespaces of Kubernetes itself.
static bool is_of_kubernetes(const struct object *object)
{
    const json_t *service = object->service == NULL ? NULL : object->service->json;
    return json_object_size(json_get_object(service, "spec", "selector", NULL)) > 0 ||
           (object->api->holds_objects &&
            (str_starts_with(object->name, "kube-") || str_equal(object->name, "default")));
}

// Whether it gets requests that are for the registry.
static bool is_rival(const struct planner *p, const struct object *object)
{
    return p->input->desired && object->service != NULL && object->service->row != NULL &&
           !is_foreign(object->service) &&
           json_array_size(json_get_array(object->json, "endpoints", NULL)) > 0;
}

// Says where its requests go.
static void set_rival(const struct planner *p, const struct object *object)
{
    const json_t *endpoint = json_array_get(json_object_get(object->json, "endpoints"), 0);
    const json_t *port = json_array_get(json_object_get(object->json, "ports"), 0);
    const char *address =
        json_string_value(json_array_get(json_get_array(endpoint, "addresses", NULL), 0));
    object_set_condition(p->plan, object, REASON_NAME_CONFLICT,
                         "takes a part of the requests for Service %s to %s port %lld, and is not "
                         "managed by " OBJECT_MANAGED_BY
                         "; delete it with `kubectl --context kind-%s -n %s delete %s %s`",
                         object->service->name, address == NULL ? "nowhere" : address,
                         (long long)json_get_int(port, 0, "port", NULL), object->cluster,
                         object->name_space, object->api->kind, object->name);
}

static void plan_undesired(const struct planner *p, const struct object *object)
{
    bool rival = is_rival(p, object);
    bool taken_over =
        object->made_by_hostk8s && (rival || (object->left_over && p->input->desired));
    if (object->json == NULL || object->api->selector == NULL || is_of_kubernetes(object)) {
        return;
    }
    if (!object->owned && !taken_over) {
        if (rival) {
            set_rival(p, object);
        }
    } else if (!may_be_awaited(p, object)) {
        if (!object->deleting) {
            (void)add_delete(p, object, "delete");
        }
        object_set_condition(p->plan, object, REASON_CONVERGING,
                             object->api->holds_objects && !object->deleting
                                 ? "is no longer wanted; is deleted unless others live in it"
                                 : "is no longer wanted; is being deleted");
    }
}

void object_plan(const struct input *input, const void *current, struct plan *ret)
{
    const struct planner p = {input, current, ret};
    for (size_t kind = 0; kind < object_api_count; kind++) {
        for (size_t i = 0; i < p.current->count && input->desired; i++) {
            const struct object *object = p.current->objects[i];
            if (object_api_index(object->api) == kind && object->row != NULL) {
                plan_desired(&p, object);
            }
        }
    }
    // Backwards through the kinds: what points at something goes before it, a Namespace last.
    for (size_t kind = object_api_count; kind-- > 0;) {
        for (size_t i = 0; i < p.current->count; i++) {
            const struct object *object = p.current->objects[i];
            if (object_api_index(object->api) == kind && (object->row == NULL || !input->desired)) {
                plan_undesired(&p, object);
            }
        }
    }
}

void object_resources(const struct input *input, const struct condition *condition,
                      struct plan *ret)
{
    _cleanup_(object_current_freep) struct object_current *current =
        object_current_new(input->name);
    for (size_t i = 0; i < object_api_count; i++) {
        current->served[i] = true;
    }
    object_desired_set(current, input->config, input->engine);
    for (size_t i = 0; i < current->count; i++) {
        if (current->objects[i]->row != NULL) {
            plan_set_condition(ret, current->objects[i]->resource, input->name, condition->ready,
                               condition->reason, "%s", condition->message);
        }
    }
}

// ---- errors ----

enum reason object_explain(const struct input *input, const struct action *action,
                           const struct error *error, char *message, size_t size)
{
    bool missing = action == NULL && error->kind == ERROR_PERMANENT && error->code == ENOENT;
    // A cluster's first user has no rights before kubeadm has given him some.
    bool may_come = error->kind != ERROR_PERMANENT || explain_is_refusal(error);
    if (action == NULL && may_come && !error_is_own(error) && !input->was_observed &&
        input->engine != NULL && engine_cluster_is_new(input->engine, input->name)) {
        return explain(message, size, REASON_CONVERGING,
                       "cluster %s is being made; its API server does not answer yet", input->name);
    }
    if (missing && str_equal(input->name, ENGINE_DESKTOP)) {
        return explain(message, size, REASON_CLUSTER_NOT_FOUND,
                       "%s; turn on Kubernetes by kind, and Show system containers, in Docker "
                       "Desktop's settings, or change clusters",
                       error->text);
    }
    if (missing) {
        return explain(
            message, size, REASON_CLUSTER_NOT_FOUND,
            "%s; create it with `kind create cluster --name %s`, or set clusters to what "
            "`kind get clusters` prints",
            error->text, input->name);
    }
    if (explain_is_refusal(error)) {
        return explain(message, size, REASON_FORBIDDEN,
                       "%s; give the kubeconfig's user the rights or leave kubernetes.kubeconfig "
                       "empty",
                       error->text);
    }
    if (action != NULL && error->code == OBJECT_DOUBT) {
        return explain(message, size, REASON_API_UNREACHABLE,
                       "%s; mend that API, or if nothing there is needed, `kubectl --context "
                       "kind-%s delete namespace %s`",
                       error->text, input->name, strrchr(action->target, '/') + 1);
    }
    if (explain_is_unreachable(error)) {
        return explain(message, size, REASON_API_UNREACHABLE, "%s; it is asked again", error->text);
    }
    return explain(message, size, REASON_ERROR, "%s", error->text);
}
