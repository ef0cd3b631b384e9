#include "tests/support/sim_kube.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INGRESS_CLASS "nginx"

struct sim_kube {
    struct sim_http *http;
    char *address;
    bool endpoint_slices;
    struct model_cluster *model;
    unsigned version; // of the latest change
};

// A path taken apart: PREFIX[/namespaces/NAMESPACE]/PLURAL[/NAME].
struct place {
    const struct kube_kind_info *info; // NULL: of no managed kind
    enum kube_kind kind;
    const char *name_space;
    const char *name;
};

// ---- the watches ----

static void tell(struct sim_kube *kube, enum kube_kind kind, const char *type)
{
    if (sim_http_streams(kube->http) == 0) {
        return;
    }
    _cleanup_free_ char *line =
        str_printf("GET %s/%s?", kube_kinds[kind].prefix, kube_kinds[kind].plural);
    _cleanup_free_ char *event =
        str_printf("{\"type\":\"%s\",\"object\":{\"metadata\":{\"resourceVersion\":\"%06u\"}}}\n",
                   type, kube->version);
    assert_non_null(line);
    assert_non_null(event);
    sim_http_tell(kube->http, kube, line, event);
}

void sim_kube_tell_all(struct sim_kube *kube)
{
    kube->version++;
    for (enum kube_kind kind = 0; kind < _KUBE_KIND_COUNT; kind++) {
        tell(kube, kind, "MODIFIED");
    }
}

void sim_kube_expire(struct sim_kube *kube)
{
    sim_http_tell(kube->http, kube, "GET ",
                  "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
                  "\"message\":\"too old resource version\"}}\n");
}

// ---- requests ----

// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
static void refuse(struct sim_exchange *x, int status, const char *reason)
{
    sim_exchange_answer(x, status,
                        json_pack("{s:s, s:s, s:s, s:s, s:i}", "kind", "Status", "status",
                                  "Failure", "reason", reason, "message", reason, "code", status));
}

static void groups(const struct sim_kube *kube, struct sim_exchange *x)
{
    static const char *const served[] = {"apps/v1", "networking.k8s.io/v1", "discovery.k8s.io/v1"};
    json_t *list = json_array();
    for (size_t i = 0; i < ELEMENTS(served) - !kube->endpoint_slices; i++) {
        json_array_append_new(list,
                              json_pack("{s:[{s:s}]}", "versions", "groupVersion", served[i]));
    }
    sim_exchange_answer(x, 200, json_pack("{s:o}", "groups", list));
}

// Whether path is that of a group's version; then its resources.
static bool resources(const struct sim_kube *kube, struct sim_exchange *x)
{
    bool known = false;
    json_t *list = json_array();
    for (enum kube_kind kind = 0; kind < _KUBE_KIND_COUNT; kind++) {
        const struct kube_kind_info *info = &kube_kinds[kind];
        if (str_equal(info->prefix, x->path) &&
            (kind != KUBE_ENDPOINT_SLICE || kube->endpoint_slices)) {
            known = true;
            json_array_append_new(list, json_pack("{s:s, s:b, s:[s]}", "name", info->plural,
                                                  "namespaced", info->namespaced, "verbs", "list"));
        }
    }
    if (known) {
        sim_exchange_answer(x, 200, json_pack("{s:O}", "resources", list));
    }
    json_decref(list);
    return known;
}

