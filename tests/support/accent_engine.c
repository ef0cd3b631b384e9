#include "tests/support/accent_engine.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/planner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct accent accents[ACCENTS] = {
    {.name = "docker 20.10", .options = ""},
    {.name = "docker 28.5", .options = ""},
    {.name = "podman 4.3",
     .image_in_full = true,
     .options = ":rw,rprivate,rbind",
     .network_id_is_name = true,
     .keeps_policy = true,
     .zone_h = 2},
    {.name = "open to all",
     .image_in_full = true,
     .options = "",
     .drive = "/host_mnt",
     .keeps_policy = true,
     .zone_h = -7,
     .address = ""},
    {.name = "other port", .options = "", .port = "5999"},
    {.name = "host mode", .options = "", .mode = "host", .address = ""},
    {.name = "other policy", .options = "", .keeps_policy = true, .policy = "unless-stopped"},
};

#define NETWORK "kind"
#define ADDRESS "172.18.0.9"

void accent_engine_begin(struct accent_engine *engine, const struct accent *accent)
{
    *engine = (struct accent_engine){.accent = accent,
                                     .containers = json_array(),
                                     .now_s = 1000000,
                                     .image_present = true,
                                     .network_present = true};
}

void accent_engine_end(struct accent_engine *engine)
{
    json_decref(engine->containers);
}

