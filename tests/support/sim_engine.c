// The state, and what happens to it.
#include "lib/base/str.h"
#include "lib/world/engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sim_engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FIRST_ADDRESS 2

bool sim_container_is_up(const struct sim_container *container)
{
    return str_equal(container->state, "running") || str_equal(container->state, "paused") ||
           str_equal(container->state, "restarting");
}

static const char *image_of(const struct sim_container *container)
{
    return json_string_value(json_object_get(container->spec, "Image"));
}

// ---- events ----

static void tell(struct sim_engine *engine, json_t *event)
{
    _cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);
    _cleanup_free_ char *line = str_printf("%s\n", text);
    assert_non_null(text);
    assert_non_null(line);
    sim_http_tell(engine->http, engine, "GET ", line);
    json_decref(event);
}

void sim_engine_tell(struct sim_engine *engine, const struct sim_container *container,
                     const char *action, const char *old_name)
{
    if (sim_http_streams(engine->http) == 0) {
        return;
    }
    json_t *attributes = json_pack("{s:s}", "name", container->name);
    (void)json_object_update(attributes, json_object_get(container->spec, "Labels"));
    if (old_name != NULL) {
        (void)json_object_set_new(attributes, "oldName", json_sprintf("/%s", old_name));
    }
    tell(engine, json_pack("{s:s, s:s, s:{s:o}}", "Type", "container", "Action", action, "Actor",
                           "Attributes", attributes));
}

void sim_engine_tell_network(struct sim_engine *engine, const char *action)
{
    tell(engine, json_pack("{s:s, s:s, s:{s:{s:s}}}", "Type", "network", "Action", action, "Actor",
                           "Attributes", "name", SIM_NETWORK));
}

// ---- the network ----

static bool is_taken(const struct sim_engine *engine, unsigned address)
{
    for (size_t i = 0; i < engine->count; i++) {
        if (engine->containers[i]->address == address) {
            return true;
        }
    }
    return false;
}

// The lowest that is free, as the engine does it.
static void give_address(const struct sim_engine *engine, struct sim_container *container)
{
    unsigned address = FIRST_ADDRESS;
    container->address = 0;
    if (container->network_id == NULL || !sim_container_is_up(container)) {
        return;
    }
    while (is_taken(engine, address)) {
        address++;
    }
    container->address = address;
}

void sim_engine_attach(struct sim_engine *engine, struct sim_container *container,
                       const char *alias)
{
    assert_int_equal(str_replace(&container->network_id, engine->network_id), 0);
    assert_int_equal(str_replace(&container->alias, alias), 0);
    give_address(engine, container);
    sim_engine_tell_network(engine, "connect");
}

void sim_engine_detach(struct sim_engine *engine, struct sim_container *container)
{
    free(TAKE_PTR(container->network_id));
    free(TAKE_PTR(container->alias));
    container->address = 0;
    sim_engine_tell_network(engine, "disconnect");
}

static void name_network(struct sim_engine *engine)
{
    free(engine->network_id);
    engine->network_id = str_printf("network%06u", ++engine->serial);
    assert_non_null(engine->network_id);
}

void sim_engine_renew_network(struct sim_engine *engine)
{
    for (size_t i = 0; i < engine->count; i++) {
        if (sim_container_is_up(engine->containers[i])) {
            sim_engine_detach(engine, engine->containers[i]);
        }
    }
    sim_engine_tell_network(engine, "destroy");
    name_network(engine);
    sim_engine_tell_network(engine, "create");
}

// ---- containers ----

struct sim_container *sim_engine_add(struct sim_engine *engine, const char *name, json_t *spec)
{
    assert_true(engine->count < SIM_CONTAINERS_MAX);
    struct sim_container *container = calloc(1, sizeof(*container));
    assert_non_null(container);
    *container = (struct sim_container){
        .id = str_printf("id%06u", ++engine->serial),
        .name = str_dup(name),
        .spec = spec,
        .state = "created",
        .error = str_dup(""),
    };
    assert_non_null(spec);
    engine->containers[engine->count++] = container;
    sim_engine_tell(engine, container, "create", NULL);
    return container;
}

static void container_free(struct sim_container *container)
{
    free(container->id);
    free(container->name);
    json_decref(container->spec);
    free(container->error);
    free(container->network_id);
    free(container->alias);
    sim_files_done(&container->files);
    free(container);
}

struct sim_container *sim_engine_find(const struct sim_engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->count; i++) {
        struct sim_container *container = engine->containers[i];
        if (str_equal(container->name, name) || str_equal(container->id, name)) {
            return container;
        }
    }
    return NULL;
}

static const char *host_port(const struct sim_container *container)
{
    const json_t *host = json_object_get(container->spec, "HostConfig");
    const json_t *list =
        json_object_get(json_object_get(host, "PortBindings"), WORLD_REGISTRY_PORT_KEY);
    return json_string_value(json_object_get(json_array_get(list, 0), "HostPort"));
}

