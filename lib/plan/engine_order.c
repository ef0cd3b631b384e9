// Who comes first to the addresses of the network. The engine gives the lowest free one to whoever
// starts, and a node that comes up is known to its cluster by the one that it had. So while nodes
// of the declared clusters are on their way the registry keeps off the network, and leaves an
// address there that one of them had. A node that stays away is waited for as long as nobody else
// could use the registry, else for PLAN_NODES_SECONDS after its end; an end that is further in the
// future was noted before a clock was set back.
// https://github.com/educates/educates-training-platform/issues/850
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

#include <stdlib.h>

static bool is_up(const struct world_node *node)
{
    return node->running || str_equal(node->status, "paused"); // paused, it keeps its address
}

static bool any_is_up(const struct engine_plan *p)
{
    for (size_t i = 0; i < p->engine->node_count; i++) {
        const struct world_node *node = &p->engine->nodes[i];
        if (is_up(node) && config_wants_cluster(p->config, node->cluster)) {
            return true;
        }
    }
    return false;
}

static bool is_awaited(const struct engine_plan *p, const struct world_node *node, bool any_up)
{
    return !is_up(node) && config_wants_cluster(p->config, node->cluster) &&
           (!any_up || llabs(p->engine->now_s - node->stopped_s) < PLAN_NODES_SECONDS);
}

const struct world_node *engine_awaited_node(const struct engine_plan *p)
{
    bool any_up = any_is_up(p);
    for (size_t i = 0; i < p->engine->node_count; i++) {
        if (is_awaited(p, &p->engine->nodes[i], any_up)) {
            return &p->engine->nodes[i];
        }
    }
    return NULL;
}

bool engine_is_in_the_way(const struct engine_plan *p, const struct world_container *container)
{
    const struct world_endpoint *endpoint = world_container_endpoint(container, p->config->network);
    if (endpoint == NULL) {
        return false;
    }
    if (container->state != CONTAINER_RUNNING) {
        return engine_awaited_node(p) != NULL; // its start would take an address
    }
    bool any_up = any_is_up(p);
    for (size_t i = 0; i < p->engine->node_count; i++) {
        const struct world_node *node = &p->engine->nodes[i];
        if (node->address != NULL && str_equal(node->address, endpoint->ipv4) &&
            is_awaited(p, node, any_up)) {
            return true;
        }
    }
    return false;
}
