#include "tests/support/object_rig.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/object/plan.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX ((size_t)1024 * 1024)
#define PREFIX "kube/dev/"

json_t *object_fixture(const char *name)
{
    _cleanup_free_ char *path = str_printf("kube/%s.json", name);
    return json_of(path);
}

void object_rig_connect(struct object_rig *rig)
{
    const struct kube_credentials credentials = {.server = (char[]){"https://127.0.0.1:6443"}};
    struct object_memory *memory = object_memory_get(&rig->memory);
    str_replace(&memory->source, "c0ffee 127.0.0.1:6443");
    memory->connected_ms = rig->io.now_ms;
    api_free(memory->kube);
    assert_int_equal(kube_new(rig->io.transport, &credentials, 1000, NULL, &memory->kube, NULL), 0);
}

// The path of an object of the server's that was recorded.
static void put(struct object_rig *rig, const struct object_api *api, json_t *item)
{
    _cleanup_(object_current_freep) struct object_current *paths = object_current_new("dev");
    const struct object *object = object_current_get(
        paths, api, api->namespaced ? json_get_string(item, "metadata", "namespace", NULL) : NULL,
        json_get_string(item, "metadata", "name", NULL));
    json_object_set(rig->server, object->path, item);
}

static void init_server(struct object_rig *rig)
{
    static const char *const recorded[] = {"Namespace", "ConfigMap",     "Deployment",
                                           "Service",   "EndpointSlice", "Ingress"};
    rig->server = json_object();
    for (size_t kind = 0; kind < ELEMENTS(recorded); kind++) {
        const struct object_api *api = object_api(recorded[kind]);
        _cleanup_free_ char *name = str_printf("1.36.2/%s", api->plural);
        json_auto_t *list = object_fixture(name);
        size_t i = 0;
        json_t *item = NULL;
        json_array_foreach (json_object_get(list, "items"), i, item) {
            put(rig, api, item);
        }
    }
    json_auto_t *class = object_fixture("1.36.2/ingressclass");
    put(rig, object_api("IngressClass"), class);
    json_object_set_new(rig->server, "/apis", object_fixture("1.36.2/groups"));
    object_rig_have(rig, "Deployment/hostk8s/registry-ui",
                    "{'status':{'observedGeneration':99,'replicas':1,'updatedReplicas':1,"
                    "'availableReplicas':1}}");
}

static void init(struct object_rig *rig)
{
    *rig = (struct object_rig){
        .config = sample_config(),
        .node = {.id = "c0ffee", .name = "dev-control-plane", .cluster = "dev", .running = true},
        .api = {.cluster = "dev", .host_address = "127.0.0.1", .host_port = 6443},
        .fake = fake_transport_new(),
        .worker = scripted_worker_new(),
    };
    sample_set(&rig->config->ui.image, "joxit/docker-registry-ui:2");
    rig->engine = (struct engine){.about = {.host = "unix:///missing/docker.sock"},
                                  .nodes = &rig->node,
                                  .node_count = 1,
                                  .apis = &rig->api,
                                  .api_count = 1,
                                  .registry_ipv4 = "172.18.0.4"};
    rig->input = (struct input){
        .config = rig->config, .engine = &rig->engine, .name = "dev", .desired = true};
    rig->io = (struct io){
        .transport = fake_transport_http(rig->fake), .worker = &rig->worker->base, .now_ms = 1000};
    init_server(rig);
    object_rig_connect(rig);
}

static void done(struct object_rig *rig)
{
    object_kind.invalidate(&rig->io, &rig->memory);
    docker_free(rig->io.docker);
    (void)fake_transport_run(rig->fake);
    fake_transport_free(rig->fake);
    scripted_worker_free(rig->worker);
    object_rig_clear_rules(rig);
    plan_done(&rig->plan);
    object_current_free(rig->current);
    json_decref(rig->server);
    config_free(rig->config);
}

