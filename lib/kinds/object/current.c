#include "lib/kinds/object/current.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/name.h"

#include <errno.h>
#include <string.h>

#define OBJECTS_MAX 1000 // the program's own are a dozen

// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management
#define LABEL_MAKER "endpointslice.kubernetes.io/managed-by"
#define LABEL_SERVICE "kubernetes.io/service-name"
#define MIRROR_MAKER "endpointslicemirroring-controller.k8s.io"

// What HostK8s' infra/manifests/registry-ui.yaml has on every object, and what its script
// setup-registry.py writes to kube-public, for its own registry. kind's script has another port.
#define LABEL_HOSTK8S "hostk8s.addon"
#define HOSTK8S_ADDON "registry"
#define HOSTING_NAME "local-registry-hosting"
#define HOSTING_KEY "localRegistryHosting.v1"
#define HOSTING_TEXT                                                                               \
    "host: \"localhost:5002\"\n"                                                                   \
    "help: \"https://kind.sigs.k8s.io/docs/user/local-registry/\"\n"

struct object_current *object_current_new(const char *cluster)
{
    struct object_current *current = xcalloc(1, sizeof(*current));
    current->cluster = arena_dup(&current->arena, cluster);
    current->values = json_array();
    current->manifests = json_array();
    return current;
}

json_t *object_current_keep(struct object_current *current, json_t *value)
{
    (void)json_array_append(current->values, value);
    return value;
}

// NOLINTNEXTLINE(misc-no-recursion): a Namespace has no home
struct object *object_current_get(struct object_current *current, const struct object_api *api,
                                  const char *name_space, const char *name)
{
    struct arena *arena = &current->arena;
    for (size_t i = 0; i < current->count; i++) {
        struct object *object = current->objects[i];
        if (object->api == api && str_equal(object->name_space, name_space) &&
            str_equal(object->name, name)) {
            return object;
        }
    }
    const char *within = name_space == NULL ? "" : name_space;
    const char *slash = name_space == NULL ? "" : "/";
    struct object *object = arena_alloc(arena, sizeof(*object));
    *object = (struct object){
        .api = api,
        .cluster = current->cluster,
        .name_space = arena_dup(arena, name_space),
        .name = arena_dup(arena, name),
        .resource = arena_printf(arena, "kube/%s/%s/%s%s%s", current->cluster, api->kind, within,
                                 slash, name),
        .collection = object_collection(arena, api, name_space),
    };
    object->path = arena_printf(arena, "%s/%s", object->collection, name);
    *ARENA_GROW(arena, current->objects, current->count) = object;
    if (name_space != NULL) {
        object->home = object_current_get(current, object_api("Namespace"), NULL, name_space);
    }
    return object;
}

static bool is_owned(const struct object_api *api, const json_t *metadata)
{
    const char *label = json_get_string(metadata, "labels", OBJECT_LABEL_MANAGED_BY, NULL);
    bool owned = str_equal(label, OBJECT_MANAGED_BY);
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach (json_get_array(metadata, "managedFields", NULL), i, entry) {
        owned = owned || (!api->holds_objects &&
                          str_equal(json_get_string(entry, "manager", NULL), OBJECT_MANAGED_BY));
    }
    return owned;
}

static bool is_of_hostk8s(const struct object_api *api, const char *name, const json_t *json)
{
    const char *label = json_get_string(json, "metadata", "labels", LABEL_HOSTK8S, NULL);
    const json_t *data = json_get_object(json, "data", NULL);
    return (str_equal(label, HOSTK8S_ADDON) && !api->holds_objects) ||
           (str_equal(name, HOSTING_NAME) && json_object_size(data) == 1 &&
            str_equal(json_get_string(data, HOSTING_KEY, NULL), HOSTING_TEXT));
}

// Of a listed EndpointSlice that the cluster made of Endpoints: the uid of these, else NULL.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/0752-endpointslices#mirroring-details
static const char *mirrored_uid(const json_t *metadata)
{
    const json_t *owner = json_array_get(json_get_array(metadata, "ownerReferences", NULL), 0);
    bool mirrored =
        str_equal(json_get_string(metadata, "labels", LABEL_MAKER, NULL), MIRROR_MAKER) &&
        str_equal(json_get_string(owner, "kind", NULL), "Endpoints");
    return mirrored ? json_get_string(owner, "uid", NULL) : NULL;
}

