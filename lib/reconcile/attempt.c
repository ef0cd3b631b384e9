#include "lib/reconcile/attempt.h"

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/reconcile/background.h"
#include "lib/reconcile/conditions.h"
#include "lib/reconcile/follow.h"
#include "lib/reconcile/pass.h"
#include "lib/reconcile/throttle.h"
#include "lib/reconcile/watch.h"

#include <errno.h>
#include <sys/param.h>

#define ATTEMPTS_MAX 8    // observe and act in a row before the key has to wait
#define CONFLICTS_MAX 3   // observed again at once after a conflict, in a row
#define APPLY_WAIT_MS 500 // the longest between two attempts of a key that an `apply` waits for
// A teardown goes on without a key that cannot be reached, after so many tries and that time: a
// short back-off makes many tries within the moment in which a peer starts again.
#define TEARDOWN_TRIES 3
#define TEARDOWN_WAIT_MS 1000

static void set_state(struct key *key, enum key_state state)
{
    static const char *const names[] = {
        [KEY_IDLE] = "idle",
        [KEY_OBSERVING] = "observing",
        [KEY_ACTING] = "acting",
    };
    log_debug("%s: %s", key->id, names[state]);
    key->state = state;
}

// ---- the end of an attempt ----

static void end(struct key *key, enum queue_outcome outcome, uint64_t retry_ms)
{
    struct reconciler *reconciler = key->reconciler;
    set_state(key, KEY_IDLE);
    engine_unref(TAKE_PTR(key->engine));
    key->input = (struct input){0};
    pass_leave(key);
    key->leads_pass = false;
    queue_done(key_queue(key), &key->item, outcome, retry_ms, reconciler->now_ms,
               reconciler_random(reconciler));
    if (key->gone && key->background == 0) {
        follow_remove(key);
    }
}

// A teardown does not wait for ever for what cannot be reached.
static bool gives_up(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    return reconciler->mode == RECONCILE_TEARDOWN && key->unclean >= TEARDOWN_TRIES &&
           reconciler->now_ms - key->unclean_since_ms >= TEARDOWN_WAIT_MS &&
           (key->plan.action_count > 0 || !key_has(key, REASON_CONVERGING));
}

// What follows is due when those that it waits for are in another state: in an `apply` that is
// enough. A daemon may have to wait for them for ever.
static bool waits_for_news(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    bool waits = false;
    if (!key->kind->follows || reconciler->mode == RECONCILE_KEEP) {
        return false;
    }
    for (size_t i = 0; i < reconciler->key_count; i++) {
        const struct key *other = reconciler->keys[i];
        waits = waits || (!other->kind->follows && other->result != KEY_CLEAN &&
                          other->result != KEY_BLOCKED);
    }
    return waits;
}

// Tries again soon what time may help, ever more rarely: after as long as it has waited by then.
static void enqueue_settling(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    bool keeps = reconciler->mode == RECONCILE_KEEP;
    uint64_t poll_ms = reconciler->config->reconcile.poll_ms;
    // Who waits for an `apply` wants to know at once; the daemon has streams to tell it.
    uint64_t max_ms = keeps ? poll_ms : MIN(poll_ms, APPLY_WAIT_MS);
    if (key->waits_since_ms == 0) {
        key->waits_since_ms = reconciler->now_ms;
    }
    uint64_t delay_ms = reconciler->now_ms - key->waits_since_ms;
    delay_ms = MAX(delay_ms, key->kind->settle_ms);
    delay_ms = waits_for_news(key) ? poll_ms : MIN(delay_ms, max_ms);
    if (keeps && delay_ms == poll_ms) {
        return; // the poll does
    }
    key_enqueue_in(key, delay_ms);
    struct key *leader = key_leader(reconciler);
    bool waits_for_node = !key->observed || key_has(key, REASON_NODE_NOT_RUNNING);
    if (waits_for_node && leader->item.failures == 0) {
        key_enqueue_in(leader, delay_ms); // only an observation of the engine tells when it runs
    }
}

