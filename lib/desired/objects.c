// The Kubernetes objects, with only the fields that the program wants to own: the API server fills
// in the others. A field that must not be set is declared with its zero value (paused, command, a
// selector): applying it takes away what somebody else has set there, where the API allows that.
#include "lib/desired/desired.h"

#include "lib/base/str.h"
#include "lib/desired/objects_internal.h"

#include <errno.h>
#include <string.h>

#define OBJECT_MAX 9

#define HOSTING_NAMESPACE "kube-public"
#define HOSTING_NAME "local-registry-hosting"
#define HOSTING_HELP "https://kind.sigs.k8s.io/docs/user/local-registry/"
#define HOSTING_MAX 4096 // bytes
#define API_PATH "/v2/"
#define TRANSFER_TIMEOUT "600" // seconds that the ingress waits for a layer's next bytes

#define LABEL_SERVICE_NAME "kubernetes.io/service-name"
#define LABEL_SLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define NGINX(annotation) "nginx.ingress.kubernetes.io/" annotation

struct maker {
    const struct config *config;
    const char *ipv4;
    const char *ipv6;
    struct desired_object *objects; // OBJECT_MAX of them
    size_t count;
};

// What is not the same in every object. Takes labels, annotations (each may be NULL) and body.
struct part {
    enum kube_kind kind;
    const char *name_space; // NULL for a cluster-scoped kind
    const char *name;
    const char *app; // the label "name"
    json_t *labels;  // beside those that each object has
    json_t *annotations;
    json_t *body; // apiVersion, kind and metadata are added
};

static int add(struct maker *maker, const struct part *part)
{
    json_auto_t *body = part->body;
    json_auto_t *extra = part->labels;
    json_auto_t *annotations = part->annotations;
    json_auto_t *labels = desired_labels(part->app);
    if (body == NULL || labels == NULL ||
        (extra != NULL && json_object_update(labels, extra) < 0)) {
        return -ENOMEM;
    }
    const struct kube_kind_info *info = &kube_kinds[part->kind];
    json_auto_t *object =
        json_pack("{s:s, s:s, s:{s:s, s:O}}", "apiVersion", info->api_version, "kind", info->kind,
                  "metadata", "name", part->name, "labels", labels);
    json_t *metadata = json_object_get(object, "metadata");
    // Not by "s*": with that a string that found no memory would be left out silently.
    if ((part->name_space != NULL &&
         json_object_set_new(metadata, "namespace", json_string(part->name_space)) < 0) ||
        (annotations != NULL && json_object_set(metadata, "annotations", annotations) < 0) ||
        object == NULL || json_object_update(object, body) < 0) {
        return -ENOMEM;
    }
    maker->objects[maker->count++] = (struct desired_object){
        .kind = part->kind,
        .name_space = json_string_value(json_object_get(metadata, "namespace")),
        .name = json_string_value(json_object_get(metadata, "name")),
        .object = TAKE_PTR(object),
    };
    return 0;
}

static int make_namespace(struct maker *maker)
{
    return add(maker, &(struct part){
                          .kind = KUBE_NAMESPACE,
                          .name = maker->config->ui.name_space,
                          .app = DESIRED_PART_OF,
                          .body = json_object(),
                      });
}

// KEP-1755:
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry
// hostFromContainerRuntime is left out while the nodes know the registry by host too, which is what
// a reader takes from its absence, and some know no other field.
static int make_hosting(struct maker *maker)
{
    const struct config *config = maker->config;
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
    return add(maker, &(struct part){
                          .kind = KUBE_CONFIG_MAP,
                          .name_space = HOSTING_NAMESPACE,
                          .name = HOSTING_NAME,
                          .app = DESIRED_PART_OF,
                          .body = json_pack("{s:b, s:{s:s}}", "immutable", 0, "data",
                                            "localRegistryHosting.v1", buf_str(&text)),
                      });
}

