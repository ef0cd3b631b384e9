// The Kubernetes objects, with only the fields that the program wants to own: the API server fills
// in the others. A field that must not be set is declared with its zero value (paused, command, a
// selector): applying it takes away what somebody else has set there, where the API allows that.
#include "lib/desired/desired.h"

#include "lib/base/str.h"
#include "lib/desired/objects_internal.h"

#include <errno.h>
#include <string.h>

#define HOSTING_NAMESPACE "kube-public"
#define HOSTING_NAME "local-registry-hosting"
#define HOSTING_HELP "https://kind.sigs.k8s.io/docs/user/local-registry/"
#define HOSTING_MAX 4096 // bytes
#define API_PATH "/v2/"
#define TRANSFER_TIMEOUT "600" // seconds that the ingress waits for a layer's next bytes

#define LABEL_SERVICE_NAME "kubernetes.io/service-name"
#define NGINX(annotation) "nginx.ingress.kubernetes.io/" annotation

struct sources {
    const struct config *config;
    const struct desired_address *address;
};

// What is not the same in every object.
struct part {
    json_t *labels;      // beside those that each object has, or NULL
    json_t *annotations; // or NULL
    json_t *body;        // apiVersion, kind and metadata are added
};

struct maker {
    struct desired_ref ref;
    const char *app; // the label "name"
    // Fills part, whose owner is the caller. Returns 0 or -errno.
    int (*make)(const struct sources *sources, struct part *part);
};

static void part_done(struct part *part)
{
    json_decref(part->labels);
    json_decref(part->annotations);
    json_decref(part->body);
}

static int make_object(const struct maker *maker, const struct sources *sources,
                       struct desired_object *ret)
{
    _cleanup_(part_done) struct part part = {0};
    int r = maker->make(sources, &part);
    if (r < 0) {
        return r;
    }
    json_auto_t *labels = desired_labels(maker->app);
    if (labels == NULL || (part.labels != NULL && json_object_update(labels, part.labels) < 0)) {
        return -ENOMEM;
    }
    const struct desired_ref *ref = &maker->ref;
    const struct kube_kind_info *info = &kube_kinds[ref->kind];
    json_auto_t *object =
        json_pack("{s:s, s:s, s:{s:s, s:O}}", "apiVersion", info->api_version, "kind", info->kind,
                  "metadata", "name", ref->name, "labels", labels);
    json_t *metadata = json_object_get(object, "metadata");
    // Not by "s*": with that a string that found no memory would be left out silently.
    if ((ref->name_space != NULL &&
         json_object_set_new(metadata, "namespace", json_string(ref->name_space)) < 0) ||
        (part.annotations != NULL &&
         json_object_set(metadata, "annotations", part.annotations) < 0) ||
        object == NULL || json_object_update(object, part.body) < 0) {
        return -ENOMEM;
    }
    *ret = (struct desired_object){
        .kind = ref->kind,
        .name_space = json_string_value(json_object_get(metadata, "namespace")),
        .name = json_string_value(json_object_get(metadata, "name")),
        .object = TAKE_PTR(object),
    };
    return 0;
}

static int made(const struct part *part)
{
    return part->body == NULL ? -ENOMEM : 0;
}

static int make_namespace(_unused_ const struct sources *sources, struct part *part)
{
    part->body = json_object();
    return made(part);
}

// KEP-1755:
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry
// hostFromContainerRuntime is left out while the nodes know the registry by host too, which is what
// a reader takes from its absence, and some know no other field.
static int make_hosting(const struct sources *sources, struct part *part)
{
    const struct config *config = sources->config;
    _cleanup_free_ char *host = desired_public_host(&config->registry);
    if (host == NULL) {
        return -ENOMEM;
    }
    _cleanup_buf_ struct buf text = BUF_INIT(HOSTING_MAX);
    int r = buf_printf(&text, "host: \"%s\"\nhostFromClusterNetwork: \"%s:%d\"\n", host,
                       config->registry.name, WORLD_REGISTRY_PORT);
    if (r == 0 && !strv_contains(&config->nodes.aliases, host)) {
        r = buf_printf(&text, "hostFromContainerRuntime: \"%s:%d\"\n", config->registry.name,
                       WORLD_REGISTRY_PORT);
    }
    if (r == 0) {
        r = buf_printf(&text, "help: \"%s\"\n", HOSTING_HELP);
    }
    if (r < 0) {
        return r;
    }
    part->body = json_pack("{s:b, s:{s:s}}", "immutable", 0, "data", "localRegistryHosting.v1",
                           buf_str(&text));
    return made(part);
}

