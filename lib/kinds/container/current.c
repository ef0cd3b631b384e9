#include "lib/kinds/container/current.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <time.h>

#define API_PORT 6443 // in the container (kind pkg/cluster/internal/providers/common)
#define CONTAINERS_MAX 10000
#define INSPECTED_MAX 32 // containers of ours
#define ENTRIES_MAX 4096 // labels, and likewise variables, mounts, ports

static const char *text_or_empty(const char *s)
{
    return s == NULL ? "" : s;
}

// ---- the list: nodes of kind clusters, API servers, containers that are to be inspected ----

struct listed {
    const char *name; // without the leading '/'
    const char *id;
    const char *cluster; // of kind, NULL: of none
    const char *role;
    const char *state;
    const json_t *json;
};

// So are the nodes listed that `kind delete cluster` takes away, from their kill to their end. What
// is dead can only be removed.
static bool is_going(const char *state)
{
    return str_equal(state, "removing") || str_equal(state, "dead");
}

// Whether it has a name and an id that can stand in a request. A container has one name of its own,
// "/NAME"; a legacy link adds "/OTHER/ALIAS".
static bool decode_listed(const json_t *json, struct listed *ret)
{
    const char *cluster = json_get_string(json, "Labels", KIND_LABEL_CLUSTER, NULL);
    *ret = (struct listed){
        .id = json_get_string(json, "Id", NULL),
        .cluster = cluster != NULL && name_is_valid(cluster) ? cluster : NULL,
        .role = json_get_string(json, "Labels", KIND_LABEL_ROLE, NULL),
        .state = text_or_empty(json_get_string(json, "State", NULL)),
        .json = json,
    };
    ret->cluster = is_going(ret->state) ? NULL : ret->cluster;
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach (json_get_array(json, "Names", NULL), index, value) {
        const char *name = json_string_value(value);
        if (ret->name == NULL && name != NULL && name[0] == '/' && name_is_valid(name + 1)) {
            ret->name = name + 1;
        }
    }
    return ret->name != NULL && ret->id != NULL && name_is_valid(ret->id);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

// Where the cluster's API server is published, unless that is known: IPv4 before IPv6.
static void add_api(struct engine *engine, const struct listed *listed)
{
    struct arena *arena = &engine->arena;
    const char *host = NULL;
    uint16_t host_port = 0;
    size_t index = 0;
    json_t *port = NULL;
    json_array_foreach (json_get_array(listed->json, "Ports", NULL), index, port) {
        int64_t published = json_get_int(port, 0, "PublicPort", NULL);
        const char *address = json_get_string(port, "IP", NULL);
        bool valid = json_get_int(port, 0, "PrivatePort", NULL) == API_PORT && published > 0 &&
                     published <= UINT16_MAX && address != NULL &&
                     (address[0] == '\0' || name_is_valid_address(address)) &&
                     str_equal(json_get_string(port, "Type", NULL), "tcp");
        if (valid &&
            (host == NULL || (strchr(host, ':') != NULL && strchr(address, ':') == NULL))) {
            host = address;
            host_port = (uint16_t)published;
        }
    }
    if (host != NULL && engine_api(engine, listed->cluster) == NULL) {
        *ARENA_GROW(arena, engine->apis, engine->api_count) = (struct engine_api){
            arena_dup(arena, listed->cluster), arena_dup(arena, host), host_port};
    }
}

static void add_node(struct engine *engine, const struct listed *listed, enum node_role role)
{
    struct arena *arena = &engine->arena;
    *ARENA_GROW(arena, engine->nodes, engine->node_count) = (struct engine_node){
        .id = arena_dup(arena, listed->id),
        .name = arena_dup(arena, listed->name),
        .cluster = arena_dup(arena, listed->cluster),
        .role = role,
        .running = str_equal(listed->state, "running"),
        .status = arena_dup(arena, listed->state),
        .created_s = json_get_int(listed->json, 0, "Created", NULL),
    };
}

// In the order of the names, so that the first control plane's API counts; a load balancer's counts
// before any.
static void add_clusters(struct engine *engine, const struct listed *listed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (listed[i].cluster != NULL && str_equal(listed[i].role, "external-load-balancer")) {
            add_api(engine, &listed[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (listed[i].cluster != NULL && str_equal(listed[i].role, "control-plane")) {
            add_api(engine, &listed[i]);
            add_node(engine, &listed[i], NODE_CONTROL_PLANE);
        } else if (listed[i].cluster != NULL && str_equal(listed[i].role, "worker")) {
            add_node(engine, &listed[i], NODE_WORKER);
        }
    }
}

bool container_is_every_address(const char *address)
{
    return str_empty(address) || str_equal(address, "0.0.0.0") || str_equal(address, "::");
}

static bool publishes(const struct listed *listed, const struct container_spec *spec)
{
    bool does = false;
    size_t index = 0;
    json_t *port = NULL;
    json_array_foreach (json_get_array(listed->json, "Ports", NULL), index, port) {
        char published[sizeof("-9223372036854775808")];
        const char *address = json_get_string(port, "IP", NULL);
        (void)snprintf(published, sizeof(published), "%" PRId64,
                       json_get_int(port, 0, "PublicPort", NULL));
        does = does ||
               (str_equal(published, spec->host_port) &&
                str_equal(json_get_string(port, "Type", NULL), "tcp") &&
                (str_equal(address, spec->host_address) || container_is_every_address(address) ||
                 container_is_every_address(spec->host_address)));
    }
    return does;
}

// What a container that does not run is on may be gone: its network
// (https://github.com/moby/moby/issues/17160) and its image, which is shown by its id once its name
// is another's. One that is kept converged may have had the address a moment ago.
static void add_facts(struct current *current, const struct listed *listed, bool kept)
{
    const char *image = json_get_string(listed->json, "Image", NULL);
    const char *network_id = json_get_string(listed->json, "NetworkSettings", "Networks",
                                             current->network, "NetworkID", NULL);
    if (!str_empty(network_id)) {
        current->network_present = true;
        current->network_id = network_id;
    }
    for (size_t i = 0; i < current->specs.count; i++) {
        const struct container_spec *spec = &current->specs.items[i];
        struct container_facts *facts = &current->facts[i];
        if (str_equal(listed->name, spec->name) && image != NULL &&
            container_image_is_same(image, spec->image)) {
            facts->image_present = true;
        }
        if (!kept && facts->port_holder == NULL && publishes(listed, spec)) {
            facts->port_holder = listed->name;
        }
    }
}

// Whether one of the specs has to do with the name, or with the storage (NULL: with none).
static bool is_known(const struct current *current, const char *name, const char *storage)
{
    bool is = false;
    for (size_t i = 0; i < current->specs.count && !is; i++) {
        const struct container_spec *spec = &current->specs.items[i];
        is = str_equal(name, spec->name) || str_equal(name, spec->previous_name) ||
             str_equal(storage, spec->storage);
    }
    return is;
}

static void add_listed(struct current *current, const struct listed *listed)
{
    bool kept = is_known(current, listed->name, NULL);
    if (kept || json_get_string(listed->json, "Labels", CONTAINER_LABEL_OWNER, NULL) != NULL) {
        *ARENA_GROW(&current->arena, current->ids, current->id_count) = listed->id;
    }
    if (str_equal(listed->state, "running")) {
        add_facts(current, listed, kept);
    }
}

int current_add_list(struct current *current, json_t *list, struct error *err)
{
    if (!json_is_array(list)) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "the engine's answer is no list of containers");
    }
    if (json_array_size(list) > CONTAINERS_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG, "the engine has more than %d containers",
                         CONTAINERS_MAX);
    }
    _cleanup_free_ struct listed *listed = xcalloc(json_array_size(list) + 1, sizeof(*listed));
    size_t count = 0;
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        count += decode_listed(item, &listed[count]) ? 1 : 0;
    }
    qsort(listed, count, sizeof(*listed), compare_names);
    add_clusters(current->engine, listed, count);
    for (size_t i = 0; i < count; i++) {
        add_listed(current, &listed[i]);
    }
    if (current->id_count > INSPECTED_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG,
                         "%zu containers carry the label %s; remove those that are not needed",
                         current->id_count, CONTAINER_LABEL_OWNER);
    }
    return json_array_append(current->answers, list);
}

