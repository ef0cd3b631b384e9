#include "lib/world/engine.h"

#include "lib/base/sorted.h"
#include "lib/base/str.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>

const struct world_endpoint *world_container_endpoint(const struct world_container *container,
                                                      const char *network)
{
    for (size_t i = 0; i < container->endpoint_count; i++) {
        if (str_equal(container->endpoints[i].network, network)) {
            return &container->endpoints[i];
        }
    }
    return NULL;
}

const struct world_container *world_engine_container(const struct world_engine *engine,
                                                     const char *name)
{
    for (size_t i = 0; i < engine->container_count; i++) {
        if (str_equal(engine->containers[i].name, name)) {
            return &engine->containers[i];
        }
    }
    return NULL;
}

static int compare_node(const char *name, const void *element)
{
    return strcmp(name, ((const struct world_node *)element)->name);
}

const struct world_node *world_engine_node(const struct world_engine *engine, const char *name)
{
    bool found = false;
    size_t index = sorted_search(engine->nodes, engine->node_count, sizeof(*engine->nodes), name,
                                 compare_node, &found);
    return found ? &engine->nodes[index] : NULL;
}

const struct world_api *world_engine_api(const struct world_engine *engine, const char *cluster)
{
    for (size_t i = 0; i < engine->api_count; i++) {
        if (str_equal(engine->apis[i].cluster, cluster)) {
            return &engine->apis[i];
        }
    }
    return NULL;
}

int world_node_set_address(struct world_node *node, const char *content)
{
    _cleanup_free_ char *text = str_dup_n(content, strcspn(content, "\n"));
    if (text == NULL) {
        return -ENOMEM;
    }
    return str_replace(&node->address, world_address_is_valid(text) ? text : NULL);
}

void world_container_done(struct world_container *container)
{
    free(container->id);
    free(container->name);
    free(container->image);
    free(container->state_error);
    secrets_free(container->secrets);
    free(container->restart_policy);
    free(container->storage);
    free(container->other_mount);
    strmap_done(&container->environment);
    strmap_done(&container->labels);
    for (size_t i = 0; i < container->binding_count; i++) {
        free(container->bindings[i].container_port);
        free(container->bindings[i].host_address);
        free(container->bindings[i].host_port);
    }
    free(container->bindings);
    for (size_t i = 0; i < container->endpoint_count; i++) {
        free(container->endpoints[i].network);
        free(container->endpoints[i].network_id);
        free(container->endpoints[i].ipv4);
        free(container->endpoints[i].ipv6);
        strv_done(&container->endpoints[i].aliases);
    }
    free(container->endpoints);
    *container = (struct world_container){0};
}

void world_engine_free(struct world_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    for (size_t i = 0; i < engine->container_count; i++) {
        world_container_done(&engine->containers[i]);
    }
    free(engine->containers);
    free(engine->network_id);
    free(engine->port_holder);
    for (size_t i = 0; i < engine->node_count; i++) {
        free(engine->nodes[i].id);
        free(engine->nodes[i].name);
        free(engine->nodes[i].cluster);
        free(engine->nodes[i].status);
        free(engine->nodes[i].address);
    }
    free(engine->nodes);
    for (size_t i = 0; i < engine->api_count; i++) {
        free(engine->apis[i].cluster);
        free(engine->apis[i].host_address);
    }
    free(engine->apis);
    free(engine);
}