static void finish(struct key *key, enum key_result result, enum queue_outcome outcome,
                   uint64_t retry_ms)
{
    key->unclean_since_ms = key->unclean == 0 ? key->reconciler->now_ms : key->unclean_since_ms;
    key->unclean = result == KEY_CLEAN ? 0 : key->unclean + key->tried;
    key->result = result == KEY_WAITING && gives_up(key) ? KEY_BLOCKED : result;
    if (!reconciler_acts(key->reconciler)) {
        outcome = QUEUE_OK; // one attempt is all
    } else if (outcome == QUEUE_OK && result == KEY_WAITING) {
        enqueue_settling(key);
    }
    end(key, outcome, retry_ms);
}

// ---- observe ----

// The kind's answer, or what it refused to begin.
static void answer(void *ctx, const struct error *err)
{
    struct key *key = ctx;
    TAILQ_INSERT_TAIL(&key->reconciler->answered, key, answered_link);
    key->error = err != NULL ? *err : (struct error){0};
    engine_name_ids(key->engine, &key->error);
}

static void observe_done(void *ctx, void *current, const struct error *err)
{
    struct key *key = ctx;
    key->current = current;
    answer(key, err);
}

static void set_input(struct key *key)
{
    engine_unref(key->engine);
    key->engine = engine_ref(key->reconciler->engine);
    key->input = key_input(key);
}

static void observe(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    struct error err = {0};
    set_state(key, KEY_OBSERVING);
    key->attempts++;
    key->acted = false;
    // This observation sees what the streams have told of by now.
    queue_covered(&key->item, reconciler->now_ms + WATCH_COALESCE_MS);
    key->dirty = false;
    if (key == key_leader(reconciler) && reconciler->pass.due) {
        pass_begin(reconciler);
    }
    strv_done(&key->skipped);
    set_input(key);
    struct io *io = reconciler->io;
    if (key->kind->observe(io, &key->memory, &key->input, observe_done, key, &err) < 0) {
        answer(key, &err);
    }
}

void attempt_begin(struct key *key)
{
    key->attempts = 0;
    key->conflicts = 0;
    key->tried = false;
    key->retry_ms = KIND_NEVER;
    observe(key);
}

static void unobserved(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    struct key *leader = key_leader(reconciler);
    const struct error *err = &key->error;
    key->observed = false;
    key->tried = true;
    enum key_result result = conditions_unobserved(key, &key->input, err);
    key->was_observed = key->was_observed && !key_has(key, REASON_CLUSTER_NOT_FOUND);
    if (key == leader) {
        follow_lost_engine(reconciler, err);
    }
    if (key->leads_pass) {
        pass_spread(reconciler);
    }
    if (err->code == ENOTCONN && leader->item.failures == 0) {
        key_enqueue(leader); // another engine answers: its own observation agrees on a version
    }
    // What the engine's observation has told already was not asked for: no back-off spares it. What
    // converges is on its way.
    bool known = key_has(key, REASON_CLUSTER_NOT_FOUND) || key_has(key, REASON_NODE_NOT_RUNNING) ||
                 key_has(key, REASON_CONVERGING);
    finish(key, result, known ? QUEUE_OK : QUEUE_RETRY, err->retry_ms);
}

// ---- act ----

// A teardown takes away what leads when all others are done with.
static bool waits_for_others(const struct key *key)
{
    const struct reconciler *reconciler = key->reconciler;
    if (reconciler->mode != RECONCILE_TEARDOWN || key != key_leader(reconciler)) {
        return false;
    }
    for (size_t i = 1; i < reconciler->key_count; i++) {
        enum key_result result = reconciler->keys[i]->result;
        if (result != KEY_CLEAN && result != KEY_BLOCKED) {
            return true;
        }
    }
    return false;
}