// ---- an inspected container ----
//
// Of what an engine repeats at several places the declared one is read (HostConfig, Config):
// NetworkSettings.Ports is empty while the container does not run, and Mounts[].Source is rewritten
// by engines in a virtual machine.

static enum container_state decode_state(const char *word)
{
    static const char *const words[] = {
        [CONTAINER_CREATED] = "created",   [CONTAINER_RUNNING] = "running",
        [CONTAINER_PAUSED] = "paused",     [CONTAINER_RESTARTING] = "restarting",
        [CONTAINER_REMOVING] = "removing", [CONTAINER_EXITED] = "exited",
        [CONTAINER_DEAD] = "dead",
    };
    size_t state = ELEMENTS(words) - 1;
    while (state > CONTAINER_UNKNOWN && !str_equal(word, words[state])) {
        state--;
    }
    return (enum container_state)state;
}

// RFC 3339: docker writes UTC with a fraction, podman the machine's offset; year 1 is never.
static int64_t decode_time(const char *text)
{
    struct tm tm = {0};
    const char *rest = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL) {
        return 0;
    }
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    long offset_s = strptime(rest, "%z", &tm) == NULL ? 0 : tm.tm_gmtoff;
    int64_t seconds = (int64_t)timegm(&tm) - offset_s;
    return MAX(seconds, 0);
}

