// The requests of the simulated engine.
#include "lib/base/str.h"
#include "tests/support/sim_engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define API_PREFIX "/v1.41"

static void ping(_unused_ struct sim_engine *engine, struct sim_exchange *x)
{
    x->reply->status = 200;
    x->reply->headers = str_dup("Api-Version: 1.41\r\n");
}

static void events(_unused_ struct sim_engine *engine, struct sim_exchange *x)
{
    x->reply->status = 200;
    x->reply->is_stream = true;
}

static void list(struct sim_engine *engine, struct sim_exchange *x)
{
    json_t *containers = json_array();
    for (size_t i = 0; i < engine->count; i++) {
        json_array_append_new(containers, sim_container_listed(engine->containers[i]));
    }
    sim_exchange_answer(x, 200, containers);
}

static struct sim_container *need(const struct sim_engine *engine, struct sim_exchange *x,
                                  const char *name)
{
    struct sim_container *container = sim_engine_find(engine, name);
    if (container == NULL) {
        sim_exchange_refuse(x, 404, "No such container: %s", name);
    }
    return container;
}

static void inspect(struct sim_engine *engine, struct sim_exchange *x)
{
    const struct sim_container *container = need(engine, x, x->name);
    if (container != NULL) {
        sim_exchange_answer(x, 200, sim_container_inspected(container));
    }
}

static bool name_is_free(const struct sim_engine *engine, struct sim_exchange *x, const char *name)
{
    bool taken = sim_engine_find(engine, name) != NULL;
    if (taken) {
        sim_exchange_refuse(x, 409, "Conflict. The container name \"/%s\" is already in use", name);
    }
    return !taken;
}

static void create(struct sim_engine *engine, struct sim_exchange *x)
{
    _cleanup_free_ char *name = sim_exchange_query(x, "name");
    json_auto_t *spec = sim_exchange_json(x);
    const char *image = json_string_value(json_object_get(spec, "Image"));
    if (!name_is_free(engine, x, name)) {
        return;
    }
    if (!strv_contains(&engine->images, image)) {
        sim_exchange_refuse(x, 404, "No such image: %s", image);
        return;
    }
    const struct sim_container *container = sim_engine_add(engine, name, json_incref(spec));
    sim_exchange_answer(x, 201, json_pack("{s:s}", "Id", container->id));
}

static void start(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    int status = 204;
    if (container == NULL) {
        return;
    }
    if (sim_container_is_up(container)) {
        x->reply->status = 304;
        return;
    }
    const char *why = sim_engine_try_start(engine, container, &status);
    if (why != NULL) {
        sim_exchange_refuse(x, status, "%s", why);
    } else {
        x->reply->status = status;
    }
}

static void stop(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    if (container == NULL) {
        return;
    }
    x->reply->status = sim_container_is_up(container) ? 204 : 304;
    if (sim_container_is_up(container)) {
        sim_engine_stop(engine, container);
    }
}

static void unpause(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    if (container == NULL) {
        return;
    }
    if (!str_equal(container->state, "paused")) {
        sim_exchange_refuse(x, 500, "Container %s is not paused", container->id);
        return;
    }
    container->state = "running";
    sim_engine_tell(engine, container, "unpause", NULL);
    x->reply->status = 204;
}

static void rename_to(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    _cleanup_free_ char *name = sim_exchange_query(x, "name");
    if (container != NULL && name_is_free(engine, x, name)) {
        sim_engine_rename(engine, container, name);
        x->reply->status = 204;
    }
}

static void update(struct sim_engine *engine, struct sim_exchange *x)
{
    const struct sim_container *container = need(engine, x, x->name);
    if (container != NULL) {
        json_auto_t *changes = sim_exchange_json(x);
        json_t *host_config = json_object_get(container->spec, "HostConfig");
        assert_int_equal(json_object_update(host_config, changes), 0);
        sim_exchange_answer(x, 200, json_pack("{s:n}", "Warnings"));
    }
}

static void remove_one(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    assert_string_equal(x->query, "force=1&v=0");
    if (container != NULL) {
        sim_engine_remove(engine, container);
        x->reply->status = 204;
    }
}

static void archive(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_container *container = need(engine, x, x->name);
    if (container == NULL) {
        return;
    }
    switch (x->request->method) {
    case HTTP_HEAD:
        sim_files_stat(&container->files, x);
        break;
    case HTTP_GET:
        sim_files_pack(&container->files, x);
        break;
    case HTTP_PUT:
        sim_files_unpack(&container->files, x);
        sim_engine_tell(engine, container, "extract-to-dir", NULL);
        break;
    case HTTP_POST:
    case HTTP_PATCH:
    case HTTP_DELETE:
        fail();
    }
}

static bool has_network(const struct sim_engine *engine, struct sim_exchange *x)
{
    bool there = engine->network_id != NULL && str_equal(x->name, SIM_NETWORK);
    if (!there) {
        sim_exchange_refuse(x, 404, "network %s not found", x->name);
    }
    return there;
}