static int make_deployment(const struct sources *sources, struct part *part)
{
    return desired_deployment_body(sources->config, &part->body);
}

// Takes selector.
static int make_service(json_t *selector, int port, struct part *part)
{
    part->body = json_pack("{s:{s:s, s:o, s:[{s:s, s:s, s:i, s:i}]}}", "spec", "type", "ClusterIP",
                           "selector", selector, "ports", "name", DESIRED_PORT_NAME, "protocol",
                           "TCP", "port", port, "targetPort", port);
    return made(part);
}

static int make_service_ui(_unused_ const struct sources *sources, struct part *part)
{
    return make_service(json_pack("{s:s}", DESIRED_LABEL_NAME, DESIRED_UI_NAME), DESIRED_UI_PORT,
                        part);
}

// https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
static int make_service_api(_unused_ const struct sources *sources, struct part *part)
{
    return make_service(json_object(), WORLD_REGISTRY_PORT, part);
}

static int make_endpoints(const struct sources *sources, struct part *part)
{
    part->body = json_pack("{s:[{s:[{s:s}], s:[{s:s, s:i, s:s}]}]}", "subsets", "addresses", "ip",
                           sources->address->text, "ports", "name", DESIRED_PORT_NAME, "port",
                           WORLD_REGISTRY_PORT, "protocol", "TCP");
    return made(part);
}

static int make_slice(const struct sources *sources, struct part *part)
{
    part->labels = json_pack("{s:s, s:s}", LABEL_SERVICE_NAME, DESIRED_API_NAME,
                             WORLD_LABEL_SLICE_MANAGED_BY, WORLD_MANAGED_BY);
    part->body = json_pack("{s:s, s:[{s:[s], s:{s:b}}], s:[{s:s, s:i, s:s}]}", "addressType",
                           sources->address->ipv6 ? "IPv6" : "IPv4", "endpoints", "addresses",
                           sources->address->text, "conditions", "ready", 1, "ports", "name",
                           DESIRED_PORT_NAME, "port", WORLD_REGISTRY_PORT, "protocol", "TCP");
    return part->labels == NULL ? -ENOMEM : made(part);
}

// Without a rule host, so that 127.0.0.1 and a LAN name meet it as localhost does. The Service has
// the Ingress' name.
static int make_ingress(const struct sources *sources, const char *name, const char *path,
                        const char *path_type, struct part *part)
{
    part->body = json_pack("{s:{s:s, s:[{s:{s:[{s:s, s:s, s:{s:{s:s, s:{s:s}}}}]}}]}}", "spec",
                           "ingressClassName", sources->config->ui.ingress_class, "rules", "http",
                           "paths", "path", path, "pathType", path_type, "backend", "service",
                           "name", name, "port", "name", DESIRED_PORT_NAME);
    return made(part);
}

// The UI below ui.path, which it does not know of: the controller takes the path off.
// https://kubernetes.github.io/ingress-nginx/examples/rewrite/
static int make_ingress_ui(const struct sources *sources, struct part *part)
{
    // Nothing in the path means anything in a regular expression, and it ends with a '/'.
    const char *path = sources->config->ui.path;
    _cleanup_free_ char *regex = str_printf("%.*s(/|$)(.*)", (int)strlen(path) - 1, path);
    part->annotations =
        json_pack("{s:s, s:s}", NGINX("use-regex"), "true", NGINX("rewrite-target"), "/$2");
    if (regex == NULL || part->annotations == NULL) {
        return -ENOMEM;
    }
    return make_ingress(sources, DESIRED_UI_NAME, regex, "ImplementationSpecific", part);
}

// An object of its own, for a rewrite concerns every path of an Ingress.
static int make_ingress_api(const struct sources *sources, struct part *part)
{
    part->annotations =
        json_pack("{s:s, s:s, s:s, s:s}", NGINX("proxy-body-size"), "0",
                  NGINX("proxy-request-buffering"), "off", NGINX("proxy-read-timeout"),
                  TRANSFER_TIMEOUT, NGINX("proxy-send-timeout"), TRANSFER_TIMEOUT);
    return part->annotations == NULL
               ? -ENOMEM
               : make_ingress(sources, DESIRED_API_NAME, API_PATH, "Prefix", part);
}

struct desired_ref desired_endpoints_ref(const struct config *config, const struct world_apis *apis,
                                         bool ipv6)
{
    const char *space = config->ui.name_space;
    if (!apis->endpoint_slice_v1) {
        return (struct desired_ref){KUBE_ENDPOINTS, space, DESIRED_API_NAME};
    }
    return (struct desired_ref){KUBE_ENDPOINT_SLICE, space,
                                ipv6 ? DESIRED_API_NAME_IPV6 : DESIRED_API_NAME};
}

