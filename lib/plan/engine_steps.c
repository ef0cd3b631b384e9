// The steps that plans of the registry's container are made of.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

#include <errno.h>

void engine_make_storage(struct engine_plan *p)
{
    if (p->engine->storage_error == ENOENT) {
        engine_act(p, (struct action_template){.type = ACTION_STORAGE_MAKE,
                                               .verb = "make storage",
                                               .target = p->config->registry.storage});
    }
}

void engine_prepare(struct engine_plan *p)
{
    engine_make_storage(p);
    if (!p->engine->image_present) {
        engine_act(p, (struct action_template){.type = ACTION_IMAGE_PULL,
                                               .verb = "pull",
                                               .target = p->config->registry.image});
    }
}

void engine_stop_others(struct engine_plan *p, const struct world_container *started,
                        const char *verb)
{
    for (size_t i = 0; i < p->engine->container_count; i++) {
        const struct world_container *other = &p->engine->containers[i];
        if (other != started && engine_is_up(other) &&
            (other == p->previous || engine_is_stray(p, other))) {
            engine_act(p, (struct action_template){.type = ACTION_CONTAINER_STOP,
                                                   .verb = verb,
                                                   .step = true,
                                                   .target = other->name});
        }
    }
}

void engine_start(struct engine_plan *p, const struct world_container *container, const char *verb)
{
    if (container != NULL && engine_endpoint_is_stale(p, container)) {
        (void)engine_detach(p, "attach");
    } else if (container != NULL && engine_is_in_the_way(p, container)) {
        engine_give_way(p, container);
    }
    engine_act(p, (struct action_template){.type = ACTION_CONTAINER_START,
                                           .verb = verb,
                                           .step = true,
                                           .target = p->config->registry.name});
}

void engine_unpause(struct engine_plan *p, const char *name)
{
    engine_act(
        p, (struct action_template){
               .type = ACTION_CONTAINER_UNPAUSE, .verb = "unpause", .step = true, .target = name});
}

void engine_take_name(struct engine_plan *p, const struct world_container *container,
                      const char *verb)
{
    engine_act(p, (struct action_template){.type = ACTION_CONTAINER_RENAME,
                                           .verb = verb,
                                           .step = true,
                                           .target = container->name,
                                           .argument = p->config->registry.name});
    if (container->state == CONTAINER_PAUSED) {
        engine_unpause(p, p->config->registry.name);
    } else if (!engine_is_up(container)) {
        engine_stop_others(p, container, "stop");
        engine_start(p, container, verb);
    }
}

// An adopted container has no label of its own that tells whose it is.
static int label_adopted(json_t *spec, const struct world_container *replaced)
{
    return replaced == NULL || engine_is_labelled(replaced)
               ? 0
               : json_object_set_new(json_object_get(spec, "Labels"), WORLD_LABEL_REPLACES,
                                     json_string(replaced->id));
}

void engine_create(struct engine_plan *p, const char *verb, const struct world_container *replaced,
                   struct field_diffs *diffs, bool step)
{
    json_auto_t *spec = desired_container_spec(&p->desired);
    if (spec == NULL || label_adopted(spec, replaced) < 0) {
        p->oom = true;
        return;
    }
    struct action *action =
        engine_act(p, (struct action_template){.type = ACTION_CONTAINER_CREATE,
                                               .verb = verb,
                                               .destructive = p->previous != NULL,
                                               .step = step,
                                               .target = p->config->registry.name,
                                               .body = spec});
    if (action != NULL && diffs != NULL) {
        action_take_diffs(action, diffs);
    }
    p->fresh = true;
}

void engine_remove(struct engine_plan *p, const struct world_container *container, const char *verb,
                   bool step)
{
    struct action *action = engine_act(p, (struct action_template){.type = ACTION_CONTAINER_REMOVE,
                                                                   .verb = verb,
                                                                   .destructive = true,
                                                                   .step = step,
                                                                   .target = container->id});
    if (action != NULL && action_add_diff(action, container->name, "present", NULL) < 0) {
        p->oom = true;
    }
}
