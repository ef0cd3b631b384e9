// The registry's container. A recreate loses nothing, wherever it is interrupted: the old container
// keeps its data and is only renamed (NAME-previous) and stopped; it is removed when the new one
// answers and put back when that does not come up. Every plan decides from what is there alone:
//
//     NAME           NAME-previous
//     absent         absent          create it, or rename an own one that goes by another name
//     absent         there           go on with the recreate, or give the name back
//     differs        there           remove the new one: the declaration has changed since
//     not started    there           stop the old one, start the new one
//     up, silent     there           wait for PLAN_COMEUP_SECONDS
//     up, answers    there           remove the old one
//     failed         there           put back
//     differs        absent          recreate
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A start far in the future was noted before a clock was set back: it is not waited for that long.
bool engine_is_late(const struct engine_plan *p, const struct world_container *container)
{
    return llabs(p->engine->now_s - container->started_s) >= PLAN_COMEUP_SECONDS;
}

// Where the registry cannot be asked from here, one that has stayed up for long enough is taken to
// answer.
bool engine_answers(const struct engine_plan *p)
{
    return p->main->state == CONTAINER_RUNNING &&
           (p->engine->probe == PROBE_ANSWERS ||
            (p->engine->probe == PROBE_NONE && engine_is_late(p, p->main)));
}

void engine_judge_start_error(struct engine_plan *p, const char *text)
{
    if (plan_port_is_taken(text)) {
        char taken[PLAN_PORT_TEXT_SIZE];
        plan_port_text(p->input, taken, sizeof(taken));
        engine_judge(p, REASON_PORT_IN_USE, "%s", taken);
    } else {
        engine_judge(p, REASON_ERROR, "the container does not start: %s", text);
    }
}

// Whether something of the machine keeps a container from being made; says so.
static bool storage_is_bad(struct engine_plan *p)
{
    int error = p->engine->storage_error;
    if (error == 0 || error == ENOENT) {
        return false;
    }
    const char *why = strerrordesc_np(error);
    engine_judge(p, REASON_STORAGE_NOT_WRITABLE,
                 "%s cannot be used (%s); make the directory writable or change registry.storage",
                 p->config->registry.storage, why == NULL ? "unknown error" : why);
    return true;
}

bool engine_can_return(const struct world_container *container)
{
    return container->state != CONTAINER_DEAD && container->state != CONTAINER_REMOVING &&
           container->state != CONTAINER_UNKNOWN;
}

// The renamed own container: one that is up first.
static const struct world_container *find_renamed(const struct engine_plan *p)
{
    const struct world_container *found = NULL;
    for (size_t i = 0; i < p->engine->container_count; i++) {
        const struct world_container *container = &p->engine->containers[i];
        if (engine_is_stray(p, container) && engine_can_return(container) &&
            (found == NULL || (engine_is_up(container) && !engine_is_up(found)))) {
            found = container;
        }
    }
    return found;
}

static void judge_rejected(struct engine_plan *p)
{
    engine_judge(p, p->input->rejected_reason, "%s",
                 p->input->rejected_text == NULL ? "" : p->input->rejected_text);
}

static void plan_absent(struct engine_plan *p)
{
    _cleanup_(field_diffs_done) struct field_diffs diffs = {0};
    if (p->previous != NULL && engine_can_return(p->previous)) {
        engine_compare(p, p->previous, &diffs);
        if (p->rejected) {
            judge_rejected(p);
        }
        if (p->rejected || !p->engine->image_present || diffs.count == 0 || storage_is_bad(p)) {
            engine_take_name(p, p->previous, "restore");
            return;
        }
    }
    const struct world_container *renamed = find_renamed(p);
    if (p->previous == NULL && renamed != NULL) {
        engine_take_name(p, renamed, "rename");
        return;
    }
    if (storage_is_bad(p)) {
        return;
    }
    engine_prepare(p);
    engine_create(p, p->previous == NULL ? "create" : "recreate", p->previous, &diffs, false);
    engine_stop_others(p, NULL, "stop");
    engine_start(p, NULL, "start");
}

static void remove_strays(struct engine_plan *p)
{
    for (size_t i = 0; i < p->engine->container_count; i++) {
        const struct world_container *container = &p->engine->containers[i];
        if (engine_is_stray(p, container) && container->state != CONTAINER_REMOVING) {
            engine_remove(p, container, "remove", false);
        }
    }
}

void engine_judge_name_taken(struct engine_plan *p)
{
    engine_judge(p, REASON_NAME_CONFLICT,
                 "a recreate needs the name %s, which another container has; rename or remove that "
                 "container",
                 p->previous_name);
}

// Whether a container cannot be replaced for now; says why.
static bool recreate_is_blocked(struct engine_plan *p)
{
    if (p->rejected) {
        judge_rejected(p);
        return true;
    }
    if (p->blocker != NULL) {
        engine_judge_name_taken(p);
        return true;
    }
    if (engine_holds_images(p->main)) {
        engine_judge_holds_images(p);
        return true;
    }
    return storage_is_bad(p);
}

// Not by rename: a dead container takes no new name. Its data is in the storage.
static void replace_dead(struct engine_plan *p)
{
    // A name that is not needed here; but without it nobody could tell whose that container is.
    if (p->blocker != NULL) {
        engine_judge_name_taken(p);
        return;
    }
    if (storage_is_bad(p)) {
        return;
    }
    engine_prepare(p);
    engine_remove(p, p->main, "recreate", false);
    engine_create(p, "create", NULL, NULL, true);
    engine_stop_others(p, NULL, "stop");
    engine_start(p, NULL, "start");
}