bool attempt_may_act(const struct key *key)
{
    return reconciler_acts(key->reconciler) && !reconciler_drains(key->reconciler) && !key->gone &&
           !waits_for_others(key);
}

static bool is_skipped(const struct key *key, const struct action *action)
{
    return strv_contains(&key->skipped, action->resource) ||
           (action->needs != NULL && strv_contains(&key->skipped, action->needs));
}

// The rest of the resource's actions is left out until its record lets it be changed again.
static void skip(struct key *key, const struct record *record)
{
    strv_add_unique(&key->skipped, record->resource);
    key->retry_ms = MIN(record->not_before_ms, key->retry_ms);
}

static void fail_action(struct key *key, const struct action *action, const struct error *err)
{
    if (conditions_failed(key, &key->input, action, err)) {
        key->acted = true; // what stood there before comes back without delay
    }
    skip(key, record_find(&key->records, action->resource));
}

static void begin_in_background(struct key *key, const struct action *action)
{
    struct error err = {0};
    if (background_has(key->reconciler, action->resource) ||
        background_begin(key, action, &err) == 0) {
        strv_add_unique(&key->skipped, action->resource); // its end makes the key due
    } else {
        fail_action(key, action, &err);
    }
}

static void begin_action(struct key *key, const struct action *action)
{
    struct error err = {0};
    set_state(key, KEY_ACTING);
    key->waits_since_ms = 0;
    key->tried = true;
    struct io *io = key->reconciler->io;
    if (key->kind->act(io, &key->memory, action, &key->input, answer, key, &err) < 0) {
        answer(key, &err);
    }
}

// Ends with actions that must not be carried out, or not now.
static void suspend(struct key *key)
{
    bool drains = reconciler_drains(key->reconciler);
    finish(key, KEY_PENDING, drains ? QUEUE_CANCELLED : QUEUE_OK, 0);
}

static void observe_again(struct key *key)
{
    if (attempt_may_act(key)) {
        observe(key);
    } else {
        suspend(key);
    }
}

// Goes on with the plan's next action that may be carried out, or ends the plan.
static void act(struct key *key)
{
    for (; key->next_action < key->plan.action_count; key->next_action++) {
        const struct action *action = key->plan.actions[key->next_action];
        if (is_skipped(key, action)) {
            continue;
        }
        if (!attempt_may_act(key)) {
            suspend(key);
            return;
        }
        if (!action->background) {
            begin_action(key, action);
            return;
        }
        begin_in_background(key, action);
    }
    if (key->acted) {
        observe_again(key);
        return;
    }
    if (key->plan.action_count > 0 && key->retry_ms != KIND_NEVER) {
        queue_add(key_queue(key), &key->item, key->retry_ms);
    }
    finish(key, conditions_result(key), QUEUE_OK, 0);
}

// Notes for the throttle that all of a resource's changes were made.
static void note_made(struct key *key, const struct action *made)
{
    for (size_t i = key->next_action + 1; i < key->plan.action_count; i++) {
        if (str_equal(key->plan.actions[i]->resource, made->resource)) {
            return;
        }
    }
    throttle_made(throttle_record(&key->records, made->resource), &key->plan);
}

static void acted(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    const struct action *action = key->plan.actions[key->next_action];
    if (reconciler->events.acted != NULL) {
        reconciler->events.acted(reconciler->events.ctx, action, &key->error);
    }
    if (key->error.kind == ERROR_CONFLICT && key->conflicts < CONFLICTS_MAX) {
        key->conflicts++;
        observe_again(key);
        return;
    }
    if (key->error.kind != ERROR_NONE) {
        fail_action(key, action, &key->error);
    } else {
        key->conflicts = 0;
        key->acted = true;
        note_made(key, action);
        const struct condition *condition = plan_condition(&key->plan, action->resource);
        if (action->gives_up && condition != NULL) {
            throttle_rejected(throttle_record(&key->records, action->resource), action->digest,
                              condition->reason, condition->message, reconciler->now_ms,
                              reconciler_random(key->reconciler));
        }
    }
    key->next_action++;
    act(key);
}