static int make_deployment(struct maker *maker)
{
    json_t *body = NULL;
    int r = desired_deployment_body(maker->config, &body);
    return r < 0 ? r
                 : add(maker, &(struct part){
                                  .kind = KUBE_DEPLOYMENT,
                                  .name_space = maker->config->ui.name_space,
                                  .name = DESIRED_UI_NAME,
                                  .app = DESIRED_UI_NAME,
                                  .body = body,
                              });
}

// Takes selector.
static int add_service(struct maker *maker, const char *name, json_t *selector, int port)
{
    return add(maker, &(struct part){
                          .kind = KUBE_SERVICE,
                          .name_space = maker->config->ui.name_space,
                          .name = name,
                          .app = name,
                          .body = json_pack("{s:{s:s, s:o, s:[{s:s, s:s, s:i, s:i}]}}", "spec",
                                            "type", "ClusterIP", "selector", selector, "ports",
                                            "name", DESIRED_PORT_NAME, "protocol", "TCP", "port",
                                            port, "targetPort", port),
                      });
}

// https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
static int make_services(struct maker *maker)
{
    int r = add_service(maker, DESIRED_UI_NAME,
                        json_pack("{s:s}", DESIRED_LABEL_NAME, DESIRED_UI_NAME), DESIRED_UI_PORT);
    return r < 0 ? r : add_service(maker, DESIRED_API_NAME, json_object(), WORLD_REGISTRY_PORT);
}

static int make_endpoints(struct maker *maker)
{
    const char *address = maker->ipv4 != NULL ? maker->ipv4 : maker->ipv6;
    if (address == NULL) {
        return 0;
    }
    return add(maker,
               &(struct part){
                   .kind = KUBE_ENDPOINTS,
                   .name_space = maker->config->ui.name_space,
                   .name = DESIRED_API_NAME,
                   .app = DESIRED_API_NAME,
                   .body = json_pack("{s:[{s:[{s:s}], s:[{s:s, s:i, s:s}]}]}", "subsets",
                                     "addresses", "ip", address, "ports", "name", DESIRED_PORT_NAME,
                                     "port", WORLD_REGISTRY_PORT, "protocol", "TCP"),
               });
}

static int add_slice(struct maker *maker, const char *name, const char *type, const char *address)
{
    if (address == NULL) {
        return 0;
    }
    json_t *labels = json_pack("{s:s, s:s}", LABEL_SERVICE_NAME, DESIRED_API_NAME,
                               LABEL_SLICE_MANAGED_BY, WORLD_MANAGED_BY);
    if (labels == NULL) {
        return -ENOMEM;
    }
    return add(maker,
               &(struct part){
                   .kind = KUBE_ENDPOINT_SLICE,
                   .name_space = maker->config->ui.name_space,
                   .name = name,
                   .app = DESIRED_API_NAME,
                   .labels = labels,
                   .body = json_pack("{s:s, s:[{s:[s], s:{s:b}}], s:[{s:s, s:i, s:s}]}",
                                     "addressType", type, "endpoints", "addresses", address,
                                     "conditions", "ready", 1, "ports", "name", DESIRED_PORT_NAME,
                                     "port", WORLD_REGISTRY_PORT, "protocol", "TCP"),
               });
}

static int make_slices(struct maker *maker)
{
    int r = add_slice(maker, DESIRED_API_NAME, "IPv4", maker->ipv4);
    return r < 0 ? r : add_slice(maker, DESIRED_API_NAME_IPV6, "IPv6", maker->ipv6);
}

// Without a rule host, so that 127.0.0.1 and a LAN name meet it as localhost does. Takes
// annotations, which may be NULL.
static int add_ingress(struct maker *maker, const char *name, json_t *annotations, const char *path,
                       const char *path_type)
{
    const struct config_ui *ui = &maker->config->ui;
    return add(maker,
               &(struct part){
                   .kind = KUBE_INGRESS,
                   .name_space = ui->name_space,
                   .name = name,
                   .app = name,
                   .annotations = annotations,
                   .body = json_pack("{s:{s:s, s:[{s:{s:[{s:s, s:s, s:{s:{s:s, s:{s:s}}}}]}}]}}",
                                     "spec", "ingressClassName", ui->ingress_class, "rules", "http",
                                     "paths", "path", path, "pathType", path_type, "backend",
                                     "service", "name", name, "port", "name", DESIRED_PORT_NAME),
               });
}

