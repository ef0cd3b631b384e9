#include "lib/world/cluster.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>

#define POD_REASON_MAX 400 // bytes
#define OBJECTS_MAX 1000   // the program's own are a dozen

const struct kube_kind_info kube_kinds[_KUBE_KIND_COUNT] = {
    [KUBE_NAMESPACE] = {"Namespace", "v1", "/api/v1", "namespaces", false},
    [KUBE_CONFIG_MAP] = {"ConfigMap", "v1", "/api/v1", "configmaps", true},
    [KUBE_DEPLOYMENT] = {"Deployment", "apps/v1", "/apis/apps/v1", "deployments", true},
    [KUBE_SERVICE] = {"Service", "v1", "/api/v1", "services", true},
    [KUBE_ENDPOINTS] = {"Endpoints", "v1", "/api/v1", "endpoints", true},
    [KUBE_ENDPOINT_SLICE] = {"EndpointSlice", "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1",
                             "endpointslices", true},
    [KUBE_INGRESS] = {"Ingress", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "ingresses",
                      true},
};

int kube_kind_path(enum kube_kind kind, const char *name_space, const char *name, char **ret)
{
    const struct kube_kind_info *info = &kube_kinds[kind];
    if ((name_space != NULL && (!info->namespaced || !world_object_name_is_valid(name_space))) ||
        (name != NULL &&
         (info->namespaced != (name_space != NULL) || !world_object_name_is_valid(name)))) {
        return -EINVAL;
    }
    const char *slash = name == NULL ? "" : "/";
    const char *last = name == NULL ? "" : name;
    char *path = name_space == NULL
                     ? str_printf("%s/%s%s%s", info->prefix, info->plural, slash, last)
                     : str_printf("%s/namespaces/%s/%s%s%s", info->prefix, name_space, info->plural,
                                  slash, last);
    if (path == NULL) {
        return -ENOMEM;
    }
    *ret = path;
    return 0;
}

static bool is_field_manager(const json_t *object)
{
    const json_t *entries = json_get_array(object, "metadata", "managedFields", NULL);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        if (str_equal(json_get_string(json_array_get(entries, i), "manager", NULL),
                      WORLD_MANAGED_BY)) {
            return true;
        }
    }
    return false;
}

static bool is_labelled(const json_t *object)
{
    return str_equal(json_get_string(object, "metadata", "labels", WORLD_LABEL_MANAGED_BY, NULL),
                     WORLD_MANAGED_BY);
}

static bool is_owned(enum kube_kind kind, const json_t *object)
{
    if (kind == KUBE_NAMESPACE) {
        return is_labelled(object);
    }
    if (is_field_manager(object)) {
        return true;
    }
    const char *maker =
        json_get_string(object, "metadata", "labels", WORLD_LABEL_SLICE_MANAGED_BY, NULL);
    return is_labelled(object) && (maker == NULL || str_equal(maker, WORLD_MANAGED_BY));
}

static void object_done(struct world_object *object)
{
    free(object->name_space);
    free(object->name);
    free(object->uid);
    json_decref(object->object);
}

int world_cluster_add(struct world_cluster *cluster, enum kube_kind kind, json_t *object,
                      struct error *err)
{
    const char *name = json_get_string(object, "metadata", "name", NULL);
    const char *name_space =
        kube_kinds[kind].namespaced ? json_get_string(object, "metadata", "namespace", NULL) : NULL;
    if (name == NULL || !world_object_name_is_valid(name) ||
        (kube_kinds[kind].namespaced &&
         (name_space == NULL || !world_object_name_is_valid(name_space)))) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "the cluster's answer holds an object of kind %s without a valid name",
                         kube_kinds[kind].kind);
    }
    if (world_cluster_object(cluster, kind, name_space, name) != NULL) {
        return 0;
    }

    if (cluster->object_count == OBJECTS_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG,
                         "the cluster has more than %d objects with the label %s=%s", OBJECTS_MAX,
                         WORLD_LABEL_MANAGED_BY, WORLD_MANAGED_BY);
    }

    struct world_object *objects =
        reallocarray(cluster->objects, cluster->object_count + 1, sizeof(*objects));
    if (objects == NULL) {
        return error_oom(err);
    }
    cluster->objects = objects;

    struct world_object added = {
        .kind = kind,
        .owned = is_owned(kind, object),
        .deleting = json_get_string(object, "metadata", "deletionTimestamp", NULL) != NULL,
        .object = json_incref(object),
    };
    if (str_replace(&added.name_space, name_space) < 0 || str_replace(&added.name, name) < 0 ||
        str_replace(&added.uid, json_get_string(object, "metadata", "uid", NULL)) < 0) {
        object_done(&added);
        return error_oom(err);
    }
    objects[cluster->object_count++] = added;
    return 0;
}