int object_rig_setup(void **state)
{
    struct object_rig *rig = xcalloc(1, sizeof(*rig));
    init(rig);
    *state = rig;
    return 0;
}

int object_rig_teardown(void **state)
{
    done(*state);
    free(*state);
    return 0;
}

void object_rig_reset(struct object_rig *rig)
{
    done(rig);
    init(rig);
}

// ---- the server ----

// "KIND/NAMESPACE/NAME" or "KIND/NAME".
static char *path_of(const char *resource)
{
    _cleanup_(object_current_freep) struct object_current *paths = object_current_new("dev");
    _cleanup_free_ char *copy = str_dup(resource);
    char *name = copy;
    const struct object_api *api = object_api(strsep(&name, "/"));
    const char *space = api->namespaced ? strsep(&name, "/") : NULL;
    return str_dup(object_current_get(paths, api, space, name)->path);
}

static void drop_nulls(json_t *json)
{
    const char *key = NULL;
    void *next = NULL;
    json_t *value = NULL;
    json_object_foreach_safe(json, next, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(json, key);
        } else {
            drop_nulls(value);
        }
    }
}

// Steals json.
static void change(json_t *server, const char *key, json_t *json, const char *text)
{
    json_auto_t *value = json_of(text);
    json_object_update_recursive(json, value);
    drop_nulls(json);
    json_object_set_new(server, key, json);
}

void object_rig_have(struct object_rig *rig, const char *resource, const char *text)
{
    _cleanup_free_ char *path = path_of(resource);
    const json_t *before = json_object_get(rig->server, path);
    const char *name = strrchr(resource, '/') + 1;
    const char *space = strchr(resource, '/') + 1;
    if (text == NULL) {
        json_object_del(rig->server, path);
    } else if (before != NULL) {
        change(rig->server, path, json_deep_copy(before), text);
    } else {
        change(rig->server, path,
               json_pack("{s:{s:s, s:s%}}", "metadata", "name", name, "namespace", space,
                         strcspn(space, "/")),
               text);
    }
}

void object_rig_have_merged(struct object_rig *rig, const char *resource, const char *text)
{
    _cleanup_free_ char *path = path_of(resource);
    _cleanup_free_ char *key = str_printf("+%s", path);
    change(rig->server, key, json_deep_copy(json_object_get(rig->server, path)), text);
}

void object_rig_clear_rules(struct object_rig *rig)
{
    while (rig->rule_count > 0) {
        free(rig->rules[--rig->rule_count].body);
        free(rig->rules[rig->rule_count].request);
    }
}

void object_rig_rule(struct object_rig *rig, const char *request, int status, const char *body)
{
    assert_true(rig->rule_count < OBJECT_RIG_RULES_MAX);
    rig->rules[rig->rule_count].request = str_dup(request);
    rig->rules[rig->rule_count].status = status;
    rig->rules[rig->rule_count++].body = str_dup(body);
}

// The objects of a kind that its selector, "LABEL=VALUE", selects.
static json_t *list_of(const struct object_rig *rig, const char *plural)
{
    const struct object_api *api = object_apis;
    while (!str_equal(api->plural, plural)) {
        api++;
    }
    const char *value = strchr(api->selector, '=') + 1;
    _cleanup_free_ char *label = str_dup_n(api->selector, (size_t)(value - 1 - api->selector));
    _cleanup_free_ char *part = str_printf("/%s/", plural);
    json_t *items = json_array();
    const char *path = NULL;
    json_t *item = NULL;
    json_object_foreach (rig->server, path, item) {
        const char *at = strstr(path, part);
        if (path[0] == '/' && at != NULL && strchr(at + strlen(part), '/') == NULL &&
            str_equal(json_get_string(item, "metadata", "labels", label, NULL), value)) {
            json_array_append(items, item);
        }
    }
    return json_pack("{s:o}", "items", items);
}

