// The middle of a recreate: the new container and the old one are both there.
#include "lib/plan/engine_plan.h"

// Whether main, made by a recreate, did not come up; says why.
static bool has_failed(struct engine_plan *p)
{
    const struct world_container *main = p->main;
    switch (main->state) {
    case CONTAINER_EXITED:
    case CONTAINER_DEAD:
    case CONTAINER_RESTARTING:
        if (main->state_error != NULL) {
            engine_judge_start_error(p, main->state_error);
        } else {
            engine_judge(p, REASON_UNAVAILABLE, "the new container ended with exit code %d",
                         main->exit_code);
        }
        return true;
    case CONTAINER_CREATED:
        if (main->state_error != NULL) {
            engine_judge_start_error(p, main->state_error);
        }
        return main->state_error != NULL;
    case CONTAINER_RUNNING:
        if (p->engine->probe == PROBE_SILENT && engine_is_late(p, main)) {
            engine_judge(p, REASON_UNAVAILABLE, "the new container runs but does not answer");
            return true;
        }
        return false;
    case CONTAINER_UNKNOWN:
    case CONTAINER_PAUSED:
    case CONTAINER_REMOVING:
        break;
    }
    return false;
}

static bool main_differs(struct engine_plan *p)
{
    _cleanup_(field_diffs_done) struct field_diffs diffs = {0};
    engine_compare(p, p->main, &diffs);
    return diffs.count > 0;
}

// Both are there and nothing can be done about it but to see that main runs.
static void judge_beside_previous(struct engine_plan *p)
{
    if (main_differs(p) && !engine_is_labelled(p->main)) {
        engine_judge_name_taken(p);
    } else if (p->main->state == CONTAINER_RUNNING && !engine_is_late(p, p->main)) {
        engine_judge(p, REASON_CONVERGING, "is started; %s is kept until it answers",
                     p->previous_name);
    }
}

void engine_plan_recreating(struct engine_plan *p)
{
    const struct world_container *main = p->main;
    // One without a label was not made by a recreate. A dead one is of no use whoever made it.
    bool is_new = engine_is_labelled(main) || main->state == CONTAINER_DEAD;
    if (p->previous->state == CONTAINER_REMOVING || p->previous->state == CONTAINER_UNKNOWN) {
        engine_judge(p, REASON_CONVERGING, "waits for the engine to end what it does with %s",
                     p->previous_name);
    } else if (engine_answers(p) || p->previous->state == CONTAINER_DEAD) {
        engine_remove(p, p->previous, "remove", false);
    } else if (is_new && main_differs(p)) {
        // Made for a configuration that has changed since: whether it comes up does not matter, and
        // where it answers is not asked. Without it the old one is restored, or followed by
        // another.
        engine_remove(p, main, "recreate", false);
        p->holder = NULL;
    } else if (is_new && has_failed(p)) {
        engine_remove(p, main, PLAN_VERB_PUT_BACK, false);
        engine_take_name(p, p->previous, PLAN_VERB_PUT_BACK);
        p->holder = NULL;
    } else if (is_new && main->state == CONTAINER_CREATED) {
        // The old one runs still, unless a plan ended between the two steps.
        engine_stop_others(p, main, "recreate");
        engine_start(p, main, "recreate");
    } else {
        judge_beside_previous(p);
        engine_plan_state(p);
    }
}