static void set(json_t *object, const char *key, const char *value)
{
    assert_int_equal(json_object_set_new(object, key, json_string(value)), 0);
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *state_of(const json_t *container)
{
    return json_object_get(container, "State");
}

static bool is_up(const json_t *container)
{
    const char *status = text_at(state_of(container), "Status");
    return str_equal(status, "running") || str_equal(status, "paused") ||
           str_equal(status, "restarting");
}

static json_t *endpoint_of(const json_t *container)
{
    return json_get_object(container, "NetworkSettings", "Networks", NETWORK, NULL);
}

static const char *port_of(const json_t *container)
{
    json_t *list = json_get_array(container, "HostConfig", "PortBindings", CONTAINER_PORT, NULL);
    return text_at(json_array_get(list, 0), "HostPort");
}

// By "Id", or by "Name" with its slash.
static json_t *find(const struct accent_engine *engine, const char *key, const char *value)
{
    size_t index = 0;
    json_t *container = NULL;
    json_array_foreach (engine->containers, index, container) {
        if (str_equal(text_at(container, key) + (key[0] == 'N' ? 1 : 0), value)) {
            return container;
        }
    }
    return NULL;
}

void accent_engine_set_state(struct accent_engine *engine, json_t *container, const char *status,
                             int64_t age_s)
{
    set(state_of(container), "Status", status);
    time_t local = engine->now_s - age_s + engine->accent->zone_h * 3600;
    struct tm tm;
    char text[64];
    size_t length = strftime(text, sizeof(text), "%FT%T.123456789", gmtime_r(&local, &tm));
    int hours = engine->accent->zone_h;
    (void)snprintf(text + length, sizeof(text) - length, "%c%02d:00", hours < 0 ? '-' : '+',
                   hours < 0 ? -hours : hours);
    set(container, "Created", text);
    set(state_of(container), "StartedAt", text);
    set(state_of(container), "FinishedAt", text);
    if (endpoint_of(container) != NULL) {
        set(endpoint_of(container), "IPAddress", str_equal(status, "running") ? ADDRESS : "");
    }
}

static const char *either(const char *accent, const char *asked)
{
    return accent == NULL ? asked : accent;
}

json_t *accent_engine_create(struct accent_engine *engine, const char *name, const json_t *body)
{
    const struct accent *accent = engine->accent;
    const json_t *host = json_object_get(body, "HostConfig");
    const json_t *binding =
        json_array_get(json_get_array(host, "PortBindings", CONTAINER_PORT, NULL), 0);
    const char *bind = json_string_value(json_array_get(json_object_get(host, "Binds"), 0));
    const char *policy = json_get_string(host, "RestartPolicy", "Name", NULL);
    const char *image = text_at(body, "Image");
    struct arena arena = {0};
    json_t *container = json_pack(
        "{s:o, s:s+, s:s, s:{s:s, s:s, s:i, s:s}, s:{s:s, s:O*, s:O*}, s:{s:[o*], s:s*, s:{s:s*},"
        "s:{s:[o*]}}, s:[o*], s:{s:{s:{s:s}}}}",
        "Id", json_sprintf("id-%u", ++engine->next_id), "Name", "/", name, "Asked", image, "State",
        "Status", "created", "Error", "", "ExitCode", 0, "StartedAt", "0001-01-01T00:00:00Z",
        "Config", "Image", accent->image_in_full ? container_image(&arena, image) : image, "Env",
        json_object_get(body, "Env"), "Labels", json_object_get(body, "Labels"), "HostConfig",
        "Binds",
        bind == NULL || accent->drive != NULL ? NULL : json_sprintf("%s%s", bind, accent->options),
        "NetworkMode", either(accent->mode, text_at(host, "NetworkMode")), "RestartPolicy", "Name",
        either(accent->policy, policy), "PortBindings", CONTAINER_PORT,
        binding == NULL
            ? NULL
            : json_pack("{s:s, s:s}", "HostIp", either(accent->address, text_at(binding, "HostIp")),
                        "HostPort", either(accent->port, text_at(binding, "HostPort"))),
        "Mounts",
        bind == NULL ? NULL
                     : json_pack("{s:s, s:o, s:s}", "Type", "bind", "Source",
                                 json_sprintf("%s%.*s", accent->drive == NULL ? "" : accent->drive,
                                              (int)strcspn(bind, ":"), bind),
                                 "Destination", CONTAINER_STORAGE),
        "NetworkSettings", "Networks", "bridge", "NetworkID", "net-b");
    assert_non_null(container);
    arena_done(&arena);
    json_array_append_new(engine->containers, container);
    return container;
}

void accent_engine_connect(struct accent_engine *engine, json_t *container, const char *network_id,
                           const char *alias)
{
    const char *id = engine->accent->network_id_is_name ? NETWORK : network_id;
    json_t *endpoint =
        json_pack("{s:s, s:s, s:[s*, s]}", "NetworkID", id, "IPAddress",
                  is_up(container) ? ADDRESS : "", "Aliases", alias, text_at(container, "Id"));
    json_object_set_new(json_get_object(container, "NetworkSettings", "Networks", NULL), NETWORK,
                        endpoint);
}

static enum probe probe(const struct accent_engine *engine, const struct current *current,
                        const struct container_spec *spec)
{
    const struct container *main = current_container(current, spec->name);
    if (main == NULL || main->state != CONTAINER_RUNNING || engine->remote ||
        compare_is_elsewhere(spec, main)) {
        return PROBE_NONE;
    }
    const json_t *container = find(engine, "Id", main->id);
    return !engine->mute && strstr(text_at(container, "Asked"), "mute") == NULL &&
                   str_equal(port_of(container), spec->host_port)
               ? PROBE_ANSWERS
               : PROBE_SILENT;
}

struct current *accent_engine_observe(struct accent_engine *engine, const struct config *config,
                                      struct secrets *secrets)
{
    struct current *current = current_new(config);
    json_auto_t *list = json_array();
    size_t index = 0;
    json_t *container = NULL;
    json_array_foreach (engine->containers, index, container) {
        json_array_append_new(
            list, json_pack("{s:O, s:[O], s:O*, s:O}", "Id", json_object_get(container, "Id"),
                            "Names", json_object_get(container, "Name"), "Labels",
                            json_get(container, "Config", "Labels", NULL), "State",
                            json_object_get(state_of(container), "Status")));
    }
    assert_int_equal(current_add_list(current, list, NULL), 0);
    for (size_t i = 0; i < current->id_count; i++) {
        json_t *inspect = find(engine, "Id", current->ids[i]);
        assert_int_equal(current_add_container(current, inspect, secrets, NULL), 0);
        struct container *added = &current->containers[current->container_count - 1];
        added->keeps_restart_policy = str_equal(added->id, engine->kept_policy);
    }
    for (size_t i = 0; i < current->specs.count; i++) {
        current->facts[i] = (struct container_facts){
            .image_present = engine->image_present,
            .port_holder = engine->port_holder,
            .probe = probe(engine, current, &current->specs.items[i]),
            .upload = engine->upload,
            .storage = engine->storage,
        };
    }
    current->network_present = engine->network_present;
    current->network_id = "net-1";
    current->engine->now_s = engine->now_s;
    current->engine->about = engine->about;
    for (size_t i = 0; i < engine->node_count; i++) {
        *ARENA_GROW(&current->engine->arena, current->engine->nodes, current->engine->node_count) =
            engine->nodes[i];
    }
    current_finish_engine(current, config);
    current_add_undeclared(current, config);
    return current;
}

static int start(struct accent_engine *engine, json_t *container, struct error *err)
{
    // Neither may be started: the plan has to know.
    assert_string_not_equal(text_at(state_of(container), "Status"), "paused");
    assert_string_not_equal(text_at(state_of(container), "Status"), "dead");
    const char *port = port_of(container);
    bool taken = port != NULL && str_equal(port, engine->taken_port);
    size_t index = 0;
    json_t *other = NULL;
    json_array_foreach (engine->containers, index, other) {
        taken = taken || (other != container && is_up(other) && port != NULL &&
                          str_equal(port_of(other), port));
    }
    const char *id = text_at(endpoint_of(container), "NetworkID");
    bool lost = id != NULL && (!engine->network_present || str_equal(id, "net-0"));
    const char *why = lost    ? "network net-0 not found"
                      : taken ? "Bind failed: port is already allocated"
                              : "";
    set(state_of(container), "Error", why);
    if (*why != '\0') {
        int r = error_set(err, ERROR_TRANSIENT, EIO, "engine: start container: %s", why);
        err->status = 500;
        return r;
    }
    bool crashes = strstr(text_at(container, "Asked"), "crash") != NULL;
    const char *policy = json_get_string(container, "HostConfig", "RestartPolicy", "Name", NULL);
    accent_engine_set_state(engine, container,
                            !crashes                  ? "running"
                            : str_equal(policy, "no") ? "exited"
                                                      : "restarting",
                            0);
    return 0;
}

static int refuse(struct error *err, int status, const char *text)
{
    int r = error_set(err, ERROR_CONFLICT, EREMOTEIO, "engine: %s (HTTP %d)", text, status);
    err->status = status;
    return r;
}

int accent_engine_act(struct accent_engine *engine, const struct action *action, struct error *err)
{
    // By id alone: a name may be another's by now.
    json_t *container =
        find(engine, "Id", action->target == NULL ? engine->created : action->target);
    const char *status = container == NULL ? NULL : text_at(state_of(container), "Status");
    size_t index = 0;
    switch ((enum container_op)action->op) {
    case CONTAINER_OP_STORAGE_MAKE:
        assert_int_equal(engine->storage.state, STORAGE_MISSING);
        engine->storage = (struct storage){.state = STORAGE_USABLE};
        return 0;
    case CONTAINER_OP_IMAGE_PULL:
        engine->image_present = true;
        return 0;
    case CONTAINER_OP_CREATE:
        assert_true(engine->image_present);
        if (find(engine, "Name", action->target) != NULL) {
            return refuse(err, 409, "name is in use");
        }
        container = accent_engine_create(engine, action->target, action->body);
        (void)snprintf(engine->created, sizeof(engine->created), "%s", text_at(container, "Id"));
        return 0;
    case CONTAINER_OP_LOGIN_WRITE:
        assert_string_equal(status, "created");
        return 0;
    case CONTAINER_OP_START:
        return start(engine, container, err);
    case CONTAINER_OP_STOP:
        accent_engine_set_state(engine, container, "exited", 0);
        return 0;
    case CONTAINER_OP_UNPAUSE:
        assert_string_equal(status, "paused");
        accent_engine_set_state(engine, container, "running", 0);
        return 0;
    case CONTAINER_OP_RENAME:
        assert_string_not_equal(status, "dead");
        return find(engine, "Name", action->argument) != NULL
                   ? refuse(err, 409, "name is in use")
                   : json_object_set_new(container, "Name", json_sprintf("/%s", action->argument));
    case CONTAINER_OP_UPDATE:
        if (engine->accent->keeps_policy) {
            (void)snprintf(engine->kept_policy, sizeof(engine->kept_policy), "%s", action->target);
            return refuse(err, 404, "Not Found");
        }
        return json_object_update(json_object_get(container, "HostConfig"), action->body);
    case CONTAINER_OP_REMOVE:
        while (json_array_get(engine->containers, index) != container) {
            index++;
        }
        return json_array_remove(engine->containers, index);
    case CONTAINER_OP_CONNECT:
        assert_true(engine->network_present);
        assert_null(endpoint_of(container));
        if (str_equal(json_get_string(container, "HostConfig", "NetworkMode", NULL), "host")) {
            return refuse(err, 403, "is in host mode");
        }
        accent_engine_connect(engine, container, "net-1", text_at(container, "Name") + 1);
        return 0;
    case CONTAINER_OP_DISCONNECT:
        return json_object_del(json_get_object(container, "NetworkSettings", "Networks", NULL),
                               NETWORK);
    case _CONTAINER_OP_COUNT:
        break;
    }
    fail_msg("no action: %d", action->op);
    return -1;
}
