// The plan of the key "engine": of each container, and of its place on the network.
//
// A recreate loses nothing, wherever it is interrupted: the old container keeps its data and is
// only renamed (NAME-previous) and stopped; it is removed when the new one answers and put back
// when that does not come up. Every plan decides from what is there alone:
//
//     NAME           NAME-previous
//     not ours       any             leave it alone
//     absent         absent          create it, or rename an own one that goes by another name
//     absent         there           go on with the recreate, or give the name back
//     differs        absent          recreate
//     dead           absent          remove it, create it
//     as declared    absent          see that it runs
//     up, answers    there           remove the old one
//     differs        there           remove the new one: the declaration has changed since
//     failed         there           put back
//     not started    there           stop the old one, start the new one
//     up, silent     there           wait for CONTAINER_COMEUP_SECONDS
//
// What differs is decided in compare.c. One that was made from this very spec and differs is made
// again once: the one in its place says for what (CONTAINER_LABEL_MENDS), and what it has otherwise
// all the same is a condition, so that no engine and no second process has it made in a loop.
#include "lib/kinds/container/planner.h"

#include "lib/base/str.h"
#include "lib/kinds/container/storage.h"

#include <stdlib.h>

// ---- what is there ----

// A start far in the future was noted before a clock was set back: it is not waited for that long.
static bool is_late(const struct planner *p)
{
    return llabs(p->current->engine->now_s - p->main->started_s) >= CONTAINER_COMEUP_SECONDS;
}

// Where main cannot be asked from here, one that has stayed up for long enough is taken to answer.
static bool answers(const struct planner *p)
{
    return p->main->state == CONTAINER_RUNNING &&
           (p->facts->probe == PROBE_ANSWERS || (p->facts->probe == PROBE_NONE && is_late(p)));
}

// The engine is at work on it: nothing can be said of it yet.
static bool is_in_between(const struct container *container)
{
    return container->state == CONTAINER_REMOVING || container->state == CONTAINER_UNKNOWN;
}

// Whether it can have the declared name again: a dead one takes no name, and is of no use.
static bool can_return(const struct container *container)
{
    return container->state != CONTAINER_DEAD && !is_in_between(container);
}

// One that is up first.
static const struct container *find_stray(const struct planner *p)
{
    const struct container *found = NULL;
    for (size_t i = 0; i < p->current->container_count; i++) {
        const struct container *container = &p->current->containers[i];
        if (planner_is_stray(p, container) && can_return(container) &&
            (found == NULL || (container_is_up(container) && !container_is_up(found)))) {
            found = container;
        }
    }
    return found;
}

// ---- what is in the way: each says so ----

static bool name_is_taken(struct planner *p, const struct container *by)
{
    if (by != NULL) {
        SET_CONDITION(p, resource, NAME_CONFLICT,
                      "a recreate needs the name %s, which another container has; rename or "
                      "remove that container",
                      p->spec->previous_name);
    }
    return by != NULL;
}

static bool spec_is_rejected(struct planner *p)
{
    if (p->rejected != NULL) {
        plan_set_condition(p->plan, p->spec->resource, NULL, READY_FALSE, p->rejected->reason, "%s",
                           p->rejected->message);
    }
    return p->rejected != NULL;
}

static const char *cure_of(struct planner *p)
{
    return storage_cure(&p->plan->arena, &p->current->engine->about, p->spec, &p->facts->storage);
}

// For a container that is to be made.
static bool storage_is_unusable(struct planner *p)
{
    const struct storage *storage = &p->facts->storage;
    if (storage->state == STORAGE_USABLE || storage->state == STORAGE_MISSING) {
        return false;
    }
    if (storage->state == STORAGE_FORBIDDEN) {
        SET_CONDITION(p, resource, STORAGE_NOT_WRITABLE, "%s; %s", storage->why, cure_of(p));
    } else {
        SET_CONDITION(p, resource, STORAGE_NOT_WRITABLE, "%s; mend that or change %s.storage",
                      storage->why, p->spec->section);
    }
    return true;
}