static json_t *find(const struct sim_kube *kube, const struct place *place)
{
    for (size_t i = 0; i < model_cluster_count(kube->model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        json_t *object = model_cluster_at(kube->model, i, &kind);
        if (kind == place->kind &&
            str_equal(json_get_string(object, "metadata", "name", NULL), place->name) &&
            str_equal(json_get_string(object, "metadata", "namespace", NULL), place->name_space)) {
            return object;
        }
    }
    return NULL;
}

// selector is "KEY=VALUE", "KEY!=VALUE", or NULL for all.
static bool is_selected(const json_t *object, const char *selector)
{
    if (selector == NULL) {
        return true;
    }
    size_t length = strcspn(selector, "!=");
    bool negated = selector[length] == '!';
    const char *wanted = selector + length + (negated ? 2 : 1);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach (json_get_object(object, "metadata", "labels", NULL), key, value) {
        if (strncmp(key, selector, length) == 0 && key[length] == '\0') {
            return str_equal(json_string_value(value), wanted) != negated;
        }
    }
    return negated;
}

static json_t *selected(const struct sim_kube *kube, const struct place *place,
                        const char *selector)
{
    json_t *items = json_array();
    for (size_t i = 0; i < model_cluster_count(kube->model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        json_t *object = model_cluster_at(kube->model, i, &kind);
        const char *name_space = json_get_string(object, "metadata", "namespace", NULL);
        if (kind == place->kind && is_selected(object, selector) &&
            (place->name_space == NULL || str_equal(place->name_space, name_space))) {
            json_array_append(items, object);
        }
    }
    return items;
}

static void list(struct sim_kube *kube, struct sim_exchange *x, const struct place *place)
{
    _cleanup_free_ char *selector = sim_exchange_query(x, "labelSelector");
    json_t *items = place->info == NULL ? json_array() : selected(kube, place, selector);
    sim_exchange_answer(x, 200, json_pack("{s:o}", "items", items));
}

static void get(struct sim_kube *kube, struct sim_exchange *x, const struct place *place)
{
    json_t *object = find(kube, place);
    if (object == NULL) {
        refuse(x, 404, "NotFound");
    } else {
        sim_exchange_answer(x, 200, json_incref(object));
    }
}

// The answer is shorter than a real one: the program does not read it.
static void changed(struct sim_kube *kube, struct sim_exchange *x, const struct place *place,
                    const char *type)
{
    kube->version++;
    model_cluster_settle(kube->model);
    tell(kube, place->kind, type);
    sim_exchange_answer(x, 200, json_pack("{s:s}", "kind", place->info->kind));
}

static void apply(struct sim_kube *kube, struct sim_exchange *x, const struct place *place)
{
    assert_string_equal(x->query, "fieldManager=" WORLD_MANAGED_BY "&force=true");
    json_auto_t *body = sim_exchange_json(x);
    assert_string_equal(json_get_string(body, "metadata", "name", NULL), place->name);
    assert_true(str_equal(json_get_string(body, "metadata", "namespace", NULL), place->name_space));
    json_auto_t *before = json_incref(find(kube, place));
    struct action action = {
        .type = ACTION_OBJECT_APPLY,
        .kind = place->kind,
        .name_space = (char *)(uintptr_t)place->name_space,
        .name = (char *)(uintptr_t)place->name,
        .body = body,
    };
    int r = model_cluster_act(kube->model, &action);
    if (r < 0) {
        refuse(x, r == -ENOENT ? 404 : 422, r == -ENOENT ? "NotFound" : "Invalid");
    } else {
        changed(kube, x, place, before == NULL ? "ADDED" : "MODIFIED");
    }
}

static void delete_one(struct sim_kube *kube, struct sim_exchange *x, const struct place *place)
{
    json_auto_t *options = sim_exchange_json(x);
    const json_t *object = find(kube, place);
    const char *uid = json_get_string(options, "preconditions", "uid", NULL);
    if (object == NULL) {
        refuse(x, 404, "NotFound");
        return;
    }
    struct action action = {
        .type = ACTION_OBJECT_DELETE,
        .kind = place->kind,
        .name_space = (char *)(uintptr_t)place->name_space,
        .name = (char *)(uintptr_t)place->name,
        .uid = (char *)(uintptr_t)uid,
    };
    if (model_cluster_act(kube->model, &action) < 0) {
        refuse(x, 409, "Conflict");
    } else {
        changed(kube, x, place, "DELETED");
    }
}

// Cuts path into the place's strings.
static void take_apart(char *path, struct place *ret)
{
    *ret = (struct place){.kind = _KUBE_KIND_COUNT};
    bool core = str_starts_with(path, "/api/v1/");
    char *rest = path + strlen("/api/v1/");
    if (!core) {
        assert_true(str_starts_with(path, "/apis/"));
        rest = strchr(strchr(path + strlen("/apis/"), '/') + 1, '/') + 1;
    }
    rest[-1] = '\0';
    char *parts[4] = {0};
    size_t count = 0;
    char *state = NULL;
    for (char *part = strtok_r(rest, "/", &state); part != NULL;
         part = strtok_r(NULL, "/", &state)) {
        assert_true(count < ELEMENTS(parts));
        parts[count++] = part;
    }
    size_t at = 0;
    if (count > 2) {
        assert_string_equal(parts[0], "namespaces");
        ret->name_space = parts[1];
        at = 2;
    }
    ret->name = parts[at + 1 < ELEMENTS(parts) ? at + 1 : at];
    for (enum kube_kind kind = 0; kind < _KUBE_KIND_COUNT; kind++) {
        if (str_equal(kube_kinds[kind].prefix, path) &&
            str_equal(kube_kinds[kind].plural, parts[at])) {
            ret->info = &kube_kinds[kind];
            ret->kind = kind;
        }
    }
    if (str_equal(parts[at], "ingressclasses")) {
        ret->kind = KUBE_INGRESS;
    }
}

static void serve_object(struct sim_kube *kube, struct sim_exchange *x, const struct place *place)
{
    if (place->info == NULL) {
        if (place->kind == KUBE_INGRESS && str_equal(place->name, INGRESS_CLASS)) {
            sim_exchange_answer(x, 200, json_object());
        } else {
            refuse(x, 404, "NotFound");
        }
    } else if (x->request->method == HTTP_PATCH) {
        apply(kube, x, place);
    } else if (x->request->method == HTTP_DELETE) {
        delete_one(kube, x, place);
    } else {
        assert_int_equal(x->request->method, HTTP_GET);
        get(kube, x, place);
    }
}

static void serve(void *ctx, const struct sim_request *request, struct sim_reply *reply)
{
    struct sim_kube *kube = ctx;
    struct sim_exchange x;
    struct place place;
    sim_exchange_begin(&x, request, reply);
    if (str_equal(x.path, "/apis")) {
        groups(kube, &x);
        sim_exchange_end(&x);
        return;
    }
    if (resources(kube, &x)) {
        sim_exchange_end(&x);
        return;
    }
    take_apart(x.path, &place);
    _cleanup_free_ char *watches = sim_exchange_query(&x, "watch");
    if (place.kind == KUBE_ENDPOINT_SLICE && !kube->endpoint_slices) {
        refuse(&x, 404, "NotFound");
    } else if (place.name != NULL) {
        serve_object(kube, &x, &place);
    } else if (watches != NULL) {
        reply->status = 200;
        reply->is_stream = true;
    } else {
        list(kube, &x, &place);
    }
    sim_exchange_end(&x);
}

struct sim_kube *sim_kube_new(struct sim_http *http, uint16_t port, bool endpoint_slices)
{
    struct sim_kube *kube = calloc(1, sizeof(*kube));
    assert_non_null(kube);
    *kube = (struct sim_kube){
        .http = http,
        .address = str_printf("https://127.0.0.1:%u", port),
        .endpoint_slices = endpoint_slices,
        .model = model_cluster_new(false),
    };
    assert_non_null(kube->address);
    sim_kube_listen(kube, true);
    return kube;
}

void sim_kube_free(struct sim_kube *kube)
{
    sim_kube_listen(kube, false);
    model_cluster_free(kube->model);
    free(kube->address);
    free(kube);
}

void sim_kube_listen(struct sim_kube *kube, bool on)
{
    sim_http_serve(kube->http, kube->address, serve, on ? kube : NULL);
}

struct model_cluster *sim_kube_model(struct sim_kube *kube)
{
    return kube->model;
}
