// One look at a cluster: a list by label of each managed kind and the ingress class, a few at a
// time, then a GET of each desired object that no list had (absent, or not ours), the endpoints
// last, then, only where they tell why something is not ready, the UI's pods, and before the
// namespace is deleted what else lives in it.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <string.h>

// So many lists at a time: more would save little, each answer takes the server about a
// millisecond, and each further connection costs both sides a TLS handshake and its memory.
#define LISTS_AT_ONCE 2

struct cluster_look {
    struct real_backend *backend;
    const struct plan_input *input;
    struct cluster_client *client;
    char *cluster;
    observe_done_fn done;
    void *ctx;
    struct world_cluster *world;
    unsigned listed; // kinds that were asked for, in their order; the ingress class is the last
    unsigned pending;
    struct error error;
    void (*next)(struct cluster_look *look); // after the requests under way
};

// One request of a step: each kind has its own way to take the answer in.
struct look_request {
    struct cluster_look *look;
    enum kube_kind kind;
};

static void cluster_look_free(struct cluster_look *look)
{
    if (look == NULL) {
        return;
    }
    world_cluster_free(look->world);
    free(look->cluster);
    free(look);
}
DEFINE_CLEANUP(struct cluster_look *, cluster_look_free)

static void look_end(struct cluster_look *look, const struct error *err)
{
    if (err != NULL && look->client != NULL) {
        cluster_client_failed(look->client, err);
    }
    struct observation observation = {.cluster = err == NULL ? TAKE_PTR(look->world) : NULL};
    look->done(look->ctx, &observation, err);
    world_cluster_free(observation.cluster);
    cluster_look_free(look);
}

static void look_note(struct cluster_look *look, const struct error *err)
{
    if (look->error.kind == ERROR_NONE) {
        look->error = *err;
    }
}

// Goes on when nothing (more) is under way.
static void look_joined(struct cluster_look *look)
{
    if (look->pending > 0) {
        return;
    }
    if (look->error.kind != ERROR_NONE) {
        look_end(look, &look->error);
    } else {
        look->next(look);
    }
}

static void request_end(struct look_request *request, const struct error *err)
{
    struct cluster_look *look = request->look;
    if (err != NULL) {
        look_note(look, err);
    }
    free(request);
    look->pending--;
    look_joined(look);
}

// Starts a list (selector given) or a get; what refuses to start is noted like what fails later.
static void ask(struct cluster_look *look, enum kube_kind kind, const char *path,
                const char *selector, struct json_memo *memo, kube_done_fn done)
{
    struct error error = {0};
    struct look_request *request = malloc(sizeof(*request));
    if (request == NULL || path == NULL) {
        free(request);
        (void)error_oom(&error);
        look_note(look, &error);
        return;
    }
    *request = (struct look_request){look, kind};
    struct kube *kube = look->client->kube;
    int r = selector != NULL ? kube_list(kube, path, selector, memo, done, request, &error)
                             : kube_get(kube, path, memo, done, request, &error);
    if (r < 0) {
        free(request);
        look_note(look, &error);
    } else {
        look->pending++;
    }
}

static bool is_served(const struct world_apis *apis, enum kube_kind kind)
{
    return (kind != KUBE_ENDPOINT_SLICE || apis->endpoint_slice_v1) &&
           (kind != KUBE_INGRESS || apis->ingress_v1);
}

static const struct world_object *own_namespace(const struct cluster_look *look)
{
    const char *name = look->input->config->ui.name_space;
    const struct world_object *object =
        world_cluster_object(look->world, KUBE_NAMESPACE, NULL, name);
    return object != NULL && object->owned ? object : NULL;
}

static void on_residents(void *ctx, const char *resident, const char *doubt,
                         const struct error *err)
{
    struct cluster_look *look = ctx;
    struct error error = {0};
    if (err == NULL && (str_replace(&look->world->resident, resident) < 0 ||
                        str_replace(&look->world->resident_doubt, doubt) < 0)) {
        (void)error_oom(&error);
        err = &error;
    }
    look_end(look, err);
}

// A namespace takes with it all that lives in it.
static void look_for_residents(struct cluster_look *look)
{
    const struct config_ui *ui = &look->input->config->ui;
    if ((look->input->wanted && ui->enabled) || own_namespace(look) == NULL) {
        look_end(look, NULL);
        return;
    }
    struct error error = {0};
    if (observe_residents(look->client->kube, ui->name_space, on_residents, look, &error) < 0) {
        look_end(look, &error);
    }
}

static void on_pods(void *ctx, json_t *answer, const struct error *err)
{
    struct look_request *request = ctx;
    struct error error = {0};
    if (err == NULL && world_pod_reason(answer, &request->look->world->pod_reason) < 0) {
        (void)error_oom(&error);
        err = &error;
    }
    request_end(request, err);
}

// A rollout that is stuck still has its old pods ready.
static bool is_deployment_waiting(const struct cluster_look *look)
{
    const struct config_ui *ui = &look->input->config->ui;
    const struct world_object *object =
        world_cluster_object(look->world, KUBE_DEPLOYMENT, ui->name_space, DESIRED_UI_NAME);
    return ui->enabled && object != NULL && object->owned &&
           (json_get_int(object->object, 0, "status", "readyReplicas", NULL) < ui->replicas ||
            json_get_int(object->object, 0, "status", "updatedReplicas", NULL) < ui->replicas);
}

