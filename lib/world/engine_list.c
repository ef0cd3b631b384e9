// What the list of containers (GET /containers/json?all=1) tells: the nodes of kind clusters, where
// their API servers are published, and which containers are to be looked at closer.
#include "lib/doc/json.h"
#include "lib/world/engine.h"

#include "lib/base/str.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>

#define API_PORT 6443 // in the container (kind pkg/cluster/internal/providers/common)
#define CONTAINERS_MAX 10000

static int check_list(const json_t *list, struct error *err)
{
    if (!json_is_array(list)) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "the engine's answer is no list of containers");
    }
    return json_array_size(list) <= CONTAINERS_MAX
               ? 0
               : error_set(err, ERROR_PERMANENT, E2BIG, "the engine has more than %d containers",
                           CONTAINERS_MAX);
}

// A container has one name of its own, "/NAME"; a legacy link adds "/OTHER/ALIAS".
static const char *item_name(const json_t *item)
{
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach (json_get_array(item, "Names", NULL), index, value) {
        const char *name = json_string_value(value);
        if (name != NULL && name[0] == '/' && world_name_is_valid(name + 1)) {
            return name + 1;
        }
    }
    return NULL;
}

// NULL when it has none that can stand in a request.
static const char *item_id(const json_t *item)
{
    const char *id = json_get_string(item, "Id", NULL);
    return id != NULL && world_name_is_valid(id) ? id : NULL;
}

static int add_node(struct world_engine *engine, const json_t *item, const char *cluster,
                    enum node_role role)
{
    struct world_node *nodes =
        reallocarray(engine->nodes, engine->node_count + 1, sizeof(*engine->nodes));
    if (nodes == NULL) {
        return -ENOMEM;
    }
    engine->nodes = nodes;
    const char *state = json_get_string(item, "State", NULL);
    struct world_node *node = &nodes[engine->node_count++];
    *node = (struct world_node){.role = role, .running = str_equal(state, "running")};
    if (str_replace(&node->id, item_id(item)) < 0 ||
        str_replace(&node->name, item_name(item)) < 0 || str_replace(&node->cluster, cluster) < 0 ||
        str_replace(&node->status, state == NULL ? "" : state) < 0) {
        return -ENOMEM;
    }
    return 0;
}

// The published address of the API server, IPv4 before IPv6; NULL when there is none.
static const json_t *item_api_port(const json_t *item)
{
    const json_t *found = NULL;
    size_t index = 0;
    json_t *port = NULL;
    json_array_foreach (json_get_array(item, "Ports", NULL), index, port) {
        int64_t published = json_get_int(port, 0, "PublicPort", NULL);
        const char *address = json_get_string(port, "IP", NULL);
        if (json_get_int(port, 0, "PrivatePort", NULL) != API_PORT || published < 1 ||
            published > UINT16_MAX || address == NULL ||
            !(address[0] == '\0' || world_address_is_valid(address)) ||
            !str_equal(json_get_string(port, "Type", NULL), "tcp")) {
            continue;
        }
        if (strchr(address, ':') == NULL) {
            return port;
        }
        if (found == NULL) {
            found = port;
        }
    }
    return found;
}

// Keeps one API for each cluster: of the load balancer, else of the container whose name is first.
struct api_candidate {
    const char *cluster;
    const char *name;
    bool balancer;
    const json_t *port;
};

static bool is_better(const struct api_candidate *a, const struct api_candidate *b)
{
    return a->balancer != b->balancer ? a->balancer : strcmp(a->name, b->name) < 0;
}

static int add_api(struct world_engine *engine, const struct api_candidate *candidate)
{
    struct world_api *apis =
        reallocarray(engine->apis, engine->api_count + 1, sizeof(*engine->apis));
    if (apis == NULL) {
        return -ENOMEM;
    }
    engine->apis = apis;
    struct world_api *api = &apis[engine->api_count++];
    *api = (struct world_api){.host_port =
                                  (uint16_t)json_get_int(candidate->port, 0, "PublicPort", NULL)};
    if (str_replace(&api->cluster, candidate->cluster) < 0 ||
        str_replace(&api->host_address, json_get_string(candidate->port, "IP", NULL)) < 0) {
        return -ENOMEM;
    }
    return 0;
}

static void consider_api(struct api_candidate *candidates, size_t *count,
                         const struct api_candidate *candidate)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_equal(candidates[i].cluster, candidate->cluster)) {
            if (is_better(candidate, &candidates[i])) {
                candidates[i] = *candidate;
            }
            return;
        }
    }
    candidates[(*count)++] = *candidate;
}

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const struct world_node *)a)->name, ((const struct world_node *)b)->name);
}