int world_cluster_add_list(struct world_cluster *cluster, enum kube_kind kind, const json_t *list,
                           struct error *err)
{
    const json_t *items = json_get_array(list, "items", NULL);
    for (size_t i = 0; i < json_array_size(items); i++) {
        int r = world_cluster_add(cluster, kind, json_array_get(items, i), err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

const struct world_object *world_cluster_object(const struct world_cluster *cluster,
                                                enum kube_kind kind, const char *name_space,
                                                const char *name)
{
    for (size_t i = 0; i < cluster->object_count; i++) {
        const struct world_object *object = &cluster->objects[i];
        if (object->kind == kind && str_equal(object->name_space, name_space) &&
            str_equal(object->name, name)) {
            return object;
        }
    }
    return NULL;
}

void world_cluster_free(struct world_cluster *cluster)
{
    if (cluster == NULL) {
        return;
    }
    for (size_t i = 0; i < cluster->object_count; i++) {
        object_done(&cluster->objects[i]);
    }
    free(cluster->objects);
    free(cluster->resident);
    free(cluster->resident_doubt);
    free(cluster->pod_reason);
    free(cluster);
}

// What says "reason" and perhaps "message" of a pod's trouble, borrowed; NULL when nothing does.
static const json_t *container_trouble(const json_t *pod, const char *list, const char *state)
{
    const json_t *statuses = json_get_array(pod, "status", list, NULL);
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *status = json_array_get(statuses, i);
        const json_t *trouble = json_get_object(status, "state", state, NULL);
        if (!json_get_bool(status, false, "ready", NULL) &&
            json_get_string(trouble, "reason", NULL) != NULL) {
            return trouble;
        }
    }
    return NULL;
}

static const json_t *pod_condition(const json_t *pod, const char *type)
{
    const json_t *conditions = json_get_array(pod, "status", "conditions", NULL);
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        if (str_equal(json_get_string(condition, "type", NULL), type)) {
            return condition;
        }
    }
    return NULL;
}

static const json_t *pod_trouble(const json_t *pod)
{
    static const struct {
        const char *list;
        const char *state;
    } places[] = {
        {"initContainerStatuses", "waiting"},
        {"initContainerStatuses", "terminated"},
        {"containerStatuses", "waiting"},
        {"containerStatuses", "terminated"},
    };
    if (str_equal(json_get_string(pod_condition(pod, "Ready"), "status", NULL), "True") ||
        json_get(pod, "metadata", "deletionTimestamp", NULL) != NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ELEMENTS(places); i++) {
        const json_t *trouble = container_trouble(pod, places[i].list, places[i].state);
        if (trouble != NULL) {
            return trouble;
        }
    }
    const json_t *scheduled = pod_condition(pod, "PodScheduled");
    return str_equal(json_get_string(scheduled, "status", NULL), "False") &&
                   json_get_string(scheduled, "reason", NULL) != NULL
               ? scheduled
               : NULL;
}

// Cuts s to max bytes without leaving a part of a UTF-8 sequence.
static void cut(char *s, size_t max)
{
    if (strlen(s) > max) {
        while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80) {
            max--;
        }
        s[max] = '\0';
    }
}

int world_pod_reason(const json_t *pod_list, char **ret)
{
    const json_t *items = json_get_array(pod_list, "items", NULL);
    const json_t *trouble = NULL;
    for (size_t i = 0; trouble == NULL && i < json_array_size(items); i++) {
        trouble = pod_trouble(json_array_get(items, i));
    }
    if (trouble == NULL) {
        *ret = NULL;
        return 0;
    }
    const char *message = json_get_string(trouble, "message", NULL);
    _cleanup_free_ char *reason =
        str_printf("%s%s%s", json_get_string(trouble, "reason", NULL),
                   str_empty(message) ? "" : ": ", str_empty(message) ? "" : message);
    char *hidden = secret_hide(reason);
    if (hidden == NULL) {
        return -ENOMEM;
    }
    cut(hidden, POD_REASON_MAX);
    str_make_printable(hidden);
    *ret = hidden;
    return 0;
}