static void recreate(struct engine_plan *p, struct field_diffs *diffs)
{
    engine_prepare(p);
    struct action *action = engine_act(p, (struct action_template){.type = ACTION_CONTAINER_RENAME,
                                                                   .verb = "recreate",
                                                                   .destructive = true,
                                                                   .target = p->main->name,
                                                                   .argument = p->previous_name});
    if (action != NULL) {
        action_take_diffs(action, diffs);
    }
    engine_create(p, "create", p->main, NULL, true);
    engine_stop_others(p, NULL, "stop");
    if (engine_is_up(p->main)) {
        engine_act(p, (struct action_template){.type = ACTION_CONTAINER_STOP,
                                               .verb = "stop",
                                               .step = true,
                                               .target = p->previous_name});
    }
    engine_start(p, NULL, "start");
}

static void update_restart_policy(struct engine_plan *p)
{
    const char *is = p->main->restart_policy;
    const char *should = p->desired.restart_policy;
    if (str_equal(is, should)) {
        return;
    }
    json_auto_t *body = json_pack("{s:{s:s}}", "RestartPolicy", "Name", should);
    struct action *action =
        body == NULL ? NULL
                     : engine_act(p, (struct action_template){.type = ACTION_CONTAINER_UPDATE,
                                                              .verb = "update",
                                                              .target = p->main->name,
                                                              .body = body});
    if (action == NULL || action_add_diff(action, "restart", is, should) < 0) {
        p->oom = true;
    }
}

// The directory was taken away under the container, which still writes into the one that has no
// name any more.
static void restart_over_new_storage(struct engine_plan *p)
{
    engine_act(p, (struct action_template){.type = ACTION_CONTAINER_STOP,
                                           .verb = "restart",
                                           .destructive = true,
                                           .target = p->main->name});
    engine_make_storage(p);
    engine_start(p, p->main, "start");
}

static void judge_running(struct engine_plan *p)
{
    char listen[PLAN_LISTEN_SIZE];
    plan_listen_text(p->config, listen, sizeof(listen));
    if (p->engine->probe != PROBE_SILENT) {
        return;
    }
    if (engine_is_late(p, p->main)) {
        engine_judge(p, REASON_UNAVAILABLE,
                     "runs but does not answer at http://%s/v2/; see `docker logs %s`", listen,
                     p->main->name);
    } else {
        engine_judge(p, REASON_CONVERGING, "is started and does not answer at http://%s/v2/ yet",
                     listen);
    }
}

void engine_plan_state(struct engine_plan *p)
{
    const struct world_container *main = p->main;
    switch (main->state) {
    case CONTAINER_CREATED:
    case CONTAINER_EXITED:
        if (engine_lacks_network(p, main)) {
            return; // it would be replaced, but for the reason that was said
        }
        if (main->state_error != NULL && plan_port_is_taken(main->state_error)) {
            engine_judge_start_error(p, main->state_error);
        }
        engine_make_storage(p);
        engine_stop_others(p, main, "stop");
        engine_start(p, main, "start");
        return;
    case CONTAINER_PAUSED:
        engine_unpause(p, main->name);
        return;
    case CONTAINER_RESTARTING:
        engine_judge(p, REASON_UNAVAILABLE,
                     "ends again and again, last with exit code %d; see `docker logs %s`",
                     main->exit_code, main->name);
        return;
    case CONTAINER_RUNNING:
        if (p->engine->storage_error == ENOENT &&
            str_equal(main->storage, p->config->registry.storage)) {
            restart_over_new_storage(p);
        } else if (engine_answers(p)) {
            remove_strays(p);
        }
        return;
    case CONTAINER_UNKNOWN:
    case CONTAINER_REMOVING:
    case CONTAINER_DEAD:
        break;
    }
}

static void plan_present(struct engine_plan *p)
{
    p->holder = p->main;
    if (p->main->state == CONTAINER_REMOVING || p->main->state == CONTAINER_UNKNOWN) {
        engine_judge(p, REASON_CONVERGING, "waits for the engine to end what it does with it");
        return;
    }
    if (p->previous != NULL) {
        engine_plan_recreating(p);
        return;
    }
    if (p->main->state == CONTAINER_DEAD) {
        replace_dead(p);
        return;
    }
    _cleanup_(field_diffs_done) struct field_diffs diffs = {0};
    engine_compare(p, p->main, &diffs);
    if (diffs.count > 0 && !recreate_is_blocked(p)) {
        recreate(p, &diffs);
        return;
    }
    update_restart_policy(p);
    engine_plan_state(p);
}

void engine_plan_container(struct engine_plan *p)
{
    bool ours = p->main != NULL && (engine_is_own(p, p->main) || engine_is_adoptable(p, p->main));
    if (p->main == NULL) {
        plan_absent(p);
    } else if (ours) {
        plan_present(p);
    } else {
        engine_judge_foreign(p);
    }
    const struct action *pending = engine_pending(p);
    if (pending != NULL) {
        engine_judge(p, REASON_CONVERGING, "%s is pending", pending->verb);
    } else if (ours && p->main->state == CONTAINER_RUNNING) {
        judge_running(p);
    }
}
