#include "tests/support/object_rig.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/object/plan.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX ((size_t)1024 * 1024)
#define PREFIX "kube/dev/"

static void on_notice(void *ctx, const char *line)
{
    struct object_rig *rig = ctx;
    str_replace(&rig->notice, line);
}

static json_t *load(const char *name)
{
    _cleanup_free_ char *path = str_printf("%s/fixtures/kube/%s.json", TEST_DATA, name);
    return json_load_file(path, 0, NULL);
}

json_t *object_fixture(const char *name)
{
    json_t *value = load(name);
    assert_non_null(value);
    return value;
}

// Of a kind that was not recorded there is nothing.
static json_t *recorded_list(const struct object_api *api)
{
    _cleanup_free_ char *name = str_printf("1.36.2/%s", api->plural);
    json_t *list = load(name);
    return list == NULL ? json_pack("{s:[]}", "items") : list;
}

void object_rig_connect(struct object_rig *rig)
{
    const struct kube_credentials credentials = {.server = (char[]){"https://127.0.0.1:6443"}};
    struct object_memory *memory = object_memory_get(&rig->memory);
    str_replace(&memory->source, "c0ffee 127.0.0.1:6443");
    memory->connected_ms = rig->io.now_ms;
    kube_free(memory->kube);
    assert_int_equal(kube_new(rig->io.transport, &credentials, 1000, NULL, &memory->kube, NULL), 0);
}

static void init(struct object_rig *rig)
{
    *rig = (struct object_rig){
        .config = sample_config(),
        .node = {.id = "c0ffee", .name = "dev-control-plane", .cluster = "dev", .running = true},
        .api = {.cluster = "dev", .host_address = "127.0.0.1", .host_port = 6443},
        .current = object_current_new("dev"),
        .fake = fake_transport_new(),
        .worker = scripted_worker_new(),
    };
    sample_set(&rig->config->ui.image, "joxit/docker-registry-ui:2");
    rig->engine = (struct engine){.nodes = &rig->node,
                                  .node_count = 1,
                                  .apis = &rig->api,
                                  .api_count = 1,
                                  .registry_ipv4 = "172.18.0.4"};
    rig->input = (struct input){
        .config = rig->config, .engine = &rig->engine, .name = "dev", .desired = true};
    rig->io = (struct io){.transport = fake_transport_http(rig->fake),
                          .worker = scripted_worker_work(rig->worker),
                          .notice = on_notice,
                          .told_ctx = rig,
                          .now_ms = 1000};
    for (size_t i = 0; i < object_api_count; i++) {
        rig->current->served[i] = true;
    }
    json_auto_t *class = object_fixture("1.36.2/ingressclass");
    assert_int_equal(object_current_add(rig->current, object_api("IngressClass"), class, NULL), 0);
    object_rig_connect(rig);
}

static void done(struct object_rig *rig)
{
    object_kind.forget(&rig->io, &rig->memory);
    docker_free(rig->io.docker);
    (void)fake_transport_run(rig->fake);
    fake_transport_free(rig->fake);
    scripted_worker_free(rig->worker);
    object_rig_clear_rules(rig);
    plan_done(&rig->plan);
    object_current_free(rig->current);
    config_free(rig->config);
    free(rig->notice);
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

// ---- by hand ----

void object_rig_add_recorded(struct object_rig *rig)
{
    for (size_t i = 0; i < object_api_count; i++) {
        json_auto_t *list = recorded_list(&object_apis[i]);
        if (object_is_served(rig->current, &object_apis[i])) {
            assert_int_equal(object_current_add(rig->current, &object_apis[i], list, NULL), 0);
        }
    }
}

void object_rig_add(struct object_rig *rig, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *text = str_vprintf(format, args);
    va_end(args);
    json_auto_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_int_equal(object_current_add(rig->current, object_api(kind), object, NULL), 0);
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

void object_rig_change(struct object_rig *rig, const char *resource, const char *change)
{
    json_auto_t *value = json_loads(change, 0, NULL);
    json_t *json = (json_t *)object_rig_object(rig, resource)->json;
    assert_int_equal(json_object_update_recursive(json, value), 0);
}

void object_rig_desire(struct object_rig *rig)
{
    object_desired_set(rig->current, rig->config, rig->input.engine);
}

static void print_action(struct buf *text, const struct action *action)
{
    assert_true(str_starts_with(action->resource, PREFIX));
    assert_string_equal(action->cluster, "dev");
    (void)buf_printf(text, "%s%s%s %s%s%s\n", action->step ? "+" : "",
                     action->destructive ? "!" : "", action->verb,
                     action->resource + strlen(PREFIX), action->needs == NULL ? "" : " < ",
                     action->needs == NULL ? "" : action->needs + strlen(PREFIX));
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)buf_printf(text, "    %s: %s -> %s\n", field->path,
                         field->current == NULL ? "-" : field->current,
                         field->desired == NULL ? "-" : field->desired);
    }
}

