#include "lib/reconcile/background.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/reconcile/conditions.h"

#include <errno.h>

struct background {
    struct reconciler *reconciler;
    struct key *key;
    struct plan plan; // of this action alone: it outlives the key's
    struct input input;
    struct error error;
    TAILQ_ENTRY(background) link;
};

bool background_has(const struct reconciler *reconciler, const char *resource)
{
    const struct background *background;
    TAILQ_FOREACH(background, &reconciler->background, link)
    {
        if (str_equal(background->plan.actions[0]->resource, resource)) {
            return true;
        }
    }
    return false;
}

static void background_free(struct background *background)
{
    plan_done(&background->plan);
    free(background);
}

static void on_done(void *ctx, const struct error *err)
{
    struct background *background = ctx;
    struct reconciler *reconciler = background->reconciler;
    if (err != NULL) {
        background->error = *err;
    }
    TAILQ_REMOVE(&reconciler->background, background, link);
    TAILQ_INSERT_TAIL(&reconciler->finished, background, link);
}

int background_begin(struct key *key, const struct action *action, struct error *err)
{
    struct reconciler *reconciler = key->reconciler;
    struct background *background = xcalloc(1, sizeof(*background));
    background->reconciler = reconciler;
    background->key = key;
    background->input = key_input(key);
    background->input.engine = NULL; // it outlives that
    const struct action *own = plan_add_action(&background->plan, action);
    int r = key->kind->act(reconciler->io, &key->memory, own, &background->input, on_done,
                           background, err);
    if (r < 0) {
        background_free(background);
        return r;
    }
    TAILQ_INSERT_TAIL(&reconciler->background, background, link);
    key->background++;
    return 0;
}

static void take_end(struct background *background)
{
    struct reconciler *reconciler = background->reconciler;
    struct key *key = background->key;
    const struct action *action = background->plan.actions[0];
    struct error *error = &background->error;
    engine_name_ids(reconciler->engine, error);
    if (error->code != ECANCELED && reconciler->events.acted != NULL) {
        reconciler->events.acted(reconciler->events.ctx, action, error);
    }
    if (error->kind != ERROR_NONE && error->code != ECANCELED) {
        (void)conditions_failed(key, &background->input, action, error);
    }
    key->background--;
    if (key->item.failures == 0) { // else its back-off is soon over
        key_enqueue(key);
    }
}

void background_advance(struct reconciler *reconciler)
{
    struct background *background = NULL;
    while ((background = TAILQ_FIRST(&reconciler->finished)) != NULL) {
        TAILQ_REMOVE(&reconciler->finished, background, link);
        take_end(background);
        background_free(background);
    }
}
