// A key's round: observe, plan, act, and observe again, until a plan has nothing to do. What the
// backend answers is only put down by its callbacks; the next step goes on from there, so that
// nothing happens inside of a callback and the time is always known.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"
#include "lib/plan/outcome.h"

#include <errno.h>

static void set_state(struct key *key, enum key_state state)
{
    static const char *const names[] = {
        [KEY_IDLE] = "idle",
        [KEY_OBSERVING] = "observing",
        [KEY_ACTING] = "acting",
    };
    log_debug("%s: %s", key->name, names[state]);
    key->state = state;
}

// ---- the end of a round ----

static void end(struct key *key, enum queue_outcome outcome, uint64_t retry_ms)
{
    struct reconciler *reconciler = key->reconciler;
    set_state(key, KEY_IDLE);
    snapshot_unref(TAKE_PTR(key->snapshot));
    key->input = (struct plan_input){0};
    pass_leave(key);
    key->leads_pass = false;
    queue_done(key_queue(key), &key->item, outcome, retry_ms, reconciler->now_ms,
               reconciler_random(reconciler));
    if (key->gone) {
        key_forget(key);
    }
}

// A teardown does not wait for ever for what cannot be reached.
static bool gives_up(const struct key *key)
{
    enum reconcile_mode mode = key->reconciler->mode;
    return mode == RECONCILE_TEARDOWN && key->looks >= TEARDOWN_LOOKS &&
           (key->plan.action_count > 0 || !conditions_have(&key->plan, REASON_CONVERGING));
}

// Looks again soon at what time may help, ever more rarely.
static void look_again(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    uint64_t poll_ms = reconciler->config->reconcile.poll_ms;
    uint64_t delay_ms = key->settle_ms < poll_ms ? key->settle_ms : poll_ms;
    // Who waits for an `apply` wants to know at once; the daemon has streams to tell it.
    key->settle_ms = reconciler->mode == RECONCILE_KEEP ? delay_ms * 2 : delay_ms;
    if (reconciler->mode == RECONCILE_KEEP && delay_ms == poll_ms) {
        return; // the poll does
    }
    queue_add_at(key_queue(key), &key->item, reconciler->now_ms + delay_ms);
    struct key *engine = key_engine(reconciler);
    if (conditions_have(&key->plan, REASON_NODE_NOT_RUNNING) && engine->item.failures == 0) {
        // Only an observation of the engine tells when the node runs.
        queue_add_at(key_queue(engine), &engine->item, reconciler->now_ms + delay_ms);
    }
}

static void finish(struct key *key, enum key_result result, enum queue_outcome outcome,
                   uint64_t retry_ms)
{
    key->looks = result == KEY_CLEAN ? 0 : key->looks + 1;
    key->result = result == KEY_WAITING && gives_up(key) ? KEY_BLOCKED : result;
    if (!reconciler_acts(key->reconciler)) {
        outcome = QUEUE_OK; // one look is all
    } else if (outcome == QUEUE_OK && result == KEY_WAITING) {
        look_again(key);
    } else if (result == KEY_CLEAN) {
        key->settle_ms = SETTLE_MS;
    }
    end(key, outcome, retry_ms);
}

// ---- observe ----

static void answer(struct key *key, const struct error *err)
{
    TAILQ_INSERT_TAIL(&key->reconciler->answered, key, answered_link);
    key->failed = err != NULL;
    key->error = err != NULL ? *err : (struct error){0};
}

static void observe_done(void *ctx, struct observation *observation, const struct error *err)
{
    struct key *key = ctx;
    if (observation != NULL && err == NULL) {
        key->observation = TAKE_STRUCT(*observation);
    }
    answer(key, err);
}

// What the engine's observation has answered already needs no request: false, with the answer set.
static bool needs_request(struct key *key)
{
    if (key->kind == KEY_CLUSTER && !keys_cluster_present(key->input.engine, key->object)) {
        struct error err = {0};
        (void)error_set(&err, ERROR_PERMANENT, ENOENT, "no kind cluster named %s on this engine",
                        key->object);
        answer(key, &err);
        return false;
    }
    if (key->kind == KEY_NODE) {
        const struct world_node *node = world_engine_node(key->input.engine, key->object);
        if (node == NULL || !node->running) {
            answer(key, NULL);
            return false;
        }
    }
    return true;
}

