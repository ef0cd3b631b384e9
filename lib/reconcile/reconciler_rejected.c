// A recreate whose new container does not come up is put back, and must not be tried again at once
// and for ever: the spec is remembered for a while, until a reload or until somebody asks.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/desired/desired.h"

static int digest_of(const struct config *config, char **ret)
{
    struct desired_container container = {0};
    int r = desired_container(config, &container);
    if (r == 0) {
        r = desired_container_digest(&container, ret);
    }
    desired_container_done(&container);
    return r;
}

// When memory runs out the spec is tried once more, no worse.
static bool remember(struct key *key, enum reason reason, const char *text)
{
    struct reconciler *reconciler = key->reconciler;
    _cleanup_free_ char *digest = NULL;
    _cleanup_free_ char *copy = str_dup(text);
    if (copy == NULL || digest_of(reconciler->config, &digest) < 0) {
        return false;
    }
    log_debug("engine: rejected the container's spec: %s: %s", reason_name(reason), text);
    rejected_done(reconciler);
    reconciler->rejected.digest = TAKE_PTR(digest);
    reconciler->rejected.text = TAKE_PTR(copy);
    reconciler->rejected.reason = reason;
    reconciler->rejected.until_ms = reconciler->now_ms + REJECTED_MS;
    rejected_fill(reconciler, &key->input);
    return true;
}

// Whether the old container stands aside: it was observed so, or an action of this plan did it.
static bool has_previous(const struct key *key, const char *previous)
{
    for (size_t i = 0; i < key->next_action; i++) {
        const struct action *action = &key->plan.actions[i];
        if (action->type == ACTION_CONTAINER_RENAME && str_equal(action->argument, previous)) {
            return true;
        }
    }
    return world_engine_container(key->input.engine, previous) != NULL;
}

// Whether the engine's answer is about the spec: not without an answer, or when the world was
// another. A create that fails in the engine itself may succeed the next time, and the old
// container serves until then; a start that does so has stopped the old one, and a taken port is
// such a failure. But an engine that has no time has tried nothing.
static bool is_about_spec(const struct action *action, const struct error *err)
{
    bool has_no_time = err->status == 408 || err->status == 429 || err->status == 503;
    bool refused = action->type == ACTION_CONTAINER_CREATE && err->kind == ERROR_PERMANENT;
    bool failed = action->type == ACTION_CONTAINER_START && err->kind != ERROR_CONFLICT;
    return err->status != 0 && (refused || (failed && !has_no_time));
}

bool rejected_by_failure(struct key *key, const struct action *action, enum reason reason,
                         const char *text)
{
    if (key->kind != KEY_ENGINE || !is_about_spec(action, &key->error) ||
        key->input.rejected_digest != NULL) {
        return false;
    }
    _cleanup_free_ char *previous =
        str_printf("%s" WORLD_PREVIOUS_SUFFIX, key->input.config->registry.name);
    return previous != NULL && has_previous(key, previous) && remember(key, reason, text);
}

void rejected_by_put_back(struct key *key, const struct action *action)
{
    // The new container is taken away; a rename alone may put the old one back for other reasons.
    if (key->kind != KEY_ENGINE || action->type != ACTION_CONTAINER_REMOVE ||
        !str_equal(action->verb, PLAN_VERB_PUT_BACK) || key->input.rejected_digest != NULL) {
        return;
    }
    for (size_t i = 0; i < key->plan.condition_count; i++) {
        const struct condition *condition = &key->plan.conditions[i];
        if (str_equal(condition->resource, action->resource)) {
            (void)remember(key, condition->reason, condition->message);
            return;
        }
    }
}

void rejected_fill(const struct reconciler *reconciler, struct plan_input *input)
{
    bool in_force = reconciler->rejected.until_ms > reconciler->now_ms;
    input->rejected_digest = in_force ? reconciler->rejected.digest : NULL;
    input->rejected_reason = in_force ? reconciler->rejected.reason : REASON_CONVERGED;
    input->rejected_text = in_force ? reconciler->rejected.text : NULL;
}

void rejected_done(struct reconciler *reconciler)
{
    free(reconciler->rejected.digest);
    free(reconciler->rejected.text);
    reconciler->rejected.digest = NULL;
    reconciler->rejected.text = NULL;
    reconciler->rejected.until_ms = 0;
}
