#include "tests/support/guard_backend.h"

#include "lib/base/str.h"
#include "tests/support/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define OPERATIONS_MAX 32
#define KEY_MAX 160

struct operation {
    struct guard_backend *guard;
    char key[KEY_MAX]; // "": free
    bool submitting;
    observe_done_fn observed;
    act_done_fn acted;
    void *ctx;
};

struct guard_backend {
    struct backend base; // first
    struct backend *inner;
    struct operation operations[OPERATIONS_MAX];
    size_t count;
    size_t peak;
};

static struct operation *begin(struct guard_backend *guard, const char *kind, const char *object)
{
    struct operation *free_one = NULL;
    char key[KEY_MAX];
    (void)snprintf(key, sizeof(key), "%s%s", kind, object);
    for (size_t i = OPERATIONS_MAX; i-- > 0;) {
        struct operation *operation = &guard->operations[i];
        assert_false(str_equal(operation->key, key)); // two at once
        free_one = operation->key[0] == '\0' ? operation : free_one;
    }
    assert_non_null(free_one);
    *free_one = (struct operation){.guard = guard, .submitting = true};
    (void)snprintf(free_one->key, sizeof(free_one->key), "%s", key);
    guard->count++;
    guard->peak = guard->count > guard->peak ? guard->count : guard->peak;
    return free_one;
}

// Returns a copy, as what follows may begin another operation in its place.
static struct operation end(struct operation *operation)
{
    const struct operation copy = *operation;
    assert_true(copy.key[0] != '\0' && !copy.submitting);
    operation->key[0] = '\0';
    operation->guard->count--;
    return copy;
}

static int submitted(struct operation *operation, int r)
{
    operation->submitting = false;
    if (r != 0) { // refused, or done already
        (void)end(operation);
    }
    return r;
}

static void on_observed(void *ctx, struct observation *observation, const struct error *err)
{
    const struct operation operation = end(ctx);
    operation.observed(operation.ctx, observation, err);
}

static void on_acted(void *ctx, const struct error *err)
{
    const struct operation operation = end(ctx);
    operation.acted(operation.ctx, err);
}

static int observe(struct backend *base, const char *key, const struct plan_input *input,
                   observe_done_fn done, void *ctx, struct error *err)
{
    struct guard_backend *guard = (struct guard_backend *)base;
    struct operation *operation = begin(guard, "", key);
    operation->observed = done;
    operation->ctx = ctx;
    return submitted(operation, guard->inner->ops->observe(guard->inner, key, input, on_observed,
                                                           operation, err));
}

static int act(struct backend *base, const struct action *action, const struct plan_input *input,
               act_done_fn done, void *ctx, struct error *err)
{
    struct guard_backend *guard = (struct guard_backend *)base;
    bool files = action->type == ACTION_HOSTS_WRITE || action->type == ACTION_HOSTS_REMOVE;
    bool pull = action->type == ACTION_IMAGE_PULL;
    bool object = action->type == ACTION_OBJECT_APPLY || action->type == ACTION_OBJECT_DELETE;
    struct operation *operation = files    ? begin(guard, "node/", action->target)
                                  : object ? begin(guard, "cluster/", action->cluster)
                                  : pull   ? begin(guard, "pull", "") // beside the engine's
                                           : begin(guard, "engine", "");
    operation->acted = done;
    operation->ctx = ctx;
    return submitted(operation,
                     guard->inner->ops->act(guard->inner, action, input, on_acted, operation, err));
}

static int listen(struct backend *base, const char *key, const struct plan_input *input,
                  listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err)
{
    struct backend *inner = ((struct guard_backend *)base)->inner;
    return inner->ops->listen(inner, key, input, dirty, done, ctx, err);
}

static void unlisten(struct backend *base, const char *key)
{
    struct backend *inner = ((struct guard_backend *)base)->inner;
    inner->ops->unlisten(inner, key);
}

static void cancel(struct backend *base, bool actions_too)
{
    struct backend *inner = ((struct guard_backend *)base)->inner;
    inner->ops->cancel(inner, actions_too);
}

static void forget(struct backend *base, const char *key)
{
    struct backend *inner = ((struct guard_backend *)base)->inner;
    inner->ops->forget(inner, key);
}

struct guard_backend *guard_backend_new(struct backend *backend)
{
    static const struct backend_ops ops = {
        .observe = observe,
        .act = act,
        .listen = listen,
        .unlisten = unlisten,
        .cancel = cancel,
        .forget = forget,
    };
    ALLOC_LOOK_AWAY;
    struct guard_backend *guard = calloc(1, sizeof(*guard));
    assert_non_null(guard);
    guard->base.ops = &ops;
    guard->inner = backend;
    return guard;
}

void guard_backend_free(struct guard_backend *guard)
{
    if (guard != NULL) {
        assert_int_equal(guard->count, 0);
        free(guard);
    }
}

struct backend *guard_backend(struct guard_backend *guard)
{
    return &guard->base;
}

size_t guard_backend_peak(const struct guard_backend *guard)
{
    return guard->peak;
}