void object_rig_assert_plan(struct object_rig *rig, const char *expected)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    plan_done(&rig->plan);
    object_plan(&rig->input, rig->current, &rig->plan);
    for (size_t i = 0; i < rig->plan.action_count; i++) {
        print_action(&text, rig->plan.actions[i]);
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
    assert_string_equal(buf_str(&text), expected);
}

void object_rig_assert_condition(struct object_rig *rig, const char *resource, const char *expected)
{
    _cleanup_free_ char *full = str_printf(PREFIX "%s", resource);
    const struct condition *condition = plan_condition(&rig->plan, full);
    assert_non_null(condition);
    _cleanup_free_ char *text = str_printf("%s %s: %s", ready_name(condition->ready),
                                           reason_name(condition->reason), condition->message);
    assert_string_equal(text, expected);
}

// ---- the API server ----

void object_rig_clear_rules(struct object_rig *rig)
{
    while (rig->rule_count > 0) {
        free(rig->rules[--rig->rule_count].body);
    }
}

void object_rig_rule(struct object_rig *rig, const char *request, int status, const char *body)
{
    assert_true(rig->rule_count < OBJECT_RIG_RULES_MAX);
    rig->rules[rig->rule_count].request = request;
    rig->rules[rig->rule_count].status = status;
    rig->rules[rig->rule_count++].body = str_dup(body);
}

static const struct object_api *api_of_plural(const char *plural)
{
    for (size_t i = 0; i < object_api_count; i++) {
        if (str_equal(object_apis[i].plural, plural)) {
            return &object_apis[i];
        }
    }
    return NULL;
}

// A list, or the object whose name ends the path; NULL when there is none.
static json_t *recorded_of(const char *path)
{
    _cleanup_free_ char *bare = str_dup_n(path, strcspn(path, "?"));
    char *slash = strrchr(bare, '/');
    if (slash == NULL) {
        return NULL;
    }
    char *name = slash + 1;
    if (str_equal(name, "apis") || str_equal(name, "pods")) {
        return object_fixture(name[0] == 'a' ? "1.36.2/groups" : "1.36.2/pods");
    }
    if (str_equal(name, "nginx")) {
        return object_fixture("1.36.2/ingressclass");
    }
    const struct object_api *api = api_of_plural(name);
    if (api != NULL) {
        return recorded_list(api);
    }
    *slash = '\0';
    slash = strrchr(bare, '/');
    api = slash == NULL ? NULL : api_of_plural(slash + 1);
    json_auto_t *all = api == NULL ? NULL : recorded_list(api);
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (json_object_get(all, "items"), i, item) {
        if (str_equal(json_get_string(item, "metadata", "name", NULL), name)) {
            return json_incref(item);
        }
    }
    return NULL;
}

static void reply(struct object_rig *rig, const struct fake_request *request)
{
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
    json_auto_t *answer = recorded_of(request->path);
    _cleanup_free_ char *body = answer == NULL ? str_dup(OBJECT_MISSING) : json_dumps(answer, 0);
    fake_transport_reply(rig->fake, answer == NULL ? 404 : 200, body);
}

void object_rig_serve_one(struct object_rig *rig)
{
    reply(rig, fake_transport_request(rig->fake, rig->served++));
    assert_true(fake_transport_step(rig->fake));
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
    } while (fake_transport_step(rig->fake));
}

// ---- the key ----

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

// What the kind's function that began it returned.
static int begun(const struct object_rig *rig, int r)
{
    assert_int_equal(rig->done, 0);
    return r;
}

int object_rig_begin_observe(struct object_rig *rig)
{
    object_current_free(TAKE_PTR(rig->current));
    rig->done = 0;
    return begun(
        rig, object_kind.observe(&rig->io, &rig->memory, &rig->input, on_observed, rig, &rig->err));
}

int object_rig_begin_act(struct object_rig *rig, const struct action *action)
{
    rig->done = 0;
    return begun(
        rig, object_kind.act(&rig->io, &rig->memory, action, &rig->input, on_done, rig, &rig->err));
}

int object_rig_begin_watch(struct object_rig *rig)
{
    rig->done = 0;
    rig->served = rig->logged = fake_transport_count(rig->fake);
    return begun(rig, object_kind.watch(&rig->io, &rig->memory, &rig->input, on_dirty, on_done, rig,
                                        &rig->err));
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

void object_rig_interrupt(struct object_rig *rig, bool forget)
{
    if (forget) {
        object_kind.forget(&rig->io, &rig->memory);
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

void object_rig_assert_requests(struct object_rig *rig, const char *expected)
{
    _cleanup_buf_ struct buf lines = BUF_INIT(TEXT_MAX);
    for (; rig->logged < fake_transport_count(rig->fake); rig->logged++) {
        const struct fake_request *request = fake_transport_request(rig->fake, rig->logged);
        (void)buf_printf(&lines, "%s %.*s%s\n", http_method_name(request->method),
                         (int)strcspn(request->path, "?"), request->path,
                         strstr(request->path, "dryRun=All") == NULL ? "" : " dry");
    }
    assert_string_equal(buf_str(&lines), expected);
}
