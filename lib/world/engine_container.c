// The answer of GET /containers/ID/json as struct world_container. Of what the engine repeats at
// several places the declared one is read (HostConfig, Config): NetworkSettings.Ports, for one, is
// empty while the container does not run.
#include "lib/doc/json.h"
#include "lib/world/engine.h"

#include "lib/base/str.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define ENTRIES_MAX 4096 // labels, and likewise variables, ports, networks

static const struct {
    const char *word;
    enum container_state state;
} state_words[] = {
    {"created", CONTAINER_CREATED},   {"running", CONTAINER_RUNNING},
    {"paused", CONTAINER_PAUSED},     {"restarting", CONTAINER_RESTARTING},
    {"removing", CONTAINER_REMOVING}, {"exited", CONTAINER_EXITED},
    {"dead", CONTAINER_DEAD},
};

static enum container_state decode_state(const char *word)
{
    for (size_t i = 0; i < ELEMENTS(state_words); i++) {
        if (str_equal(word, state_words[i].word)) {
            return state_words[i].state;
        }
    }
    return CONTAINER_UNKNOWN;
}

// The engine writes UTC with a fraction, and year 1 for never.
static int64_t decode_time(const char *text)
{
    struct tm tm = {0};
    if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL) {
        return 0;
    }
    int64_t seconds = (int64_t)timegm(&tm);
    return seconds < 0 ? 0 : seconds;
}

// A string, with "" for what is absent.
static int copy_text(char **target, const char *s)
{
    return str_replace(target, s == NULL ? "" : s);
}

// An address, with NULL for what is none.
static int copy_address(char **target, const char *s)
{
    return str_replace(target, s != NULL && world_address_is_valid(s) ? s : NULL);
}

// A string, with NULL for "" too.
static int copy_optional(char **target, const char *s)
{
    return str_replace(target, str_empty(s) ? NULL : s);
}