// NULL when there is none.
static json_t *answer_to(const struct object_rig *rig, const struct fake_request *request)
{
    _cleanup_free_ char *path = str_dup_n(request->path, strcspn(request->path, "?"));
    _cleanup_free_ char *merged = str_printf("+%s", path);
    if (str_ends_with(path, "/pods")) {
        return object_fixture("1.36.2/pods");
    }
    if (strstr(request->path, "labelSelector") != NULL) {
        return list_of(rig, strrchr(path, '/') + 1);
    }
    json_t *found = json_object_get(rig->server, request->method == HTTP_PATCH ? merged : path);
    return json_incref(found == NULL ? json_object_get(rig->server, path) : found);
}

static void reply(struct object_rig *rig, const struct fake_request *request)
{
    static const char missing[] = "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}";
    _cleanup_free_ char *line =
        str_printf("%s %s", http_method_name(request->method), request->path);
    for (size_t i = rig->rule_count; i-- > 0;) {
        if (strstr(line, rig->rules[i].request) != NULL) {
            if (rig->rules[i].status == 0) {
                fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
            } else {
                fake_transport_reply(rig->fake, rig->rules[i].status, rig->rules[i].body);
            }
            return;
        }
    }
    json_auto_t *answer = answer_to(rig, request);
    _cleanup_free_ char *body = answer == NULL ? str_dup(missing) : json_dumps(answer, 0);
    fake_transport_reply(rig->fake, answer == NULL ? 404 : 200, body);
}

void object_rig_serve_one(struct object_rig *rig)
{
    reply(rig, fake_transport_request(rig->fake, rig->served++));
    assert_true(fake_transport_advance(rig->fake));
}

void object_rig_serve(struct object_rig *rig)
{
    do {
        while (rig->served < fake_transport_count(rig->fake)) {
            const struct fake_request *request = fake_transport_request(rig->fake, rig->served++);
            if (!request->cancelled && !request->streamed) {
                reply(rig, request);
            }
        }
    } while (fake_transport_advance(rig->fake));
}

// ---- the kind ----

static void on_done(void *ctx, const struct error *err)
{
    struct object_rig *rig = ctx;
    rig->done++;
    rig->err = err == NULL ? (struct error){0} : *err;
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct object_rig *rig = ctx;
    assert_true((current == NULL) == (err != NULL));
    rig->current = current;
    on_done(rig, err);
}

static void on_dirty(void *ctx, const char *key)
{
    struct object_rig *rig = ctx;
    assert_string_equal(key, "cluster/dev");
    rig->dirty++;
}

int object_rig_begin_observe(struct object_rig *rig)
{
    object_current_free(TAKE_PTR(rig->current));
    rig->done = 0;
    int r = object_kind.observe(&rig->io, &rig->memory, &rig->input, on_observed, rig, &rig->err);
    assert_int_equal(rig->done, 0);
    return r;
}

int object_rig_begin_act(struct object_rig *rig, const struct action *action)
{
    rig->done = 0;
    int r = object_kind.act(&rig->io, &rig->memory, action, &rig->input, on_done, rig, &rig->err);
    assert_int_equal(rig->done, 0);
    return r;
}

int object_rig_begin_watch(struct object_rig *rig)
{
    rig->done = 0;
    rig->served = rig->logged = fake_transport_count(rig->fake);
    return object_kind.watch(&rig->io, &rig->memory, &rig->input, on_dirty, on_done, rig,
                             &rig->err);
}

void object_rig_observe(struct object_rig *rig)
{
    assert_int_equal(object_rig_begin_observe(rig), 0);
    object_rig_serve(rig);
    assert_int_equal(rig->done, 1);
}

void object_rig_act(struct object_rig *rig, const struct action *action)
{
    assert_int_equal(object_rig_begin_act(rig, action), 0);
    object_rig_serve(rig);
    assert_int_equal(rig->done, 1);
}

