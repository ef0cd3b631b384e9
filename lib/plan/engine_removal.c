// Nothing is wanted any more: own containers go, what was adopted or is another's stays. The
// storage stays in any case.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

static void remove_one(struct engine_plan *p, const struct world_container *container)
{
    if (world_container_endpoint(container, p->config->network) != NULL) {
        engine_act(p, (struct action_template){.type = ACTION_NETWORK_DISCONNECT,
                                               .verb = "detach",
                                               .resource = p->network_resource,
                                               .destructive = true,
                                               .target = container->name,
                                               .argument = p->config->network});
    }
    bool up = engine_is_up(container);
    if (up) {
        engine_act(p, (struct action_template){.type = ACTION_CONTAINER_STOP,
                                               .verb = "remove",
                                               .destructive = true,
                                               .target = container->name});
    }
    engine_remove(p, container, "remove", up);
}

void engine_plan_removal(struct engine_plan *p)
{
    for (size_t i = 0; i < p->engine->container_count; i++) {
        const struct world_container *container = &p->engine->containers[i];
        bool named = container == p->main || container == p->previous;
        if (!(named ? engine_is_own(p, container) : engine_is_stray(p, container))) {
            continue;
        }
        if (container->state == CONTAINER_REMOVING) {
            engine_judge(p, REASON_CONVERGING, "%s is being removed", container->name);
        } else {
            remove_one(p, container);
        }
    }
    if (engine_pending(p) != NULL) {
        engine_judge(p, REASON_CONVERGING, "remove is pending");
    } else if (p->main != NULL && !engine_is_own(p, p->main)) {
        engine_judge(p, REASON_CONVERGED, "%s is left alone: it was not made by this program",
                     p->main->name);
    }
}