static int decode_environment(const json_t *list, struct strmap *ret)
{
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        const char *text = json_string_value(item);
        const char *equals = text == NULL ? NULL : strchr(text, '=');
        if (equals == NULL) {
            continue;
        }
        _cleanup_free_ char *name = str_dup_n(text, (size_t)(equals - text));
        if (name == NULL || strmap_set(ret, name, equals + 1) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int decode_labels(json_t *object, struct strmap *ret)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach (object, key, value) {
        const char *text = json_string_value(value);
        if (text != NULL && strmap_set(ret, key, text) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

// A rotated secret is in no configuration any more.
static int decode_secrets(struct world_container *container)
{
    const char *names = strmap_get(&container->labels, WORLD_LABEL_ENVIRONMENT);
    if (names == NULL) {
        return 0;
    }
    int r = secrets_new(&container->secrets);
    while (r == 0 && *names != '\0') {
        size_t length = strcspn(names, ",");
        _cleanup_free_ char *name = str_dup_n(names, length);
        const char *value = name == NULL ? NULL : strmap_get(&container->environment, name);
        if (name == NULL || (value != NULL && secrets_add(container->secrets, value) < 0)) {
            r = -ENOMEM;
        }
        names += length + (names[length] == ',');
    }
    return r;
}

static int decode_error(const char *text, char **ret)
{
    if (str_empty(text)) {
        return 0;
    }
    *ret = secret_hide(text);
    return *ret == NULL ? -ENOMEM : 0;
}

static int decode_mounts(const json_t *mounts, struct world_container *container)
{
    size_t index = 0;
    json_t *mount = NULL;
    json_array_foreach (mounts, index, mount) {
        const char *type = json_get_string(mount, "Type", NULL);
        const char *destination = json_get_string(mount, "Destination", NULL);
        int r = 0;
        if (!str_equal(destination, WORLD_REGISTRY_STORAGE)) {
            r = copy_optional(&container->other_mount, destination);
        } else if (str_equal(type, "bind")) {
            r = copy_optional(&container->storage, json_get_string(mount, "Source", NULL));
        } else {
            container->storage_is_volume = str_equal(type, "volume");
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_binding(struct world_container *container, const char *port, const json_t *binding)
{
    struct world_binding *bindings = reallocarray(container->bindings, container->binding_count + 1,
                                                  sizeof(*container->bindings));
    if (bindings == NULL) {
        return -ENOMEM;
    }
    container->bindings = bindings;
    struct world_binding *added = &bindings[container->binding_count++];
    *added = (struct world_binding){0};
    if (copy_text(&added->container_port, port) < 0 ||
        copy_text(&added->host_address, json_get_string(binding, "HostIp", NULL)) < 0 ||
        copy_text(&added->host_port, json_get_string(binding, "HostPort", NULL)) < 0) {
        return -ENOMEM;
    }
    return 0;
}

static int decode_bindings(json_t *ports, struct world_container *container)
{
    const char *port = NULL;
    json_t *list = NULL;
    json_object_foreach (ports, port, list) {
        size_t index = 0;
        json_t *binding = NULL;
        json_array_foreach (list, index, binding) {
            if (add_binding(container, port, binding) < 0) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

static int add_endpoint(struct world_container *container, const char *network,
                        const json_t *endpoint)
{
    struct world_endpoint *endpoints = reallocarray(
        container->endpoints, container->endpoint_count + 1, sizeof(*container->endpoints));
    if (endpoints == NULL) {
        return -ENOMEM;
    }
    container->endpoints = endpoints;
    struct world_endpoint *added = &endpoints[container->endpoint_count++];
    *added = (struct world_endpoint){0};
    if (copy_text(&added->network, network) < 0 ||
        copy_text(&added->network_id, json_get_string(endpoint, "NetworkID", NULL)) < 0 ||
        copy_address(&added->ipv4, json_get_string(endpoint, "IPAddress", NULL)) < 0 ||
        copy_address(&added->ipv6, json_get_string(endpoint, "GlobalIPv6Address", NULL)) < 0) {
        return -ENOMEM;
    }
    size_t index = 0;
    json_t *alias = NULL;
    json_array_foreach (json_get_array(endpoint, "Aliases", NULL), index, alias) {
        if (json_is_string(alias) && strv_add(&added->aliases, json_string_value(alias)) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int decode_endpoints(json_t *networks, struct world_container *container)
{
    const char *network = NULL;
    json_t *endpoint = NULL;
    json_object_foreach (networks, network, endpoint) {
        if (add_endpoint(container, network, endpoint) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

// Without the leading '/'; NULL when it has none that a container can have.
static const char *inspect_name(const json_t *inspect)
{
    const char *name = json_get_string(inspect, "Name", NULL);
    if (name == NULL) {
        return NULL;
    }
    name += name[0] == '/';
    return world_name_is_valid(name) ? name : NULL;
}

static int decode_parts(const json_t *inspect, struct world_container *container)
{
    const char *policy = json_get_string(inspect, "HostConfig", "RestartPolicy", "Name", NULL);
    if (copy_text(&container->id, json_get_string(inspect, "Id", NULL)) < 0 ||
        copy_text(&container->name, inspect_name(inspect)) < 0 ||
        copy_text(&container->image, json_get_string(inspect, "Config", "Image", NULL)) < 0 ||
        str_replace(&container->restart_policy, str_empty(policy) ? "no" : policy) < 0 ||
        decode_mounts(json_get_array(inspect, "Mounts", NULL), container) < 0 ||
        decode_environment(json_get_array(inspect, "Config", "Env", NULL),
                           &container->environment) < 0 ||
        decode_labels(json_get_object(inspect, "Config", "Labels", NULL), &container->labels) < 0 ||
        decode_secrets(container) < 0 ||
        decode_error(json_get_string(inspect, "State", "Error", NULL), &container->state_error) <
            0 ||
        decode_bindings(json_get_object(inspect, "HostConfig", "PortBindings", NULL), container) <
            0 ||
        decode_endpoints(json_get_object(inspect, "NetworkSettings", "Networks", NULL), container) <
            0) {
        return -ENOMEM;
    }
    return 0;
}

static bool is_oversized(const json_t *inspect)
{
    return json_array_size(json_get(inspect, "Config", "Env", NULL)) > ENTRIES_MAX ||
           json_object_size(json_get(inspect, "Config", "Labels", NULL)) > ENTRIES_MAX ||
           json_object_size(json_get(inspect, "HostConfig", "PortBindings", NULL)) > ENTRIES_MAX ||
           json_object_size(json_get(inspect, "NetworkSettings", "Networks", NULL)) > ENTRIES_MAX;
}

int world_container_decode(const json_t *inspect, struct world_container *ret, struct error *err)
{
    const char *id = json_get_string(inspect, "Id", NULL);
    if (id == NULL || !world_name_is_valid(id) || inspect_name(inspect) == NULL) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG, "the engine's answer is no container");
    }
    if (is_oversized(inspect)) {
        return error_set(err, ERROR_PERMANENT, E2BIG,
                         "container %s has more than %d labels, variables, ports or networks",
                         inspect_name(inspect), ENTRIES_MAX);
    }

    _cleanup_(world_container_done) struct world_container container = {
        .state = decode_state(json_get_string(inspect, "State", "Status", NULL)),
        .exit_code = (int)json_get_int(inspect, 0, "State", "ExitCode", NULL),
        .started_s = decode_time(json_get_string(inspect, "State", "StartedAt", NULL)),
    };
    if (decode_parts(inspect, &container) < 0) {
        return error_oom(err);
    }
    *ret = TAKE_STRUCT(container);
    return 0;
}

int64_t world_container_stopped_s(const json_t *inspect)
{
    return decode_time(json_get_string(inspect, "State", "FinishedAt", NULL));
}