static void set_input(struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    snapshot_unref(key->snapshot);
    key->snapshot = snapshot_ref(reconciler->snapshot);
    key->input = (struct plan_input){
        .config = reconciler->config,
        .engine = key->snapshot == NULL ? NULL : key->snapshot->engine,
        .wanted = key->wanted,
        .objects = &key->objects,
    };
    if (key->kind == KEY_ENGINE) {
        rejected_fill(reconciler, &key->input);
    }
}

static void observe(struct key *key)
{
    struct backend *backend = key->reconciler->backend;
    set_state(key, KEY_OBSERVING);
    key->round++;
    set_input(key);
    key->requested = needs_request(key);
    if (!key->requested) {
        return;
    }
    struct plan_input *input = &key->input;
    if (key->kind == KEY_ENGINE) {
        input->engine = NULL;
    }
    struct error err = {0};
    if (backend->ops->observe(backend, key->name, input, observe_done, key, &err) < 0) {
        answer(key, &err);
    }
}

void round_begin(struct key *key)
{
    key->round = 0;
    key->conflicts = 0;
    observe(key);
}

// ---- plan ----

static int make_plan(struct key *key, struct plan *ret, struct error *err)
{
    switch (key->kind) {
    case KEY_ENGINE:
        return plan_engine(&key->input, ret, err);
    case KEY_NODE:
        return plan_node(&key->input, key->object, key->observation.node, ret, err);
    case KEY_CLUSTER:
        return plan_cluster(&key->input, key->object, key->observation.cluster, ret, err);
    }
    return -EINVAL;
}

// A teardown takes the engine's things away when all others are done with.
static bool waits_for_others(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    if (reconciler->mode != RECONCILE_TEARDOWN || key->kind != KEY_ENGINE) {
        return false;
    }
    for (size_t i = 1; i < reconciler->keys.count; i++) {
        enum key_result result = key_at(reconciler, i)->result;
        if (result != KEY_CLEAN && result != KEY_BLOCKED) {
            return true;
        }
    }
    return false;
}

bool round_may_act(const struct key *key)
{
    return reconciler_acts(key->reconciler) && !reconciler_drains(key->reconciler) && !key->gone &&
           !waits_for_others(key);
}

static void unobserved(struct key *key, const struct error *err)
{
    int r = conditions_unobserved(key, &key->input, err);
    if (r == 0 && key->kind == KEY_ENGINE) {
        r = keys_lose_engine(key->reconciler, err);
    }
    if (key->leads_pass) {
        pass_spread(key->reconciler);
    }
    struct key *engine = key_engine(key->reconciler);
    if (err->code == ENOTCONN && engine->item.failures == 0) {
        // Another engine answers: its own observation agrees with it on a version.
        key_mark(engine);
    }
    enum key_result result = r < 0 ? KEY_WAITING : conditions_result(&key->plan);
    if (conditions_have(&key->plan, REASON_ERROR) && outcome_may_pass(REASON_ERROR, err)) {
        result = KEY_WAITING;
    }
    // Without a request there was nothing that a back-off could spare.
    finish(key, result, key->requested || r < 0 ? QUEUE_RETRY : QUEUE_OK, err->retry_ms);
}

static void act(struct key *key);

// The plan is the key's latest: act on it, wait, or be done.
static void follow_plan(struct key *key)
{
    const struct plan *plan = &key->plan;
    if (plan->action_count == 0) {
        finish(key, conditions_result(plan), QUEUE_OK, 0);
    } else if (!round_may_act(key)) {
        bool drains = reconciler_drains(key->reconciler);
        finish(key, KEY_PENDING, drains ? QUEUE_CANCELLED : QUEUE_OK, 0);
    } else if (key->round > ROUNDS_MAX) {
        (void)conditions_blame_unsteady(key);
        finish(key, KEY_BLOCKED, QUEUE_RETRY, 0);
    } else {
        key->next_action = 0;
        act(key);
    }
}

