#include "lib/kinds/object/act.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/object/plan.h"
#include "lib/kinds/object/residents.h"

#include <errno.h>
#include <string.h>

struct act {
    struct object_memory *memory;
    const struct action *action;
    char *resident;   // for whom a namespace is released
    bool label_taken; // of that namespace
    act_done_fn done;
    void *ctx;
};

static void act_free(struct act *act)
{
    object_memory_unref(act->memory);
    free(act->resident);
    free(act);
}

// Whatever was answered last.
static void end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    act->done(act->ctx, err);
    act_free(act);
}

static void on_applied(void *ctx, json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    const struct action *action = act->action;
    if (err == NULL) {
        object_memory_agree(act->memory, action->resource, action->argument, answer);
    }
    end(act, answer, err);
}

// ---- a namespace ----

static const char *namespace_name(const struct action *action)
{
    return strrchr(action->target, '/') + 1;
}

static void on_released(void *ctx, _unused_ json_t *answer, const struct error *err);

// Applies a manifest that has no more than the label, or nothing: what was applied before goes.
// With the uid in it it is for no other namespace of that name, and makes none.
static int apply_label(struct act *act, const char *label, struct error *err)
{
    const struct action *action = act->action;
    json_t *labels = label == NULL ? NULL : json_pack("{s:s}", OBJECT_LABEL_MANAGED_BY, label);
    json_auto_t *manifest = json_pack("{s:s, s:s, s:{s:s, s:s*, s:o*}}", "apiVersion", "v1", "kind",
                                      "Namespace", "metadata", "name", namespace_name(action),
                                      "uid", action->argument, "labels", labels);
    return kube_apply(act->memory->kube, action->target, OBJECT_MANAGED_BY, manifest, false,
                      on_released, act, err);
}

// Another manager's label of the program would stay, so that the label is taken over first.
static void on_released(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct act *act = ctx;
    struct error error = {0};
    if (err == NULL && !act->label_taken) {
        act->label_taken = true;
        if (apply_label(act, NULL, &error) < 0) {
            end(act, NULL, &error);
        }
        return;
    }
    if (err == NULL) {
        (void)error_set(&error, ERROR_NONE, 0,
                        "is left in place and no longer managed, for others live in it: %s; if "
                        "nothing there is needed, `kubectl --context kind-%s delete namespace %s`",
                        act->resident, act->action->cluster, namespace_name(act->action));
    }
    end(act, NULL, err == NULL ? &error : err);
}

static void on_residents(void *ctx, const char *resident, const struct error *err)
{
    struct act *act = ctx;
    const struct action *action = act->action;
    struct error error = {0};
    int r = 0;
    if (err == NULL && resident != NULL) {
        act->resident = str_dup(resident);
        r = apply_label(act, "", &error);
    } else if (err == NULL) {
        r = kube_delete(act->memory->kube, action->target, action->argument, end, act, &error);
    }
    if (err != NULL || r < 0) {
        end(act, NULL, err != NULL ? err : &error);
    }
}

int object_act(_unused_ struct io *io, memory_t *memory, const struct action *action,
               _unused_ const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    struct object_memory *kept = object_memory_get(memory);
    struct api *kube = kept->kube;
    if (kube == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "no connection to cluster %s",
                         action->cluster);
    }
    struct act *act = xcalloc(1, sizeof(*act));
    *act =
        (struct act){.memory = object_memory_ref(kept), .action = action, .done = done, .ctx = ctx};
    int r = 0;
    switch ((enum object_op)action->op) {
    case OBJECT_APPLY:
        r = kube_apply(kube, action->target, OBJECT_MANAGED_BY, action->body, false, on_applied,
                       act, err);
        break;
    case OBJECT_DELETE:
        r = kube_delete(kube, action->target, action->argument, end, act, err);
        break;
    case OBJECT_DELETE_NAMESPACE:
        r = object_residents(kube, namespace_name(action), on_residents, act, err);
        break;
    }
    if (r < 0) {
        act_free(act);
    }
    return r;
}