static bool images_would_go(struct planner *p)
{
    bool would = compare_holds_images(p->main);
    if (would) {
        SET_CONDITION(p, resource, NAME_CONFLICT, "%s",
                      compare_images_inside(&p->plan->arena, p->spec, p->main));
    }
    return would;
}

static void set_start_error(struct planner *p, const char *text)
{
    if (planner_is_port_taken(text)) {
        SET_CONDITION(p, resource, PORT_IN_USE, PORT_TAKEN,
                      PORT_TAKEN_BY(p->spec, p->facts->port_holder));
    } else {
        SET_CONDITION(p, resource, ERROR, "the container does not start: %s", text);
    }
}

// ---- nothing has the name ----

static void plan_absent(struct planner *p)
{
    const struct container *previous = p->previous;
    const struct container *stray = find_stray(p);
    struct fields fields = {0};
    if (previous != NULL && can_return(previous)) {
        fields = compare_fields(&p->plan->arena, p->current, p->spec, previous);
        if (spec_is_rejected(p) || !p->facts->image_present || fields.count == 0 ||
            storage_is_unusable(p)) {
            planner_take_name(p, previous, "restore");
            return;
        }
    }
    if (previous == NULL && stray != NULL) {
        planner_take_name(p, stray, "rename");
    } else if (!storage_is_unusable(p)) {
        planner_prepare(p);
        planner_create(p, previous == NULL ? "create" : "recreate", previous, &fields, false);
    }
}

// ---- it is there alone ----

static void recreate(struct planner *p, const struct fields *fields)
{
    planner_prepare(p);
    struct action *action = ADD_ACTION(p, RENAME, .verb = "recreate", .destructive = true,
                                       .target = p->main->id, .argument = p->spec->previous_name);
    planner_add_fields(p, action, fields);
    p->previous = p->main;
    planner_create(p, "create", p->main, fields, true);
}

// Not by rename: a dead container takes no new name. Its data is in the storage. The other name is
// not needed; but while another container has it nobody could tell later whose that is.
static void replace_dead(struct planner *p)
{
    if (!name_is_taken(p, p->blocker) && !storage_is_unusable(p)) {
        planner_prepare(p);
        planner_remove(p, p->main, "recreate", false);
        planner_create(p, "create", NULL, &(struct fields){0}, true);
    }
}

static void update_restart_policy(struct planner *p)
{
    const char *current = p->main->restart_policy;
    const char *desired = p->spec->restart_policy;
    if (!p->main->keeps_restart_policy && !str_equal(current, desired)) {
        json_auto_t *body = json_pack("{s:{s:s}}", "RestartPolicy", "Name", desired);
        struct action *action =
            ADD_ACTION(p, UPDATE, .verb = "update", .target = p->main->id, .body = body);
        plan_add_field(p->plan, action, "restart", current, desired);
    }
}

static void remove_strays(struct planner *p)
{
    for (size_t i = 0; i < p->current->container_count; i++) {
        const struct container *other = &p->current->containers[i];
        if (planner_is_stray(p, other) && other->state != CONTAINER_REMOVING) {
            planner_remove(p, other, "remove", false);
        }
    }
}

// What is wrong with a cache's upstream is wrong with the cache, which serves what it has.
static void set_upstream_fault(struct planner *p)
{
    if (p->facts->upstream_fault != NULL) {
        SET_CONDITION(p, resource, UNAVAILABLE,
                      "%s; the nodes ask the upstream themselves for what is not cached",
                      p->facts->upstream_fault);
    }
}