int64_t container_stopped_s(const json_t *inspect)
{
    return decode_time(json_get_string(inspect, "State", "FinishedAt", NULL));
}

// SOURCE:DESTINATION[:OPTIONS]; a source that is no path is a volume's name.
static bool decode_bind(struct arena *arena, const char *bind, struct container *container)
{
    size_t source = strcspn(bind, ":");
    const char *destination = bind + source + (bind[source] == ':' ? 1 : 0);
    size_t length = strcspn(destination, ":");
    if (length != strlen(CONTAINER_STORAGE) || !str_starts_with(destination, CONTAINER_STORAGE)) {
        return false;
    }
    container->storage_is_volume = bind[0] != '/';
    if (!container->storage_is_volume) {
        container->storage = container_path(arena, arena_dup_n(arena, bind, source));
    }
    return true;
}

// HostK8s' setup-registry.py writes the file itself and mounts it beside the storage:
// distribution's defaults and CORS headers, which a page of the same origin does not need.
static bool is_generated(const char *destination, const char *source)
{
    return str_equal(destination, "/etc/docker/registry/config.yml") && source != NULL &&
           str_ends_with(source, "/registry-config.yml");
}

static void decode_mounts(struct arena *arena, const json_t *inspect, struct container *container)
{
    size_t index = 0;
    json_t *item = NULL;
    bool bound = false;
    json_array_foreach (json_get_array(inspect, "HostConfig", "Binds", NULL), index, item) {
        bound = bound ||
                (json_is_string(item) && decode_bind(arena, json_string_value(item), container));
    }
    json_array_foreach (json_get_array(inspect, "Mounts", NULL), index, item) {
        const char *type = json_get_string(item, "Type", NULL);
        const char *source = json_get_string(item, "Source", NULL);
        const char *destination = json_get_string(item, "Destination", NULL);
        if (!str_equal(destination, CONTAINER_STORAGE)) {
            bool matters = !str_empty(destination) && !is_generated(destination, source);
            container->other_mount = matters ? destination : container->other_mount;
        } else if (!bound && str_equal(type, "bind")) {
            container->storage = str_empty(source) ? NULL : container_path(arena, source);
        } else if (!bound) {
            container->storage_is_volume = str_equal(type, "volume");
        }
    }
}

static const char *valid_address(const char *s)
{
    return s != NULL && name_is_valid_address(s) ? s : NULL;
}

// Adds the values of what was declared when it was made.
static void learn_secrets(struct arena *arena, const struct container *container,
                          struct secrets *secrets)
{
    const char *names = container_label(container, CONTAINER_LABEL_ENVIRONMENT);
    const char *name = NULL;
    for (size_t i = 0; i < ENTRIES_MAX && (name = container_next_name(arena, &names)) != NULL;
         i++) {
        secrets_add(secrets, container_variable(container, name));
    }
}

int current_add_container(struct current *current, json_t *inspect, struct secrets *secrets,
                          struct error *err)
{
    struct arena *arena = &current->arena;
    const char *id = json_get_string(inspect, "Id", NULL);
    const char *name = json_get_string(inspect, "Name", NULL);
    name = name != NULL && name[0] == '/' ? name + 1 : name;
    if (id == NULL || !name_is_valid(id) || name == NULL || !name_is_valid(name)) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG, "the engine's answer is no container");
    }
    const char *policy = json_get_string(inspect, "HostConfig", "RestartPolicy", "Name", NULL);
    const json_t *endpoint =
        json_get_object(inspect, "NetworkSettings", "Networks", current->network, NULL);
    struct container container = {
        .id = id,
        .name = name,
        .image = text_or_empty(json_get_string(inspect, "Config", "Image", NULL)),
        .state = decode_state(json_get_string(inspect, "State", "Status", NULL)),
        .exit_code = (int)json_get_int(inspect, 0, "State", "ExitCode", NULL),
        .created_s = decode_time(json_get_string(inspect, "Created", NULL)),
        .started_s = decode_time(json_get_string(inspect, "State", "StartedAt", NULL)),
        .started = text_or_empty(json_get_string(inspect, "State", "StartedAt", NULL)),
        .stopped_s = container_stopped_s(inspect),
        .restart_policy = str_empty(policy) ? "no" : policy,
        .network_mode = text_or_empty(json_get_string(inspect, "HostConfig", "NetworkMode", NULL)),
        .variables = json_get_array(inspect, "Config", "Env", NULL),
        .labels = json_get_object(inspect, "Config", "Labels", NULL),
        .bindings = json_get_array(inspect, "HostConfig", "PortBindings", CONTAINER_PORT, NULL),
        .endpoint = endpoint,
        .network_id = text_or_empty(json_get_string(endpoint, "NetworkID", NULL)),
        .ipv4 = valid_address(json_get_string(endpoint, "IPAddress", NULL)),
        .ipv6 = valid_address(json_get_string(endpoint, "GlobalIPv6Address", NULL)),
        .gateway = valid_address(json_get_string(endpoint, "Gateway", NULL)),
    };
    if (json_array_size(container.variables) > ENTRIES_MAX ||
        json_object_size(container.labels) > ENTRIES_MAX ||
        json_array_size(container.bindings) > ENTRIES_MAX ||
        json_array_size(json_get_array(inspect, "Mounts", NULL)) > ENTRIES_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG,
                         "container %s has more than %d labels, variables, mounts or ports", name,
                         ENTRIES_MAX);
    }
    decode_mounts(arena, inspect, &container);
    learn_secrets(arena, &container, secrets);
    _cleanup_free_ char *error =
        secrets_hide(secrets, json_get_string(inspect, "State", "Error", NULL));
    container.state_error = str_empty(error) ? NULL : arena_dup(arena, error);
    *ARENA_GROW(arena, current->containers, current->container_count) = container;
    return json_array_append(current->answers, inspect);
}