// ---- plan ----

// Which resources' changes are held back for now.
static void throttle(struct key *key, const struct plan *plan)
{
    struct reconciler *reconciler = key->reconciler;
    for (size_t i = 0; i < plan->condition_count; i++) {
        const char *resource = plan->conditions[i].resource;
        const struct condition *before = status_get(&reconciler->status, resource);
        bool changes = plan_first_action(plan, resource) != NULL;
        bool was_ready = before != NULL && before->ready == READY_TRUE &&
                         reconciler->mode == RECONCILE_KEEP && key->desired;
        if (!changes && plan->conditions[i].ready == READY_TRUE) {
            struct record *record = (struct record *)record_find(&key->records, resource);
            if (record != NULL) {
                throttle_settled(record);
            }
        }
        if (!changes || !attempt_may_act(key) || background_has(reconciler, resource)) {
            continue;
        }
        struct record *record = throttle_record(&key->records, resource);
        if (!throttle_allows(record, plan, was_ready, &reconciler->config->reconcile.backoff,
                             reconciler->now_ms, reconciler_random(reconciler))) {
            skip(key, record);
        }
    }
}

static void plan_key(struct key *key)
{
    struct plan plan = {0};
    key->kind->plan(&key->input, key->current, &plan);
    key->kind->free_current(TAKE_PTR(key->current));

    bool clean = plan.action_count == 0;
    for (size_t i = 0; i < plan.condition_count; i++) {
        clean = clean && plan.conditions[i].ready == READY_TRUE;
    }
    if (clean && !key->desired && reconciler_desires(key->reconciler)) {
        plan_done(&plan); // cleaned up after a reload, nothing to show any more
        key->gone = true;
        end(key, QUEUE_OK, 0);
        return;
    }
    throttle(key, &plan);
    conditions_from_plan(key, &plan);
    if (key->attempts > ATTEMPTS_MAX && key->plan.action_count > 0) {
        finish(key, KEY_WAITING, QUEUE_RETRY, 0);
    } else {
        key->tried = key->tried || key->plan.action_count == 0;
        key->next_action = 0;
        act(key);
    }
}

struct engine *attempt_found_engine(const struct reconciler *reconciler)
{
    const struct key *leader = key_leader(reconciler);
    struct engine *engine =
        leader->state == KEY_OBSERVING ? leader->kind->engine_of(leader->memory) : NULL;
    return engine != reconciler->engine ? engine : NULL;
}

// The keys follow from what the engine has. A full pass makes all of them due, as does an engine
// that is back: their statuses tell of its absence.
void attempt_take_engine(struct reconciler *reconciler)
{
    struct engine *engine = attempt_found_engine(reconciler);
    struct key *leader = key_leader(reconciler);
    if (engine == NULL) {
        return;
    }
    bool back = !leader->observed && leader->result != KEY_NEW;
    leader->observed = true;
    follow_engine(reconciler, engine, back);
    if (leader->leads_pass) {
        pass_spread(reconciler);
    }
}

static void observed(struct key *key)
{
    if (key->error.kind != ERROR_NONE) {
        unobserved(key);
        return;
    }
    if (key->kind->engine_of != NULL) {
        set_input(key); // with the engine that it has found
    }
    key->observed = key->was_observed = true;
    watch_follow(key);
    plan_key(key);
}

void attempt_advance(struct key *key)
{
    if (key->error.kind != ERROR_NONE && key->error.code == ECANCELED) {
        end(key, QUEUE_CANCELLED, 0);
        return;
    }
    switch (key->state) {
    case KEY_IDLE:
        break;
    case KEY_OBSERVING:
        if (key->gone) {
            key->kind->free_current(key->current);
            key->current = NULL;
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
