// The key "engine": whose each container is, then the parts, then the conditions.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const struct action *engine_pending(const struct engine_plan *p)
{
    for (size_t i = 0; i < p->plan.action_count; i++) {
        if (str_equal(p->plan.actions[i].resource, p->container_resource)) {
            return &p->plan.actions[i];
        }
    }
    return NULL;
}

struct action *engine_act(struct engine_plan *p, struct action_template template)
{
    if (template.resource == NULL) {
        template.resource = p->container_resource;
    }
    template.step = template.step &&plan_touches(&p->plan, template.resource);
    struct action *action = plan_add_action(&p->plan, &template);
    if (action == NULL) {
        p->oom = true;
    }
    return action;
}

void engine_judge(struct engine_plan *p, enum reason reason, const char *format, ...)
{
    if (p->judged) {
        return;
    }
    va_list args;
    va_start(args, format);
    p->message = str_vprintf(format, args);
    va_end(args);
    p->judged = true;
    p->ready = reason == REASON_CONVERGED ? READY_TRUE : READY_FALSE;
    p->reason = reason;
    if (p->message == NULL) {
        p->oom = true;
    }
}

static const char *owner(const struct world_container *container)
{
    return strmap_get(&container->labels, WORLD_LABEL_OWNER);
}

bool engine_is_labelled(const struct world_container *container)
{
    return owner(container) != NULL;
}

bool engine_is_own(const struct engine_plan *p, const struct world_container *container)
{
    return engine_is_labelled(container) &&
           (str_equal(owner(container), p->config->registry.name) ||
            engine_has_storage(p, container));
}

bool engine_is_stray(const struct engine_plan *p, const struct world_container *container)
{
    return container != p->main && container != p->previous && container != p->blocker &&
           engine_is_labelled(container) && engine_has_storage(p, container) &&
           !engine_holds_images(container);
}

bool engine_is_up(const struct world_container *container)
{
    return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED ||
           container->state == CONTAINER_RESTARTING;
}

bool engine_endpoint_is_stale(const struct engine_plan *p, const struct world_container *container)
{
    const struct world_endpoint *endpoint = world_container_endpoint(container, p->config->network);
    // A container that was never started is attached by name: it has no id yet.
    return endpoint != NULL && p->engine->network_present && !str_empty(endpoint->network_id) &&
           !str_equal(endpoint->network_id, p->engine->network_id);
}

bool engine_lacks_network(const struct engine_plan *p, const struct world_container *container)
{
    return !p->engine->network_present && !engine_is_up(container) &&
           world_container_endpoint(container, p->config->network) != NULL;
}

// Whether it is the adopted container of a recreate: it has no label, and is not somebody's backup
// if the one that has taken its place says so.
static bool is_adopted(const struct engine_plan *p, const struct world_container *named)
{
    bool begun =
        p->main == NULL || str_equal(strmap_get(&p->main->labels, WORLD_LABEL_REPLACES), named->id);
    return begun && engine_is_adoptable(p, named);
}

static int engine_begin(struct engine_plan *p)
{
    p->container_resource = resource_container(p->config);
    p->network_resource = resource_network(p->config);
    p->previous_name = str_printf("%s" WORLD_PREVIOUS_SUFFIX, p->config->registry.name);
    if (p->container_resource == NULL || p->network_resource == NULL || p->previous_name == NULL ||
        desired_container(p->config, &p->desired) < 0) {
        return -ENOMEM;
    }
    if (p->input->rejected_digest != NULL) {
        _cleanup_free_ char *digest = NULL;
        if (desired_container_digest(&p->desired, &digest) < 0) {
            return -ENOMEM;
        }
        p->rejected = str_equal(p->input->rejected_digest, digest);
    }
    p->main = world_engine_container(p->engine, p->config->registry.name);
    const struct world_container *named = world_engine_container(p->engine, p->previous_name);
    if (named != NULL && (engine_is_own(p, named) || is_adopted(p, named))) {
        p->previous = named;
    } else {
        p->blocker = named;
    }
    return 0;
}

static int judge_container(struct engine_plan *p)
{
    engine_judge(p, REASON_CONVERGED, "%s", ""); // unless something else was said
    return p->oom ? -ENOMEM
                  : plan_add_condition(&p->plan, p->container_resource, NULL, p->ready, p->reason,
                                       "%s", p->message);
}

static int engine_parts(struct engine_plan *p)
{
    if (p->input->wanted) {
        engine_plan_container(p);
    } else {
        engine_plan_removal(p);
    }
    int r = judge_container(p);
    if (r < 0) {
        return r;
    }
    engine_plan_network(p);
    return p->oom ? -ENOMEM : 0;
}

static void engine_plan_done(struct engine_plan *p)
{
    plan_done(&p->plan);
    desired_container_done(&p->desired);
    free(p->container_resource);
    free(p->network_resource);
    free(p->previous_name);
    free(p->message);
}

int plan_engine(const struct plan_input *input, struct plan *ret, struct error *err)
{
    _cleanup_(engine_plan_done) struct engine_plan p = {
        .input = input, .config = input->config, .engine = input->engine};
    if (engine_begin(&p) < 0 || engine_parts(&p) < 0) {
        return error_oom(err);
    }
    *ret = TAKE_STRUCT(p.plan);
    return 0;
}