static int add(struct object_current *current, const struct object_api *api, json_t *json,
               bool listed, struct error *err)
{
    const json_t *metadata = json_get_object(json, "metadata", NULL);
    const json_t *labels = json_get_object(metadata, "labels", NULL);
    const char *uid = json_get_string(metadata, "uid", NULL);
    const char *name = json_get_string(metadata, "name", NULL);
    const char *name_space = api->namespaced ? json_get_string(metadata, "namespace", NULL) : NULL;
    const char *service = NULL;
    if (str_equal(api->kind, "EndpointSlice") &&
        !str_equal(json_get_string(labels, LABEL_MAKER, NULL), OBJECT_MANAGED_BY)) {
        service = json_get_string(labels, LABEL_SERVICE, NULL);
    }
    if (listed && service != NULL && mirrored_uid(metadata) != NULL) {
        api = object_api("Endpoints");
        uid = mirrored_uid(metadata);
        name = service;
    }
    if (str_equal(api->kind, "Endpoints")) {
        service = name;
    }
    if (name == NULL || !name_is_valid_object(name) ||
        (service != NULL && !name_is_valid_object(service)) ||
        (api->namespaced && (name_space == NULL || !name_is_valid_object(name_space)))) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "the cluster's answer holds an object of kind %s without a valid name",
                         api->kind);
    }
    if (current->count >= OBJECTS_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG,
                         "the cluster has more than %d objects with the label %s", OBJECTS_MAX,
                         OBJECT_SELECTOR);
    }
    struct object *object = object_current_get(current, api, name_space, name);
    if (object->json == NULL) {
        object->json = object_current_keep(current, json);
        object->uid = uid;
        object->owned = is_owned(api, metadata);
        (void)json_object_del(json_object_get(json, "metadata"), "managedFields"); // half of it all
        object->made_by_hostk8s = is_of_hostk8s(api, name, json);
        object->deleting = json_get_string(metadata, "deletionTimestamp", NULL) != NULL;
        object->service = service == NULL ? NULL
                                          : object_current_get(current, object_api("Service"),
                                                               name_space, service);
    }
    return 0;
}

int object_current_add(struct object_current *current, const struct object_api *api, json_t *answer,
                       struct error *err)
{
    json_t *items = json_object_get(answer, "items");
    if (items == NULL) {
        return add(current, api, answer, false, err);
    }
    size_t i = 0;
    json_t *item = NULL;
    int r = 0;
    json_array_foreach (items, i, item) {
        r = r < 0 ? r : add(current, api, item, true, err);
    }
    return r;
}

bool object_is_served(const struct object_current *current, const struct object_api *api)
{
    return current->served[object_api_index(api)] &&
           (api->unless == NULL || !current->served[object_api_index(object_api(api->unless))]);
}

void object_current_free(void *object_current)
{
    struct object_current *current = object_current;
    if (current != NULL) {
        json_decref(current->values);
        json_decref(current->manifests);
        arena_done(&current->arena);
        free(current);
    }
}

// ---- pods ----

// The condition of this type if it has this status, else NULL.
static const json_t *find_condition(const json_t *pod, const char *type, const char *status)
{
    size_t i = 0;
    json_t *condition = NULL;
    json_array_foreach (json_get_array(pod, "status", "conditions", NULL), i, condition) {
        if (str_equal(json_get_string(condition, "type", NULL), type) &&
            str_equal(json_get_string(condition, "status", NULL), status)) {
            return condition;
        }
    }
    return NULL;
}

// What has the "reason", and perhaps a "message"; NULL when nothing does.
static const json_t *pod_trouble(const json_t *pod)
{
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
    static const char *const states[] = {"waiting", "terminated"};
    if (find_condition(pod, "Ready", "True") != NULL ||
        json_get(pod, "metadata", "deletionTimestamp", NULL) != NULL) {
        return NULL;
    }
    for (size_t place = 0; place < ELEMENTS(lists) * ELEMENTS(states); place++) {
        size_t i = 0;
        json_t *status = NULL;
        json_array_foreach (json_get_array(pod, "status", lists[place / 2], NULL), i, status) {
            const json_t *trouble = json_get_object(status, "state", states[place % 2], NULL);
            if (!json_get_bool(status, false, "ready", NULL) &&
                json_get_string(trouble, "reason", NULL) != NULL) {
                return trouble;
            }
        }
    }
    return find_condition(pod, "PodScheduled", "False");
}

const char *object_pod_reason(struct arena *arena, const json_t *pod_list,
                              const struct secrets *secrets)
{
    size_t i = 0;
    json_t *pod = NULL;
    json_array_foreach (json_get_array(pod_list, "items", NULL), i, pod) {
        const char *text = object_trouble_text(arena, pod_trouble(pod), secrets);
        if (text != NULL) {
            return text;
        }
    }
    return NULL;
}
