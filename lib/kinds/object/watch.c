// What comes is not looked at: an observation sees what there is. So a watch that ends, as the
// server does it after some minutes, need not go on from the version last seen: all of them end
// with it, and whoever opens them again observes.
#include "lib/kinds/object/watch.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>

struct object_watches {
    struct object_memory *memory;
    struct kube *kube;
    char *key;
    unsigned open;
    bool ending;
    struct error error; // why they end; none when the server just closed the first
    watch_dirty_fn dirty;
    watch_done_fn done;
    void *ctx;
};

static void watches_free(struct object_watches *watches)
{
    object_memory_unref(watches->memory);
    free(watches->key);
    free(watches);
}

// why NULL: for no error.
static void watches_end(struct object_watches *watches, const struct error *why)
{
    if (!watches->ending) {
        watches->ending = true;
        watches->error = why != NULL ? *why : (struct error){0};
        // A client that was freed meanwhile has ended them already.
        if (watches->memory->kube == watches->kube) {
            kube_cancel(watches->kube, API_WATCHES);
        }
    }
}

static int on_event(void *ctx, const json_t *event)
{
    struct object_watches *watches = ctx;
    if (!str_equal(json_get_string(event, "type", NULL), "BOOKMARK") && !watches->ending) {
        watches->dirty(watches->ctx, watches->key);
    }
    return 0;
}

static void on_end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct object_watches *watches = ctx;
    watches_end(watches, err);
    if (--watches->open == 0) {
        const struct error *why = &watches->error;
        watches->memory->watches = NULL;
        watches->done(watches->ctx, why->kind == ERROR_NONE ? NULL : why);
        watches_free(watches);
    }
}

int object_watch(_unused_ struct io *io, memory_t *memory, const struct input *input,
                 watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err)
{
    struct object_memory *kept = object_memory_get(memory);
    struct object_watches *watches = xcalloc(1, sizeof(*watches));
    *watches = (struct object_watches){
        .memory = object_memory_ref(kept),
        .kube = kept->kube,
        .key = str_printf("cluster/%s", input->name),
        .dirty = dirty,
        .done = done,
        .ctx = ctx,
    };
    struct error error = {0};
    _cleanup_(arena_done) struct arena arena = {0};
    for (size_t i = 0; i < object_api_count && error.kind == ERROR_NONE; i++) {
        if (kept->listed[i]) {
            watches->open +=
                kube_watch(kept->kube, object_collection(&arena, &object_apis[i], NULL),
                           object_selector(&object_apis[i]), NULL, on_event, on_end, watches,
                           &error) >= 0;
        }
    }
    if (watches->open == 0) {
        watches_free(watches);
        return error.kind == ERROR_NONE
                   ? error_set(err, ERROR_TRANSIENT, ENOTCONN, "kube: nothing to watch yet")
                   : error_set(err, error.kind, error.code, "%s", error.text);
    }
    kept->watches = watches;
    if (error.kind != ERROR_NONE) {
        watches_end(watches, &error); // those that are open have to end first
    }
    return 0;
}

void object_unwatch(_unused_ struct io *io, memory_t memory)
{
    const struct object_memory *kept = memory;
    struct error why = {0};
    (void)error_set(&why, ERROR_TRANSIENT, ECANCELED, "kube: no longer watched");
    if (kept != NULL && kept->watches != NULL) {
        watches_end(kept->watches, &why);
    }
}