// Sees that main runs; its fields are as declared, or have to do for now.
static void plan_state(struct planner *p)
{
    const struct container *main = p->main;
    switch (main->state) {
    case CONTAINER_CREATED:
    case CONTAINER_EXITED:
        if (compare_lacks_network(p->current, main)) {
            return; // it would be replaced, but for the reason that is the condition
        }
        if (main->state_error != NULL && planner_is_port_taken(main->state_error)) {
            set_start_error(p, main->state_error);
        }
        planner_make_storage(p);
        planner_stop_others(p, main, "stop");
        planner_start(p, main, "start", false);
        return;
    case CONTAINER_PAUSED:
        ADD_ACTION(p, UNPAUSE, .verb = "unpause", .part = true, .target = main->id);
        return;
    case CONTAINER_RESTARTING:
        set_upstream_fault(p); // registry:2 ends when it cannot reach it at its start
        SET_CONDITION(p, resource, UNAVAILABLE,
                      "ends again and again, last with exit code %d; see `docker logs %s`",
                      main->exit_code, main->name);
        return;
    case CONTAINER_RUNNING:
        if (p->facts->storage.state == STORAGE_MISSING && compare_has_storage(p->spec, main)) {
            // The directory was taken away under the container, which still writes into the one
            // that has no name any more.
            ADD_ACTION(p, STOP, .verb = "restart", .destructive = true, .target = main->id);
            planner_make_storage(p);
            planner_start(p, main, "start", false);
        } else if (answers(p)) {
            remove_strays(p);
        }
        return;
    case CONTAINER_UNKNOWN:
    case CONTAINER_REMOVING:
    case CONTAINER_DEAD:
        break;
    }
}

static void plan_alone(struct planner *p)
{
    if (p->main->state == CONTAINER_DEAD) {
        replace_dead(p);
        return;
    }
    struct fields fields = compare_fields(&p->plan->arena, p->current, p->spec, p->main);
    if (fields.count > 0 && !spec_is_rejected(p) && !name_is_taken(p, p->blocker) &&
        !images_would_go(p) && !storage_is_unusable(p)) {
        recreate(p, &fields);
        return;
    }
    if (fields.unmet != NULL) {
        SET_CONDITION(p, resource, ERROR, "%s", fields.unmet);
    }
    update_restart_policy(p);
    plan_state(p);
}

// ---- the middle of a recreate: main and previous are both there ----

// Whether main did not come up; says why.
static bool has_failed(struct planner *p)
{
    const struct container *main = p->main;
    bool ended = main->state == CONTAINER_EXITED || main->state == CONTAINER_DEAD ||
                 main->state == CONTAINER_RESTARTING;
    if ((ended || main->state == CONTAINER_CREATED) && main->state_error != NULL) {
        set_start_error(p, main->state_error);
    } else if (ended) {
        SET_CONDITION(p, resource, UNAVAILABLE, "the new container ended with exit code %d",
                      main->exit_code);
    } else if (main->state == CONTAINER_RUNNING && p->facts->probe == PROBE_SILENT && is_late(p)) {
        SET_CONDITION(p, resource, UNAVAILABLE, "the new container runs but does not answer");
    } else {
        return false;
    }
    return true;
}