void object_rig_interrupt(struct object_rig *rig, bool invalidate)
{
    if (invalidate) {
        object_kind.invalidate(&rig->io, &rig->memory);
        assert_null(rig->memory);
    } else {
        object_kind.cancel(&rig->io, rig->memory, true);
    }
    assert_int_equal(rig->done, 0);
    rig->served = fake_transport_count(rig->fake);
    (void)fake_transport_run(rig->fake);
    (void)scripted_worker_run(rig->worker);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.code, ECANCELED);
}

struct object *object_rig_object(struct object_rig *rig, const char *resource)
{
    for (size_t i = 0; i < rig->current->count; i++) {
        if (str_equal(rig->current->objects[i]->resource + strlen(PREFIX), resource)) {
            return rig->current->objects[i];
        }
    }
    fail_msg("there is no %s", resource);
    abort();
}

// The last part of a path, or the last two.
static const char *tail_of(const char *path, bool two)
{
    const char *slash = strrchr(path, '/');
    return 1 + (two ? (const char *)memrchr(path, '/', (size_t)(slash - path)) : slash);
}

char *object_rig_requests(struct object_rig *rig)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    const char *row = NULL; // that the latest line is
    for (; rig->logged < fake_transport_count(rig->fake); rig->logged++) {
        const struct fake_request *request = fake_transport_request(rig->fake, rig->logged);
        _cleanup_free_ char *path = str_dup_n(request->path, strcspn(request->path, "?"));
        bool is_list = strstr(request->path, "?labelSelector=") != NULL;
        bool is_dry = strstr(request->path, "dryRun=All") != NULL;
        const char *verb = is_list                                   ? "LIST"
                           : is_dry && request->method == HTTP_PATCH ? "DRY"
                                                                     : NULL;
        (void)buf_append_str(&text, row != NULL && verb != row ? "\n" : "");
        if (verb != NULL) {
            (void)buf_printf(&text, "%s %s", verb == row ? "" : verb, tail_of(path, is_dry));
        } else {
            (void)buf_printf(&text, "%s %s%s\n", http_method_name(request->method), path,
                             is_dry ? " dry" : "");
        }
        row = verb;
    }
    (void)buf_append_str(&text, row != NULL ? "\n" : "");
    return buf_take(&text);
}

void object_rig_assert_requests(struct object_rig *rig, const char *expected)
{
    _cleanup_free_ char *text = object_rig_requests(rig);
    assert_string_equal(text, expected);
}

char *object_rig_plan(struct object_rig *rig)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    plan_done(&rig->plan);
    object_plan(&rig->input, rig->current, &rig->plan);
    for (size_t i = 0; i < rig->plan.action_count; i++) {
        const struct action *action = rig->plan.actions[i];
        assert_string_equal(action->cluster, "dev");
        (void)buf_printf(&text, "%s%s%s %s%s%s\n", action->part ? "+" : "",
                         action->destructive ? "!" : "", action->verb,
                         action->resource + strlen(PREFIX), action->needs == NULL ? "" : " < ",
                         action->needs == NULL ? "" : action->needs + strlen(PREFIX));
        for (size_t j = 0; j < action->field_count; j++) {
            const struct field_diff *field = &action->fields[j];
            (void)buf_printf(&text, "    %s: %s -> %s\n", field->path,
                             field->current == NULL ? "-" : field->current,
                             field->desired == NULL ? "-" : field->desired);
        }
    }
    for (size_t i = 0; i < rig->plan.condition_count; i++) {
        const struct condition *condition = &rig->plan.conditions[i];
        assert_string_equal(condition->cluster, "dev");
        if (condition->ready != READY_TRUE &&
            plan_first_action(&rig->plan, condition->resource) == NULL) {
            (void)buf_printf(&text, "%s %s %s: %s\n", condition->resource + strlen(PREFIX),
                             ready_name(condition->ready), reason_name(condition->reason),
                             condition->message);
        }
    }
    return buf_take(&text);
}