int world_engine_decode_nodes(const json_t *list, struct world_engine *engine, struct error *err)
{
    int r = check_list(list, err);
    if (r < 0) {
        return r;
    }
    // One more than needed: calloc(0) may give NULL.
    _cleanup_free_ struct api_candidate *candidates =
        calloc(json_array_size(list) + 1, sizeof(*candidates));
    if (candidates == NULL) {
        return error_oom(err);
    }

    size_t count = 0;
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        const char *cluster = json_get_string(item, "Labels", WORLD_LABEL_KIND_CLUSTER, NULL);
        const char *role = json_get_string(item, "Labels", WORLD_LABEL_KIND_ROLE, NULL);
        const char *name = item_name(item);
        if (cluster == NULL || !world_name_is_valid(cluster) || name == NULL ||
            item_id(item) == NULL) {
            continue;
        }
        bool balancer = str_equal(role, "external-load-balancer");
        bool control_plane = str_equal(role, "control-plane");
        const json_t *port = balancer || control_plane ? item_api_port(item) : NULL;
        if (port != NULL) {
            consider_api(candidates, &count,
                         &(struct api_candidate){cluster, name, balancer, port});
        }
        if ((control_plane || str_equal(role, "worker")) &&
            add_node(engine, item, cluster, control_plane ? NODE_CONTROL_PLANE : NODE_WORKER) < 0) {
            return error_oom(err);
        }
    }

    for (size_t i = 0; i < count; i++) {
        if (add_api(engine, &candidates[i]) < 0) {
            return error_oom(err);
        }
    }
    if (engine->node_count > 0) {
        qsort(engine->nodes, engine->node_count, sizeof(*engine->nodes), compare_nodes);
    }
    return 0;
}

int world_engine_registry_ids(const json_t *list, const char *name, struct strv *ret,
                              struct error *err)
{
    int r = check_list(list, err);
    if (r < 0) {
        return r;
    }
    _cleanup_free_ char *previous = str_printf("%s" WORLD_PREVIOUS_SUFFIX, name);
    if (previous == NULL) {
        return error_oom(err);
    }
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        const char *id = item_id(item);
        const char *found = item_name(item);
        bool wanted = str_equal(found, name) || str_equal(found, previous) ||
                      json_get_string(item, "Labels", WORLD_LABEL_OWNER, NULL) != NULL;
        if (wanted && id != NULL && strv_add(ret, id) < 0) {
            return error_oom(err);
        }
    }
    return 0;
}

// A container that does not run may be on a network that is gone
// (https://github.com/moby/moby/issues/17160), and of an image that is: an image is shown by its id
// once its name is another's.
int world_engine_infer(const json_t *list, const char *name, const char *image, const char *network,
                       struct world_engine *engine)
{
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        if (!str_equal(json_get_string(item, "State", NULL), "running")) {
            continue;
        }
        const char *id =
            json_get_string(item, "NetworkSettings", "Networks", network, "NetworkID", NULL);
        if (!str_empty(id)) {
            engine->network_present = true;
            if (str_replace(&engine->network_id, id) < 0) {
                return -ENOMEM;
            }
        }
        engine->image_present =
            engine->image_present || (str_equal(item_name(item), name) &&
                                      str_equal(json_get_string(item, "Image", NULL), image));
    }
    return 0;
}

static bool is_every_address(const char *address)
{
    return str_empty(address) || str_equal(address, "0.0.0.0") || str_equal(address, "::");
}

static bool publishes(const json_t *item, const char *address, uint16_t port)
{
    size_t index = 0;
    json_t *published = NULL;
    json_array_foreach (json_get_array(item, "Ports", NULL), index, published) {
        const char *its_address = json_get_string(published, "IP", NULL);
        if (json_get_int(published, 0, "PublicPort", NULL) == port &&
            str_equal(json_get_string(published, "Type", NULL), "tcp") &&
            (str_equal(its_address, address) || is_every_address(its_address) ||
             is_every_address(address))) {
            return true;
        }
    }
    return false;
}

int world_engine_find_port_holder(const json_t *list, const char *address, uint16_t port,
                                  struct world_engine *engine)
{
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (list, index, item) {
        if (item_name(item) != NULL && publishes(item, address, port)) {
            return str_replace(&engine->port_holder, item_name(item));
        }
    }
    return 0;
}