static void plan_recreating(struct planner *p)
{
    const struct container *main = p->main;
    const struct container *previous = p->previous;
    // What has drifted waits until main is alone: the one that is made again for it has to say so.
    bool outdated = compare_is_made_from(p->spec, main)
                        ? compare_lacks_network(p->current, main)
                        : compare_fields(&p->plan->arena, p->current, p->spec, main).count > 0;
    // One without a label was not made by a recreate. A dead one is of no use whoever made it.
    bool is_new = compare_is_labelled(main) || main->state == CONTAINER_DEAD;
    if (is_in_between(previous)) {
        SET_CONDITION(p, resource, CONVERGING, "waits for the engine to end what it does with %s",
                      previous->name);
    } else if (answers(p) || previous->state == CONTAINER_DEAD) {
        planner_remove(p, previous, "remove", false);
    } else if (is_new && outdated) {
        // Made for a configuration that has changed since: whether it comes up does not matter, and
        // where it answers is not asked. Without it the old one is restored, or followed by
        // another.
        planner_remove(p, main, "recreate", false);
        p->holder = NULL;
    } else if (is_new && has_failed(p)) {
        struct action *action = planner_remove(p, main, "put back", false);
        action->gives_up = true;
        action->digest = arena_dup(&p->plan->arena, p->spec->digest);
        planner_take_name(p, previous, "put back");
    } else if (is_new && main->state == CONTAINER_CREATED) {
        // The old one runs still, unless a plan ended between the two steps.
        planner_stop_others(p, main, "recreate");
        planner_start(p, main, "recreate", true);
    } else {
        if (outdated && !compare_is_labelled(main)) {
            (void)name_is_taken(p, previous);
        } else if (main->state == CONTAINER_RUNNING && !is_late(p)) {
            SET_CONDITION(p, resource, CONVERGING, "is started; %s is kept until it answers",
                          previous->name);
        }
        plan_state(p);
    }
}

// ---- what a registry that runs and answers has to say ----

static void plan_upload(struct planner *p)
{
    const struct upload *upload = &p->facts->upload;
    const char *path = p->spec->storage;
    const char *left = storage_left(&p->plan->arena, p->spec, &p->facts->storage);
    switch (upload->state) {
    case UPLOAD_FAILED:
        SET_CONDITION(p, resource, STORAGE_NOT_WRITABLE,
                      "it answers, but cannot store a push: %s; %s", upload->why, cure_of(p));
        return;
    case UPLOAD_FULL:
        SET_CONDITION(p, resource, STORAGE_FULL,
                      "it answers, but cannot store a push: %s; free space on the file system of "
                      "%s (`hostk8s-registryd gc` removes images that nothing refers to)",
                      upload->why, path);
        return;
    case UPLOAD_SILENT:
        SET_CONDITION(p, resource, UNAVAILABLE,
                      "it answers, but not to a push: %s; see whether the file system of %s hangs",
                      upload->why, path);
        return;
    case UPLOAD_REFUSED:
        SET_CONDITION(p, resource, STORAGE_NOT_WRITABLE,
                      "it answers, but takes no push (HTTP 405): it is read-only, or a "
                      "pull-through cache; see %s.environment",
                      p->spec->section);
        return;
    case UPLOAD_TAKEN:
    case UPLOAD_UNKNOWN:
        break;
    }
    if (p->facts->storage.full && p->spec->upstream == NULL) { // a byte may have room, no layer has
        SET_CONDITION(p, resource, STORAGE_FULL,
                      "%s; free space there (`hostk8s-registryd gc` removes images that nothing "
                      "refers to)",
                      left);
        return;
    }
    const char *said = left != NULL ? left : upload->why;
    plan_set_condition(p->plan, p->spec->resource, NULL, READY_TRUE, REASON_CONVERGED, "%s", said);
}

// ---- what is desired of the container ----

static void plan_desired(struct planner *p)
{
    const struct container *main = p->main;
    bool ours =
        main != NULL && (compare_is_own(p->spec, main) || compare_is_adoptable(p->spec, main));
    p->holder = ours ? main : NULL;
    if (main != NULL && !ours) {
        SET_CONDITION(p, resource, NAME_CONFLICT, "%s",
                      compare_conflict(&p->plan->arena, p->spec, main));
    } else if (p->facts->storage.state == STORAGE_BROKEN) {
        (void)storage_is_unusable(p); // what runs over it is left alone
    } else if (p->facts->password.state != STORAGE_USABLE) {
        SET_CONDITION(p, resource, ERROR, "%s; " CONTAINER_LOGIN_CURE,
                      p->facts->password.why); // likewise
    } else if (main == NULL) {
        plan_absent(p);
    } else if (is_in_between(main)) {
        SET_CONDITION(p, resource, CONVERGING, "waits for the engine to end what it does with it");
    } else if (p->previous == NULL) {
        plan_alone(p);
    } else {
        plan_recreating(p);
    }

    const struct action *pending = plan_first_action(p->plan, p->spec->resource);
    bool silent = ours && main->state == CONTAINER_RUNNING && p->facts->probe == PROBE_SILENT;
    if (pending != NULL) {
        SET_CONDITION(p, resource, CONVERGING, "%s is pending", pending->verb);
    } else if (silent && is_late(p)) {
        SET_CONDITION(p, resource, UNAVAILABLE,
                      "runs but does not answer at http://%s/v2/; see `docker logs %s`",
                      p->spec->authority, main->name);
    } else if (silent) {
        SET_CONDITION(p, resource, CONVERGING,
                      "is started and does not answer at http://%s/v2/ yet", p->spec->authority);
    } else if (ours && main->state == CONTAINER_RUNNING) {
        set_upstream_fault(p);
        plan_upload(p);
    }
}