static void network(struct sim_engine *engine, struct sim_exchange *x)
{
    if (has_network(engine, x)) {
        sim_exchange_answer(x, 200,
                            json_pack("{s:s, s:s}", "Name", SIM_NETWORK, "Id", engine->network_id));
    }
}

static void connect_one(struct sim_engine *engine, struct sim_exchange *x)
{
    json_auto_t *body = sim_exchange_json(x);
    const char *name = json_string_value(json_object_get(body, "Container"));
    const json_t *aliases = json_object_get(json_object_get(body, "EndpointConfig"), "Aliases");
    struct sim_container *container = has_network(engine, x) ? need(engine, x, name) : NULL;
    if (container == NULL) {
        return;
    }
    if (container->network_id != NULL) {
        sim_exchange_refuse(x, 403, "endpoint with name %s already exists in network %s", name,
                            x->name);
        return;
    }
    sim_engine_attach(engine, container, json_string_value(json_array_get(aliases, 0)));
    x->reply->status = 200;
}

static void disconnect_one(struct sim_engine *engine, struct sim_exchange *x)
{
    json_auto_t *body = sim_exchange_json(x);
    const char *name = json_string_value(json_object_get(body, "Container"));
    struct sim_container *container = need(engine, x, name);
    if (container == NULL) {
        return;
    }
    if (container->network_id == NULL) {
        sim_exchange_refuse(x, 500, "container %s is not connected to network %s", name, x->name);
        return;
    }
    sim_engine_detach(engine, container);
    x->reply->status = 200;
}

static void image(struct sim_engine *engine, struct sim_exchange *x)
{
    if (strv_contains(&engine->images, x->name)) {
        sim_exchange_answer(x, 200, json_pack("{s:s}", "Id", "sha256:1"));
    } else {
        sim_exchange_refuse(x, 404, "No such image: %s", x->name);
    }
}

static void pull(struct sim_engine *engine, struct sim_exchange *x)
{
    _cleanup_free_ char *name = sim_exchange_query(x, "fromImage");
    _cleanup_free_ char *tag = sim_exchange_query(x, "tag");
    _cleanup_free_ char *reference = str_printf("%s:%s", name, tag);
    assert_int_equal(strv_add_unique(&engine->images, reference), 0);
    x->reply->status = 200;
    x->reply->body =
        str_dup("{\"status\":\"Downloading\",\"id\":\"79e9f2f55bf5\","
                "\"progressDetail\":{\"current\":5,\"total\":9}}\r\n"
                "{\"status\":\"Pull complete\",\"id\":\"79e9f2f55bf5\",\"progressDetail\":{}}\r\n");
}

static const struct route {
    enum http_method method;
    const char *prefix;
    const char *suffix;
    void (*handle)(struct sim_engine *engine, struct sim_exchange *x);
    bool wide;
} routes[] = {
    {HTTP_GET, "/events", "", events, false},
    {HTTP_GET, "/containers/json", "", list, false},
    {HTTP_POST, "/containers/create", "", create, false},
    {HTTP_GET, "/containers/", "/json", inspect, false},
    {HTTP_POST, "/containers/", "/start", start, false},
    {HTTP_POST, "/containers/", "/stop", stop, false},
    {HTTP_POST, "/containers/", "/unpause", unpause, false},
    {HTTP_POST, "/containers/", "/rename", rename_to, false},
    {HTTP_POST, "/containers/", "/update", update, false},
    {HTTP_POST, "/containers/", "/exec", sim_exec_create, false},
    {HTTP_DELETE, "/containers/", "", remove_one, false},
    {HTTP_HEAD, "/containers/", "/archive", archive, false},
    {HTTP_GET, "/containers/", "/archive", archive, false},
    {HTTP_PUT, "/containers/", "/archive", archive, false},
    {HTTP_POST, "/exec/", "/start", sim_exec_start, false},
    {HTTP_GET, "/exec/", "/json", sim_exec_inspect, false},
    {HTTP_GET, "/networks/", "", network, false},
    {HTTP_POST, "/networks/", "/connect", connect_one, false},
    {HTTP_POST, "/networks/", "/disconnect", disconnect_one, false},
    {HTTP_POST, "/images/create", "", pull, false},
    {HTTP_GET, "/images/", "/json", image, true},
};

void sim_engine_serve(void *ctx, const struct sim_request *request, struct sim_reply *reply)
{
    struct sim_engine *engine = ctx;
    struct sim_exchange x;
    sim_exchange_begin(&x, request, reply);
    const char *path = x.path;
    if (str_equal(path, "/_ping")) {
        ping(engine, &x);
        sim_exchange_end(&x);
        return;
    }
    assert_true(str_starts_with(path, API_PREFIX "/"));
    path += strlen(API_PREFIX);
    size_t i = 0;
    while (i < ELEMENTS(routes) &&
           (routes[i].method != request->method ||
            !sim_exchange_match(&x, path, routes[i].prefix, routes[i].suffix, routes[i].wide))) {
        i++;
    }
    if (i == ELEMENTS(routes)) {
        fail_msg("the simulated engine does not know %s", request->line);
    }
    routes[i].handle(engine, &x);
    sim_exchange_end(&x);
}