// The path without its last '/', as a regular expression. NULL: out of memory.
static char *path_pattern(const char *path)
{
    char *pattern = malloc(2 * strlen(path) + 1);
    if (pattern == NULL) {
        return NULL;
    }
    char *out = pattern;
    for (const char *in = path; in[0] != '\0' && in[1] != '\0'; in++) {
        if (strchr(".+*?()[]{}^$|\\", *in) != NULL) {
            *out++ = '\\';
        }
        *out++ = *in;
    }
    *out = '\0';
    return pattern;
}

// The UI below ui.path, which it does not know of: the controller takes the path off.
// https://kubernetes.github.io/ingress-nginx/examples/rewrite/
static int make_ingress_ui(struct maker *maker)
{
    const char *path = maker->config->ui.path;
    if (str_equal(path, "/")) {
        return add_ingress(maker, DESIRED_UI_NAME, NULL, path, "Prefix");
    }
    _cleanup_free_ char *pattern = path_pattern(path);
    if (pattern == NULL) {
        return -ENOMEM;
    }
    _cleanup_free_ char *regex = str_printf("%s(/|$)(.*)", pattern);
    json_t *annotations =
        json_pack("{s:s, s:s}", NGINX("use-regex"), "true", NGINX("rewrite-target"), "/$2");
    if (regex == NULL || annotations == NULL) {
        json_decref(annotations);
        return -ENOMEM;
    }
    return add_ingress(maker, DESIRED_UI_NAME, annotations, regex, "ImplementationSpecific");
}

// An object of its own, for a rewrite concerns every path of an Ingress.
static int make_ingress_api(struct maker *maker)
{
    json_t *annotations =
        json_pack("{s:s, s:s, s:s, s:s}", NGINX("proxy-body-size"), "0",
                  NGINX("proxy-request-buffering"), "off", NGINX("proxy-read-timeout"),
                  TRANSFER_TIMEOUT, NGINX("proxy-send-timeout"), TRANSFER_TIMEOUT);
    return annotations == NULL
               ? -ENOMEM
               : add_ingress(maker, DESIRED_API_NAME, annotations, API_PATH, "Prefix");
}

int desired_objects(const struct config *config, const struct world_apis *apis, const char *ipv4,
                    const char *ipv6, struct desired_object **ret, size_t *ret_count,
                    struct error *err)
{
    // In the order of enum kube_kind.
    const struct {
        int (*make)(struct maker *maker);
        bool wanted;
    } steps[] = {
        {make_namespace, config->ui.enabled},
        {make_hosting, true},
        {make_deployment, config->ui.enabled},
        {make_services, config->ui.enabled},
        {make_endpoints, config->ui.enabled && !apis->endpoint_slice_v1},
        {make_slices, config->ui.enabled && apis->endpoint_slice_v1},
        {make_ingress_ui, config->ui.enabled},
        {make_ingress_api, config->ui.enabled},
    };
    struct maker maker = {.config = config, .ipv4 = ipv4, .ipv6 = ipv6};
    maker.objects = calloc(OBJECT_MAX, sizeof(*maker.objects));
    if (maker.objects == NULL) {
        return error_oom(err);
    }
    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        int r = steps[i].wanted ? steps[i].make(&maker) : 0;
        if (r < 0) {
            desired_objects_free(maker.objects, maker.count);
            return r == -ENOMEM ? error_oom(err)
                                : error_set(err, ERROR_PERMANENT, -r,
                                            "the objects for Kubernetes are too large");
        }
    }
    *ret = maker.objects;
    *ret_count = maker.count;
    return 0;
}

void desired_objects_free(struct desired_object *objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(objects[i].object);
    }
    free(objects);
}