static void look_at_pods(struct cluster_look *look)
{
    look->next = look_for_residents;
    if (is_deployment_waiting(look)) {
        _cleanup_free_ char *path =
            str_printf("/api/v1/namespaces/%s/pods", look->input->config->ui.name_space);
        ask(look, _KUBE_KIND_COUNT, path, WORLD_OWN_SELECTOR, NULL, on_pods);
    }
    look_joined(look);
}

static void on_object(void *ctx, json_t *answer, const struct error *err)
{
    struct look_request *request = ctx;
    struct error error = {0};
    if (answer != NULL &&
        world_cluster_add(request->look->world, request->kind, answer, &error) < 0) {
        err = &error;
    }
    request_end(request, err);
}

static void ask_if_unlisted(struct cluster_look *look, const struct desired_ref *desired)
{
    if (world_cluster_object(look->world, desired->kind, desired->name_space, desired->name) ==
        NULL) {
        _cleanup_free_ char *path = NULL;
        (void)kube_kind_path(desired->kind, desired->name_space, desired->name, &path);
        ask(look, desired->kind, path, NULL, NULL, on_object);
    }
}

// Which endpoints they are is decided by the Service.
static void look_at_endpoints(struct cluster_look *look)
{
    const struct config *config = look->input->config;
    struct desired_address address =
        desired_registry_address(config, look->input->engine, look->world);
    look->next = look_at_pods;
    if (config->ui.enabled && address.text != NULL) {
        struct desired_ref desired =
            desired_endpoints_ref(config, &look->world->apis, address.ipv6);
        ask_if_unlisted(look, &desired);
    }
    look_joined(look);
}

static void look_at_unlisted(struct cluster_look *look)
{
    const struct desired_address none = {0};
    struct desired_ref desired[DESIRED_OBJECTS_MAX];
    size_t count = desired_refs(look->input->config, &look->world->apis, &none, desired);
    look->next = look_at_endpoints;
    for (size_t i = 0; i < count; i++) {
        ask_if_unlisted(look, &desired[i]);
    }
    look_joined(look);
}

static void list_next(struct cluster_look *look);

static void list_end(struct look_request *request, const struct error *err)
{
    if (err == NULL && request->look->error.kind == ERROR_NONE) {
        list_next(request->look);
    }
    request_end(request, err);
}

static void on_list(void *ctx, json_t *answer, const struct error *err)
{
    struct look_request *request = ctx;
    struct error error = {0};
    if (err == NULL &&
        world_cluster_add_list(request->look->world, request->kind, answer, &error) < 0) {
        err = &error;
    }
    list_end(request, err);
}

static void on_ingress_class(void *ctx, json_t *answer, const struct error *err)
{
    struct look_request *request = ctx;
    request->look->world->ingress_class_present = answer != NULL;
    list_end(request, err);
}

static void list_next(struct cluster_look *look)
{
    const struct world_apis *apis = &look->world->apis;
    _cleanup_free_ char *path = NULL;
    while (look->listed < _KUBE_KIND_COUNT && !is_served(apis, look->listed)) {
        look->listed++;
    }
    if (look->listed < _KUBE_KIND_COUNT) {
        (void)kube_kind_path(look->listed, NULL, NULL, &path);
        ask(look, look->listed, path, WORLD_OWN_SELECTOR, &look->client->lists[look->listed],
            on_list);
    } else if (look->listed == _KUBE_KIND_COUNT && apis->ingress_v1) {
        path = str_printf("/apis/networking.k8s.io/v1/ingressclasses/%s",
                          look->input->config->ui.ingress_class);
        ask(look, _KUBE_KIND_COUNT, path, NULL, &look->client->ingress_class, on_ingress_class);
    }
    look->listed++;
}

// Fills in what the client's APIs decide and sends the lists. Returns < 0 when none was sent.
static int look_start(struct cluster_look *look, struct cluster_client *client, struct error *err)
{
    look->client = client;
    look->world->apis = client->apis;
    look->next = look_at_unlisted;
    for (unsigned i = 0; i < LISTS_AT_ONCE; i++) {
        list_next(look);
    }
    if (look->pending == 0) {
        if (err != NULL) {
            *err = look->error;
        }
        return -look->error.code;
    }
    return 0;
}

static void on_client(void *ctx, struct cluster_client *client, const struct error *err)
{
    struct cluster_look *look = ctx;
    struct error error = {0};
    if (err == NULL && look_start(look, client, &error) < 0) {
        err = &error;
    }
    if (err != NULL) {
        look_end(look, err);
    }
}

int observe_cluster(struct real_backend *backend, const char *cluster,
                    const struct plan_input *input, observe_done_fn done, void *ctx,
                    struct error *err)
{
    _cleanup_(cluster_look_freep) struct cluster_look *look = calloc(1, sizeof(*look));
    if (look == NULL) {
        return error_oom(err);
    }
    *look = (struct cluster_look){
        .backend = backend, .input = input, .done = done, .ctx = ctx, .cluster = str_dup(cluster)};
    look->world = calloc(1, sizeof(*look->world));
    if (look->cluster == NULL || look->world == NULL) {
        return error_oom(err);
    }
    struct cluster_client *client = NULL;
    int r = cluster_client_current(backend, cluster, input, &client, err);
    if (r >= 0) {
        r = client != NULL ? look_start(look, client, err)
                           : cluster_client_get(backend, cluster, input, on_client, look, err);
    }
    if (r < 0) {
        return r;
    }
    TAKE_PTR(look);
    return 0;
}
