// The pull of the registry's image takes seconds or minutes, in which the engine has to be looked
// at: all other keys follow from what is found there. So it goes on beside the engine's rounds,
// which wait for it, look by look. Its end marks the engine's key; a failure is then that round's
// action's.
#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/str.h"

#include <errno.h>

static void pull_done(void *ctx, const struct error *err)
{
    struct reconciler *reconciler = ctx;
    reconciler->pull.answered = true;
    reconciler->pull.error = err != NULL ? *err : (struct error){0};
}

static int begin(struct key *key, const struct action *action, struct error *err)
{
    struct reconciler *reconciler = key->reconciler;
    struct backend *backend = reconciler->backend;
    struct image_pull *pull = &reconciler->pull;
    pull->action.type = action->type;
    pull->action.verb = action->verb;
    if (str_replace(&pull->action.resource, action->resource) < 0 ||
        str_replace(&pull->action.target, action->target) < 0) {
        return error_oom(err);
    }
    pull->input = (struct plan_input){.config = reconciler->config, .wanted = true};
    int r = backend->ops->act(backend, &pull->action, &pull->input, pull_done, reconciler, err);
    if (r < 0) {
        return r;
    }
    pull->running = true;
    pull->answered = r > 0;
    return 0;
}

int pull_go_on(struct key *key, const struct action *action, struct error *err)
{
    struct image_pull *pull = &key->reconciler->pull;
    if (pull->running) {
        return 0;
    }
    if (pull->error.kind != ERROR_NONE) {
        *err = TAKE_STRUCT(pull->error);
        return -1;
    }
    return begin(key, action, err);
}

void pull_step(struct reconciler *reconciler)
{
    struct image_pull *pull = &reconciler->pull;
    if (!pull->answered) {
        return;
    }
    pull->answered = false;
    pull->running = false;
    const struct reconciler_events *events = &reconciler->events;
    if (pull->error.code == ECANCELED) {
        pull->error = (struct error){0};
    } else if (pull->error.kind == ERROR_NONE && events->acted != NULL) {
        events->acted(events->ctx, &pull->action, NULL);
    }
    struct key *engine = key_engine(reconciler);
    if (engine->item.failures == 0) { // else its back-off is soon over
        key_mark(engine);
    }
}

void pull_free(struct image_pull *pull)
{
    free(pull->action.resource);
    free(pull->action.target);
}
