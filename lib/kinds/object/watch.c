// What comes is not looked at: an observation sees what there is. So a watch that ends, as the
// server does it after some minutes, need not go on from the version last seen: all of them end
// with it, which makes an observation due, and begin again from its lists. What this program has
// made itself is no news.
#include "lib/kinds/object/watch.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>

// why NULL: for no error.
static void end(struct object_memory *memory, const struct error *why)
{
    if (!memory->watches.ending) {
        memory->watches.ending = true;
        memory->watches.error = why != NULL ? *why : (struct error){0};
        // A client that was freed meanwhile has ended them already.
        if (memory->kube == memory->watches.kube) {
            api_cancel(memory->kube, API_WATCHES);
        }
    }
}

static int on_event(void *ctx, const json_t *event)
{
    const struct object_memory *memory = ctx;
    const char *type = json_get_string(event, "type", NULL);
    bool known = !str_equal(type, "DELETED") &&
                 object_memory_knows(memory, json_get_object(event, "object", NULL));
    if (!known && !str_equal(type, "BOOKMARK") && !memory->watches.ending) {
        memory->watches.dirty(memory->watches.ctx, memory->watches.key);
    }
    return 0;
}

static void on_end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct object_memory *memory = ctx;
    end(memory, err);
    if (--memory->watches.open == 0) {
        const struct error *why = &memory->watches.error;
        memory->watches.done(memory->watches.ctx, why->kind == ERROR_NONE ? NULL : why);
        object_memory_unref(memory);
    }
}

int object_watch(_unused_ struct io *io, memory_t *memory, const struct input *input,
                 watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err)
{
    struct object_memory *kept = object_memory_get(memory);
    struct error error = {0};
    _cleanup_(arena_done) struct arena arena = {0};
    if (kept->watches.open > 0) {
        return error_set(err, ERROR_TRANSIENT, EBUSY, "kube: the former watches are still ending");
    }
    free(kept->watches.key);
    kept->watches.key = str_printf("cluster/%s", input->name);
    kept->watches.kube = kept->kube;
    kept->watches.ending = false;
    kept->watches.dirty = dirty;
    kept->watches.done = done;
    kept->watches.ctx = ctx;
    for (size_t i = 0; i < object_api_count && error.kind == ERROR_NONE; i++) {
        const struct object_api *api = &object_apis[i];
        if (kept->listed[i] != NULL) {
            kept->watches.open +=
                kube_watch(kept->kube, object_collection(&arena, api, NULL), api->selector,
                           kept->listed[i], on_event, on_end, kept, &error) >= 0;
        }
    }
    if (kept->watches.open == 0) {
        return error.kind == ERROR_NONE
                   ? error_set(err, ERROR_TRANSIENT, ENOTCONN, "kube: nothing to watch yet")
                   : error_set(err, error.kind, error.code, "%s", error.text);
    }
    (void)object_memory_ref(kept);
    if (error.kind != ERROR_NONE) {
        end(kept, &error); // those that are open have to end first
    }
    return 0;
}

void object_unwatch(_unused_ struct io *io, memory_t memory)
{
    struct object_memory *kept = memory;
    struct error why = {0};
    (void)error_set(&why, ERROR_TRANSIENT, ECANCELED, "kube: no longer watched");
    if (kept != NULL && kept->watches.open > 0) {
        end(kept, &why);
    }
}
