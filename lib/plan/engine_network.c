// The registry's place on the clusters' network. The network is kind's: it is waited for.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

static bool is_attached(const struct engine_plan *p)
{
    const struct world_endpoint *endpoint =
        p->fresh || p->disconnected ? NULL
                                    : world_container_endpoint(p->holder, p->config->network);
    return endpoint != NULL && !engine_endpoint_is_stale(p, p->holder) &&
           strv_contains(&endpoint->aliases, p->config->registry.name) &&
           (p->holder->state != CONTAINER_RUNNING || endpoint->ipv4 != NULL ||
            endpoint->ipv6 != NULL);
}

struct action *engine_detach(struct engine_plan *p, const char *verb)
{
    p->disconnected = true;
    return engine_act(p, (struct action_template){.type = ACTION_NETWORK_DISCONNECT,
                                                  .verb = verb,
                                                  .resource = p->network_resource,
                                                  .target = p->config->registry.name,
                                                  .argument = p->config->network});
}

void engine_give_way(struct engine_plan *p, const struct world_container *container)
{
    const struct world_endpoint *endpoint = world_container_endpoint(container, p->config->network);
    struct action *action = engine_detach(p, "give way");
    if (action != NULL && endpoint->ipv4 != NULL &&
        action_add_diff(action, "address", endpoint->ipv4, NULL) < 0) {
        p->oom = true;
    }
}

static void attach(struct engine_plan *p)
{
    if (!p->fresh && !p->disconnected &&
        world_container_endpoint(p->holder, p->config->network) != NULL) {
        (void)engine_detach(p, "attach");
    }
    engine_act(p, (struct action_template){.type = ACTION_NETWORK_CONNECT,
                                           .verb = "attach",
                                           .step = true,
                                           .resource = p->network_resource,
                                           .target = p->config->registry.name,
                                           .argument = p->config->network});
}

static int judge_network(struct engine_plan *p, const struct world_node *awaited)
{
    const char *resource = p->network_resource;
    bool pending = plan_touches(&p->plan, resource);
    if (!p->input->wanted) {
        return pending ? plan_add_condition(&p->plan, resource, NULL, READY_FALSE,
                                            REASON_CONVERGING, "detach is pending")
                       : plan_add_converged(&p->plan, resource, NULL);
    }
    if (!p->engine->network_present) {
        return plan_add_condition(&p->plan, resource, NULL, READY_FALSE, REASON_NETWORK_MISSING,
                                  PLAN_NETWORK_MISSING, p->config->network);
    }
    if (awaited != NULL && (pending || p->holder == NULL || !is_attached(p))) {
        return plan_add_condition(&p->plan, resource, NULL, READY_FALSE, REASON_NODE_NOT_RUNNING,
                                  "waits for %s, which comes first to its address on the network; "
                                  "start it with `docker start %s`",
                                  awaited->name, awaited->name);
    }
    if (pending) {
        return plan_add_condition(&p->plan, resource, NULL, READY_FALSE, REASON_CONVERGING,
                                  "attach is pending");
    }
    if (p->holder == NULL || p->holder->state != CONTAINER_RUNNING) {
        return plan_add_condition(&p->plan, resource, NULL, READY_FALSE, REASON_CONVERGING,
                                  "waits for %s to run", p->container_resource);
    }
    return plan_add_converged(&p->plan, resource, NULL);
}

void engine_plan_network(struct engine_plan *p)
{
    bool attachable =
        p->input->wanted && p->engine->network_present && (p->holder != NULL || p->fresh);
    const struct world_node *awaited = engine_awaited_node(p);
    if (attachable && awaited == NULL && !is_attached(p)) {
        attach(p);
    } else if (attachable && !p->fresh && !p->disconnected &&
               p->holder->state == CONTAINER_RUNNING && engine_is_in_the_way(p, p->holder)) {
        engine_give_way(p, p->holder);
    }
    if (judge_network(p, awaited) < 0) {
        p->oom = true;
    }
}