void current_set_network(struct current *current, json_t *network)
{
    current->network_present = true;
    current->network_id = json_get_string(network, "Id", NULL);
    (void)json_array_append(current->answers, network);
}

// ----

struct current *current_new(const struct config *config)
{
    struct current *current = xcalloc(1, sizeof(*current));
    current->answers = json_array();
    current->engine = xcalloc(1, sizeof(*current->engine));
    current->engine->refs = 1;
    current->network = arena_dup(&current->arena, config->network);
    container_specs_make(config, &current->specs);
    while (current->fact_count < current->specs.count) {
        (void)ARENA_GROW(&current->arena, current->facts, current->fact_count);
    }
    return current;
}

void current_free(struct current *current)
{
    if (current != NULL) {
        engine_unref(current->engine);
        container_specs_done(&current->specs);
        json_decref(current->answers);
        arena_done(&current->arena);
        free(current);
    }
}

// By owner and name: what was made of an image of such a container has its labels, too.
void current_add_undeclared(struct current *current, const struct config *config)
{
    struct arena *arena = &current->arena;
    const char *owner = config->registry.name;
    const char *prefix = arena_printf(arena, CACHE_CONTAINER, owner, "");
    for (size_t i = 0; i < current->container_count; i++) {
        const struct container *container = &current->containers[i];
        if (str_starts_with(container->name, prefix) &&
            !is_known(current, container->name, container->storage) &&
            str_equal(container_label(container, CONTAINER_LABEL_OWNER), owner)) {
            container_specs_add_undeclared(config, &current->specs, container->name,
                                           container->storage);
            (void)ARENA_GROW(arena, current->facts, current->fact_count);
        }
    }
}

void current_finish_engine(struct current *current, const struct config *config)
{
    struct engine *engine = current->engine;
    struct arena *arena = &engine->arena;
    for (size_t i = 0; i < current->specs.count; i++) {
        const struct container_spec *spec = &current->specs.items[i];
        const struct storage *storage = &current->facts[i].storage;
        if (storage->total_bytes > 0) {
            *ARENA_GROW(arena, engine->storages, engine->storage_count) = (struct engine_storage){
                arena_dup(arena, spec->resource), arena_dup(arena, spec->storage),
                storage->free_bytes, storage->total_bytes};
        }
    }
    const struct container *registry = current_container(current, config->registry.name);
    if (registry != NULL && registry->endpoint != NULL) {
        engine->registry_ipv4 = arena_dup(arena, registry->ipv4);
        engine->registry_ipv6 = arena_dup(arena, registry->ipv6);
        engine->registry_network_id = arena_dup(arena, registry->network_id);
    }
}

const struct container *current_container(const struct current *current, const char *name)
{
    for (size_t i = 0; i < current->container_count; i++) {
        if (str_equal(current->containers[i].name, name)) {
            return &current->containers[i];
        }
    }
    return NULL;
}

const char *container_label(const struct container *container, const char *name)
{
    return json_get_string(container->labels, name, NULL);
}

// Of several of one name the last one counts.
const char *container_variable(const struct container *container, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = json_array_size(container->variables); i-- > 0;) {
        const char *text = json_string_value(json_array_get(container->variables, i));
        if (text != NULL && str_starts_with(text, name) && text[length] == '=') {
            return text + length + 1;
        }
    }
    return NULL;
}

bool container_is_up(const struct container *container)
{
    return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED ||
           container->state == CONTAINER_RESTARTING;
}
