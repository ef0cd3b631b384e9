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

static void attach(struct engine_plan *p)
{
    struct action_template template = {.type = ACTION_NETWORK_DISCONNECT,
                                       .verb = "attach",
                                       .resource = p->network_resource,
                                       .target = p->config->registry.name,
                                       .argument = p->config->network};
    if (!p->fresh && !p->disconnected &&
        world_container_endpoint(p->holder, p->config->network) != NULL) {
        engine_act(p, template);
    }
    template.type = ACTION_NETWORK_CONNECT;
    template.step = true;
    engine_act(p, template);
}

static int judge_network(struct engine_plan *p)
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
    if (p->input->wanted && p->engine->network_present && (p->holder != NULL || p->fresh) &&
        !is_attached(p)) {
        attach(p);
    }
    if (judge_network(p) < 0) {
        p->oom = true;
    }
}