// ---- nothing is desired any more ----

// Own containers go, what was adopted or is another's stays. The storage stays in any case.
static void plan_removal(struct planner *p)
{
    for (size_t i = 0; i < p->current->container_count; i++) {
        const struct container *container = &p->current->containers[i];
        bool removing = container->state == CONTAINER_REMOVING;
        bool named = container == p->main || container == p->previous;
        bool up = container_is_up(container);
        if (!(named ? compare_is_own(p->spec, container) : planner_is_stray(p, container))) {
            continue;
        }
        if (removing) {
            SET_CONDITION(p, resource, CONVERGING, "%s is being removed", container->name);
            continue;
        }
        if (container->endpoint != NULL) {
            planner_disconnect(p, container, "detach")->destructive = true;
        }
        if (up) {
            ADD_ACTION(p, STOP, .verb = "remove", .destructive = true, .target = container->id);
        }
        planner_remove(p, container, "remove", up);
    }
    if (plan_first_action(p->plan, p->spec->resource) != NULL) {
        SET_CONDITION(p, resource, CONVERGING, "remove is pending");
    } else if (p->main != NULL && !compare_is_own(p->spec, p->main)) {
        plan_set_condition(p->plan, p->spec->resource, NULL, READY_TRUE, REASON_CONVERGED,
                           "%s is left alone: it was not made by this program", p->main->name);
    }
}

// ----

// Whether it is the adopted container of a recreate: it has no label, and is not somebody's backup
// if the one that has taken its place says so.
static bool is_adopted(const struct planner *p, const struct container *named)
{
    bool begun =
        p->main == NULL || str_equal(container_label(p->main, CONTAINER_LABEL_REPLACES), named->id);
    return begun && compare_is_adoptable(p->spec, named);
}

void container_plan(const struct input *input, const void *current, struct plan *ret)
{
    const struct current *observed = current;
    for (size_t i = 0; i < observed->specs.count; i++) {
        const struct container_spec *spec = &observed->specs.items[i];
        bool rejected = record_rejects(input->records, spec->resource, spec->digest, input->now_ms);
        struct planner p = {
            .input = input,
            .current = observed,
            .spec = spec,
            .facts = &observed->facts[i],
            .plan = ret,
            .desired = input->desired && !spec->undeclared,
            .rejected = rejected ? record_find(input->records, spec->resource) : NULL,
            .main = current_container(observed, spec->name),
        };
        const struct container *named = current_container(observed, spec->previous_name);
        bool ours = named != NULL && !compare_holds_images(named) &&
                    (compare_is_own(spec, named) || is_adopted(&p, named));
        p.previous = ours ? named : NULL;
        p.blocker = ours ? NULL : named;
        if (planner_is_maintained(&p)) {
            continue;
        }
        if (p.desired) {
            plan_desired(&p);
        } else {
            plan_removal(&p);
        }
        plan_set_converged(ret, spec->resource, NULL);
        planner_plan_network(&p);
    }
}