// Those of the wanted objects, in the order of enum kube_kind. Returns how many.
static size_t choose(const struct sources *sources, const struct world_apis *apis,
                     struct maker ret[DESIRED_OBJECTS_MAX])
{
    const struct config_ui *ui = &sources->config->ui;
    const char *space = ui->name_space;
    const struct {
        bool wanted;
        struct maker maker;
    } all[DESIRED_OBJECTS_MAX] = {
        {ui->enabled, {{KUBE_NAMESPACE, NULL, space}, DESIRED_PART_OF, make_namespace}},
        {true, {{KUBE_CONFIG_MAP, HOSTING_NAMESPACE, HOSTING_NAME}, DESIRED_PART_OF, make_hosting}},
        {ui->enabled,
         {{KUBE_DEPLOYMENT, space, DESIRED_UI_NAME}, DESIRED_UI_NAME, make_deployment}},
        {ui->enabled, {{KUBE_SERVICE, space, DESIRED_UI_NAME}, DESIRED_UI_NAME, make_service_ui}},
        {ui->enabled,
         {{KUBE_SERVICE, space, DESIRED_API_NAME}, DESIRED_API_NAME, make_service_api}},
        {ui->enabled && sources->address->text != NULL,
         {desired_endpoints_ref(sources->config, apis, sources->address->ipv6), DESIRED_API_NAME,
          apis->endpoint_slice_v1 ? make_slice : make_endpoints}},
        {ui->enabled, {{KUBE_INGRESS, space, DESIRED_UI_NAME}, DESIRED_UI_NAME, make_ingress_ui}},
        {ui->enabled,
         {{KUBE_INGRESS, space, DESIRED_API_NAME}, DESIRED_API_NAME, make_ingress_api}},
    };
    size_t count = 0;
    for (size_t i = 0; i < ELEMENTS(all); i++) {
        if (all[i].wanted) {
            ret[count++] = all[i].maker;
        }
    }
    return count;
}

size_t desired_refs(const struct config *config, const struct world_apis *apis,
                    const struct desired_address *address,
                    struct desired_ref ret[DESIRED_OBJECTS_MAX])
{
    struct maker makers[DESIRED_OBJECTS_MAX];
    const struct sources sources = {.config = config, .address = address};
    size_t count = choose(&sources, apis, makers);
    for (size_t i = 0; i < count; i++) {
        ret[i] = makers[i].ref;
    }
    return count;
}

static bool are_made_of(const struct desired_objects *objects, const struct config *config,
                        const struct world_apis *apis, const struct desired_address *address)
{
    return objects->items != NULL && objects->config == config &&
           objects->apis.endpoint_slice_v1 == apis->endpoint_slice_v1 &&
           objects->apis.ingress_v1 == apis->ingress_v1 &&
           str_equal(objects->address, address->text);
}

static int make_all(struct desired_objects *objects, const struct desired_address *address)
{
    struct maker makers[DESIRED_OBJECTS_MAX];
    const struct sources sources = {.config = objects->config, .address = address};
    size_t count = choose(&sources, &objects->apis, makers);
    objects->items = calloc(count, sizeof(*objects->items));
    if (objects->items == NULL) {
        return -ENOMEM;
    }
    int r = 0;
    for (size_t i = 0; i < count && r >= 0; i++) {
        r = make_object(&makers[i], &sources, &objects->items[i]);
        objects->count += r >= 0;
    }
    return r;
}

int desired_objects_make(struct desired_objects *objects, const struct config *config,
                         const struct world_apis *apis, const struct desired_address *address,
                         struct error *err)
{
    if (are_made_of(objects, config, apis, address)) {
        return 0;
    }
    desired_objects_done(objects);
    *objects = (struct desired_objects){
        .config = config, .apis = *apis, .address = str_dup(address->text)};
    int r = str_equal(objects->address, address->text) ? make_all(objects, address) : -ENOMEM;
    if (r >= 0) {
        return 0;
    }
    desired_objects_done(objects);
    return r == -ENOMEM
               ? error_oom(err)
               : error_set(err, ERROR_PERMANENT, -r, "the objects for Kubernetes are too large");
}

void desired_objects_done(struct desired_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        json_decref(objects->items[i].object);
        json_decref(objects->items[i].met_by);
    }
    free(objects->items);
    free(objects->address);
    *objects = (struct desired_objects){0};
}