static void plan_key(struct key *key)
{
    struct plan plan = {0};
    struct error err = {0};
    int r = make_plan(key, &plan, &err);
    key_release_observation(key);
    if (r < 0) {
        plan_done(&plan);
        key->observed = false;
        unobserved(key, &err);
        return;
    }
    bool clean = plan.action_count == 0 && conditions_result(&plan) == KEY_CLEAN;
    if (clean && !key->wanted && reconciler_wants(key->reconciler)) {
        plan_done(&plan); // cleaned up after a reload, nothing to show any more
        key->gone = true;
        end(key, QUEUE_OK, 0);
        return;
    }
    r = contention_restrain(key, &plan);
    if (r == 0) {
        r = conditions_from_plan(key, &plan);
    }
    plan_done(&plan);
    if (r < 0) {
        finish(key, KEY_WAITING, QUEUE_RETRY, 0);
        return;
    }
    follow_plan(key);
}

// The keys follow from what the engine has. A full pass marks all of them, as does an engine that
// is back: their statuses tell of its absence.
static int take_engine(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    bool back = !key->observed && key->result != KEY_NEW;
    key->observed = true;
    if (key->observation.engine->image_present) {
        reconciler->pull.error = (struct error){0}; // nobody asks any more
    }
    int r = keys_follow(reconciler, TAKE_PTR(key->observation.engine), back);
    if (key->leads_pass) {
        pass_spread(reconciler);
    }
    set_input(key);
    return r;
}

static void observed(struct key *key)
{
    if (key->failed) {
        key->observed = false;
        unobserved(key, &key->error);
        return;
    }
    if (key->kind == KEY_ENGINE && take_engine(key) < 0) {
        key->observed = false; // all keys are marked again when they are complete
        finish(key, KEY_WAITING, QUEUE_RETRY, 0);
        return;
    }
    key->observed = true;
    listener_follow(key);
    plan_key(key);
}

// ---- act ----

static void act_done(void *ctx, const struct error *err)
{
    answer(ctx, err);
}

static void act(struct key *key)
{
    struct backend *backend = key->reconciler->backend;
    const struct action *action = &key->plan.actions[key->next_action];
    set_state(key, KEY_ACTING);
    struct error err = {0};
    int r = 0;
    if (action->type == ACTION_IMAGE_PULL) {
        r = pull_go_on(key, action, &err);
        if (r == 0) {
            finish(key, KEY_WAITING, QUEUE_OK, 0);
        }
    } else {
        key->settle_ms = SETTLE_MS;
        r = backend->ops->act(backend, action, &key->input, act_done, key, &err);
    }
    if (r != 0) {
        answer(key, r < 0 ? &err : NULL);
    }
}

static void observe_again(struct key *key)
{
    if (round_may_act(key)) {
        observe(key);
    } else {
        finish(key, KEY_PENDING, QUEUE_CANCELLED, 0);
    }
}

static void action_failed(struct key *key, const struct action *action)
{
    const struct error *err = &key->error;
    if (err->kind == ERROR_CONFLICT && key->conflicts < CONFLICTS_MAX) {
        key->conflicts++;
        observe_again(key);
        return;
    }
    char message[ERROR_TEXT_MAX];
    enum reason reason = outcome_of_action(&key->input, action, err, message, sizeof(message));
    (void)conditions_blame(key, action->resource, action->cluster, reason, message);
    if (rejected_by_failure(key, action, reason, message)) {
        observe_again(key); // the old container comes back without delay
        return;
    }
    finish(key, outcome_may_pass(reason, err) ? KEY_WAITING : KEY_BLOCKED, QUEUE_RETRY,
           err->retry_ms);
}

static void acted(struct key *key)
{
    const struct reconciler_events *events = &key->reconciler->events;
    const struct action *action = &key->plan.actions[key->next_action];
    if (events->acted != NULL) {
        events->acted(events->ctx, action, key->failed ? &key->error : NULL);
    }
    if (key->failed) {
        action_failed(key, action);
        return;
    }
    key->conflicts = 0;
    rejected_by_put_back(key, action);
    key->next_action++;
    if (key->next_action < key->plan.action_count && round_may_act(key)) {
        act(key);
    } else {
        observe_again(key);
    }
}

void round_advance(struct key *key)
{
    if (key->failed && key->error.code == ECANCELED) {
        end(key, QUEUE_CANCELLED, 0);
        return;
    }
    switch (key->state) {
    case KEY_IDLE:
        break;
    case KEY_OBSERVING:
        if (key->gone) {
            end(key, QUEUE_OK, 0);
        } else {
            observed(key);
        }
        break;
    case KEY_ACTING:
        acted(key);
        break;
    }
}