// The container that publishes the port; NULL: nobody.
static const struct sim_container *publisher(const struct sim_engine *engine, const char *port)
{
    for (size_t i = 0; i < engine->count; i++) {
        const struct sim_container *container = engine->containers[i];
        if (sim_container_is_up(container) && port != NULL &&
            str_equal(host_port(container), port)) {
            return container;
        }
    }
    return NULL;
}

const char *sim_engine_try_start(struct sim_engine *engine, struct sim_container *container,
                                 int *ret_status)
{
    if (container->network_id != NULL && !str_equal(container->network_id, engine->network_id)) {
        *ret_status = 404;
        return "network not found";
    }
    if (publisher(engine, host_port(container)) != NULL) {
        *ret_status = 500;
        assert_int_equal(str_replace(&container->error, "Bind for the port failed: port is already "
                                                        "allocated"),
                         0);
        return container->error;
    }
    bool crashes = strstr(image_of(container), "crash") != NULL;
    assert_int_equal(str_replace(&container->error, ""), 0);
    container->state = crashes ? "exited" : "running";
    container->exit_code = crashes ? 1 : 0;
    container->started_s = fake_clock_s();
    give_address(engine, container);
    sim_engine_tell(engine, container, "start", NULL);
    return NULL;
}

void sim_engine_start(struct sim_engine *engine, struct sim_container *container)
{
    int status = 0;
    if (!sim_container_is_up(container)) {
        (void)sim_engine_try_start(engine, container, &status);
    }
}

void sim_engine_stop(struct sim_engine *engine, struct sim_container *container)
{
    container->state = "exited";
    container->address = 0;
    sim_engine_tell(engine, container, "die", NULL);
    sim_engine_tell(engine, container, "stop", NULL);
}

void sim_engine_remove(struct sim_engine *engine, struct sim_container *container)
{
    size_t i = 0;
    while (engine->containers[i] != container) {
        i++;
    }
    engine->count--;
    memmove(engine->containers + i, engine->containers + i + 1,
            (engine->count - i) * sizeof(struct sim_container *));
    sim_engine_tell(engine, container, "destroy", NULL);
    container_free(container);
}

void sim_engine_rename(struct sim_engine *engine, struct sim_container *container, const char *name)
{
    _cleanup_free_ char *old = TAKE_PTR(container->name);
    container->name = str_dup(name);
    assert_non_null(container->name);
    sim_engine_tell(engine, container, "rename", old);
}

struct sim_container *sim_engine_add_node(struct sim_engine *engine, const char *cluster,
                                          const char *name, uint16_t api_port)
{
    json_t *spec = json_pack("{s:s, s:{s:s, s:s}}", "Image", "kindest/node:v1.29.2", "Labels",
                             WORLD_LABEL_KIND_CLUSTER, cluster, WORLD_LABEL_KIND_ROLE,
                             api_port != 0 ? "control-plane" : "worker");
    struct sim_container *node = sim_engine_add(engine, name, spec);
    node->api_port = api_port;
    sim_engine_attach(engine, node, name);
    sim_engine_start(engine, node);
    return node;
}

size_t sim_engine_count(const struct sim_engine *engine)
{
    return engine->count;
}

struct sim_container *sim_engine_at(const struct sim_engine *engine, size_t index)
{
    return engine->containers[index];
}

// ---- the engine itself ----

void sim_engine_restart(struct sim_engine *engine)
{
    sim_http_tell(engine->http, engine, "", NULL);
    for (size_t i = 0; i < engine->count; i++) {
        engine->containers[i]->address = 0;
    }
    for (size_t i = engine->count; i-- > 0;) {
        give_address(engine, engine->containers[i]);
    }
}

static void serve_registry(void *ctx, _unused_ const struct sim_request *request,
                           struct sim_reply *reply)
{
    const struct sim_publication *publication = ctx;
    _cleanup_free_ char *port = str_printf("%u", publication->port);
    const struct sim_container *container = publisher(publication->engine, port);
    bool answers = container != NULL && str_equal(container->state, "running") &&
                   strstr(image_of(container), "mute") == NULL;
    reply->status = answers ? 200 : 0;
}

void sim_engine_publish(struct sim_engine *engine, uint16_t port)
{
    assert_true(engine->publication_count < PUBLICATIONS_MAX);
    struct sim_publication *publication = &engine->publications[engine->publication_count++];
    *publication = (struct sim_publication){engine, port};
    _cleanup_free_ char *base = str_printf("http://127.0.0.1:%u", port);
    sim_http_serve(engine->http, base, serve_registry, publication);
}

void sim_engine_listen(struct sim_engine *engine, bool on)
{
    sim_http_serve(engine->http, SIM_ENGINE_SOCKET, sim_engine_serve, on ? engine : NULL);
}

struct sim_engine *sim_engine_new(struct sim_http *http)
{
    struct sim_engine *engine = calloc(1, sizeof(*engine));
    assert_non_null(engine);
    engine->http = http;
    name_network(engine);
    sim_engine_listen(engine, true);
    return engine;
}

void sim_engine_free(struct sim_engine *engine)
{
    while (engine->count > 0) {
        container_free(engine->containers[--engine->count]);
    }
    sim_execs_done(engine);
    strv_done(&engine->images);
    free(engine->network_id);
    free(engine);
}
