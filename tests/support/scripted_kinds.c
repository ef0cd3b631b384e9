#include "tests/support/scripted_kinds.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct operation scripted_operations[OPERATIONS_MAX];
struct scripted *scripted_current;

static struct scripted *scripted_of(const struct io *io)
{
    return (struct scripted *)((char *)io - offsetof(struct scripted, io));
}

static struct thing *find_thing(struct scripted *scripted, const char *key)
{
    for (size_t i = 0; i < THINGS_MAX; i++) {
        if (str_equal(scripted->things[i].key, key)) {
            return &scripted->things[i];
        }
    }
    return NULL;
}

struct thing *scripted_thing(struct scripted *scripted, const char *key)
{
    struct thing *thing = find_thing(scripted, key);
    if (thing == NULL) {
        fail_msg("no %s", key);
        abort();
    }
    return thing;
}

static struct operation *add_operation(struct scripted *scripted, enum operation_type type,
                                       struct thing *thing, void *ctx)
{
    unsigned open = 0;
    struct operation *free_one = NULL;
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        if (scripted_operations[i].type == FREE) {
            free_one = free_one == NULL ? &scripted_operations[i] : free_one;
        } else if (scripted_operations[i].type != WATCH) {
            assert_true(type == WATCH || scripted_operations[i].thing != thing ||
                        thing->background);
            open++;
        }
    }
    assert_non_null(free_one);
    *free_one = (struct operation){.type = type, .thing = thing, .ctx = ctx};
    if (type != WATCH && ++open > scripted->peak) {
        scripted->peak = open;
    }
    return free_one;
}

// ---- the kinds ----

static struct thing *thing_of(const char *prefix, const char *name)
{
    _cleanup_free_ char *key = str_printf("%s%s", prefix, name);
    return scripted_thing(scripted_current, key);
}

static void keys_of(const struct config *config, const struct engine *engine, bool desired,
                    const char *prefix, key_fn add, void *ctx)
{
    (void)engine;
    for (size_t i = 0; i < THINGS_MAX; i++) {
        const struct thing *thing = &scripted_current->things[i];
        bool declared = thing->cluster == NULL || config_has_cluster(config, thing->cluster);
        // A cluster that is declared by its name has a key even where it does not exist.
        bool named = desired && thing->cluster != NULL && str_equal(prefix, "cluster/") &&
                     strv_contains(&config->clusters, thing->cluster);
        if (thing->key != NULL && str_starts_with(thing->key, prefix) && declared &&
            (thing->exists || named)) {
            add(ctx, thing->key + strlen(prefix), thing->cluster);
        }
    }
}

static void engine_keys(const struct config *config, const struct engine *engine, bool desired,
                        key_fn add, void *ctx)
{
    (void)config;
    (void)engine;
    (void)desired;
    add(ctx, "", NULL);
}

static void node_keys(const struct config *config, const struct engine *engine, bool desired,
                      key_fn add, void *ctx)
{
    keys_of(config, engine, desired, "node/", add, ctx);
}

static void cluster_keys(const struct config *config, const struct engine *engine, bool desired,
                         key_fn add, void *ctx)
{
    keys_of(config, engine, desired, "cluster/", add, ctx);
}

static void page_keys(const struct config *config, const struct engine *engine, bool desired,
                      key_fn add, void *ctx)
{
    keys_of(config, engine, desired, "page/", add, ctx);
}

static bool node_exists(const struct engine *engine, const char *name)
{
    (void)engine;
    return thing_of("node/", name)->exists;
}

static bool cluster_exists(const struct engine *engine, const char *name)
{
    (void)engine;
    return thing_of("cluster/", name)->exists;
}

// The engine's address is its clock: 0 is none, which clusters have time for.
static uint64_t cluster_due_in(const struct config *config, const struct engine *before,
                               const struct engine *after, const char *name)
{
    (void)config;
    (void)name;
    return before->now_s == after->now_s ? KIND_NEVER : after->now_s == 0 ? 2000 : 0;
}

static struct engine *engine_of(const void *current)
{
    return ((const struct observation *)current)->engine;
}

static void free_current(void *current)
{
    struct observation *observation = current;
    engine_unref(observation->engine);
    free(observation);
}

static int observe(struct io *io, struct thing *thing, observe_done_fn done, void *ctx,
                   struct error *err)
{
    thing->observed++;
    if (thing->observe_error.code == ENOBUFS) { // refused at once
        *err = thing->observe_error;
        return -ENOBUFS;
    }
    struct operation *operation = add_operation(scripted_of(io), OBSERVE, thing, ctx);
    operation->observed = done;
    operation->hangs = thing->observe_hangs;
    return 0;
}

static int engine_observe(struct io *io, memory_t *memory, const struct input *input,
                          observe_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    (void)input;
    return observe(io, &scripted_of(io)->things[0], done, ctx, err);
}

static int node_observe(struct io *io, memory_t *memory, const struct input *input,
                        observe_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    assert_non_null(input->engine); // what follows from the engine is never observed before it
    return observe(io, thing_of("node/", input->name), done, ctx, err);
}

static int cluster_observe(struct io *io, memory_t *memory, const struct input *input,
                           observe_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    assert_non_null(input->engine);
    return observe(io, thing_of("cluster/", input->name), done, ctx, err);
}

static int page_observe(struct io *io, memory_t *memory, const struct input *input,
                        observe_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    return observe(io, thing_of("page/", input->name), done, ctx, err);
}

static void plan_resource(const struct input *input, const struct thing *thing, int value,
                          const char *resource, const char *needs, struct plan *ret)
{
    bool rejected = thing->digest != NULL &&
                    record_rejects(input->records, resource, thing->digest, input->now_ms);
    int target = input->desired ? 1 : -1;
    if (rejected) {
        const struct record *record = record_find(input->records, resource);
        plan_set_condition(ret, resource, thing->cluster, READY_FALSE, record->reason, "%s",
                           record->message);
    } else if (value != target) {
        struct action *action =
            plan_add_action(ret, &(struct action){.op = target,
                                                  .name = "thing-write",
                                                  .verb = target > 0 ? "write" : "remove",
                                                  .resource = resource,
                                                  .cluster = thing->cluster,
                                                  .needs = needs,
                                                  .destructive = thing->destructive,
                                                  .disruptive = thing->destructive,
                                                  .background = thing->background,
                                                  .digest = thing->digest});
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", value);
        plan_add_field(ret, action, "value", text, target > 0 ? "1" : NULL);
        plan_set_condition(ret, resource, thing->cluster, READY_FALSE, REASON_CONVERGING,
                           "%s is pending", action->verb);
    } else if (thing->reason != REASON_CONVERGED) {
        plan_set_condition(ret, resource, thing->cluster,
                           thing->unknown ? READY_UNKNOWN : READY_FALSE, thing->reason, "as it is");
        ret->conditions[ret->condition_count - 1].stays = thing->stays;
    } else {
        plan_set_converged(ret, resource, thing->cluster);
    }
}

static void plan(const struct input *input, const void *current, struct plan *ret)
{
    const struct observation *observation = current;
    struct thing *thing = observation->thing;
    thing->unsettled = input->unsettled;
    plan_resource(input, thing, observation->value, thing->key, NULL, ret);
    if (thing == &scripted_current->things[0] && scripted_current->network) {
        plan_resource(input, thing, observation->network_value, "network", thing->key, ret);
    }
}

static void resources_of(const struct thing *thing, const struct condition *condition,
                         struct plan *ret)
{
    plan_set_condition(ret, thing->key, thing->cluster, condition->ready, condition->reason, "%s",
                       condition->message);
}

static void engine_resources(const struct input *input, const struct condition *condition,
                             struct plan *ret)
{
    (void)input;
    resources_of(&scripted_current->things[0], condition, ret);
}

static void node_resources(const struct input *input, const struct condition *condition,
                           struct plan *ret)
{
    resources_of(thing_of("node/", input->name), condition, ret);
}

static void cluster_resources(const struct input *input, const struct condition *condition,
                              struct plan *ret)
{
    resources_of(thing_of("cluster/", input->name), condition, ret);
}

static void page_resources(const struct input *input, const struct condition *condition,
                           struct plan *ret)
{
    resources_of(thing_of("page/", input->name), condition, ret);
}

static enum reason explain(const struct input *input, const struct action *action,
                           const struct error *error, char *message, size_t size)
{
    (void)input;
    (void)snprintf(message, size, "%s", error->text);
    if (action == NULL && error->code == EHOSTDOWN) {
        return REASON_CONVERGING;
    }
    if (action == NULL && error->status == 0) {
        return error->code == ENOENT ? REASON_CLUSTER_NOT_FOUND : REASON_API_UNREACHABLE;
    }
    return error->status == 403 ? REASON_FORBIDDEN : REASON_ERROR;
}

static bool rejects(const struct action *action, const struct error *error)
{
    (void)error;
    return scripted_thing(scripted_current, action->resource)->rejects;
}

static int act(struct io *io, memory_t *memory, const struct action *action,
               const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    (void)input;
    struct scripted *scripted = scripted_of(io);
    struct thing *thing = str_equal(action->resource, "network")
                              ? &scripted->things[0]
                              : scripted_thing(scripted, action->resource);
    thing->acted++;
    if (thing->act_error.code == ENOBUFS) {
        *err = thing->act_error;
        return -ENOBUFS;
    }
    struct operation *operation = add_operation(scripted, ACT, thing, ctx);
    operation->action = action;
    operation->acted = done;
    operation->hangs = thing->act_hangs;
    return 0;
}

static int watch(struct io *io, struct thing *thing, watch_dirty_fn dirty, watch_done_fn done,
                 void *ctx)
{
    thing->watched++;
    struct operation *operation = add_operation(scripted_of(io), WATCH, thing, ctx);
    operation->dirty = dirty;
    operation->ended = done;
    return 0;
}

static int engine_watch(struct io *io, memory_t *memory, const struct input *input,
                        watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err)
{
    (void)memory;
    (void)input;
    (void)err;
    return watch(io, &scripted_of(io)->things[0], dirty, done, ctx);
}

static int cluster_watch(struct io *io, memory_t *memory, const struct input *input,
                         watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err)
{
    (void)err;
    struct thing *thing = thing_of("cluster/", input->name);
    *memory = thing;
    return watch(io, thing, dirty, done, ctx);
}

static void end_watch(const struct thing *thing)
{
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        if (scripted_operations[i].type == WATCH && scripted_operations[i].thing == thing) {
            scripted_operations[i].cancelled = true;
        }
    }
}

static void engine_unwatch(struct io *io, memory_t memory)
{
    (void)memory;
    end_watch(&scripted_of(io)->things[0]);
}

static void cluster_unwatch(struct io *io, memory_t memory)
{
    (void)io;
    end_watch(memory);
}

static void cancel_all(struct io *io, memory_t memory, bool changes_too)
{
    (void)io;
    (void)memory;
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        struct operation *operation = &scripted_operations[i];
        bool background = operation->type == ACT && operation->action->background;
        if (operation->type == OBSERVE || background || (operation->type == ACT && changes_too)) {
            operation->cancelled = true;
        }
    }
}

static void cancel_none(struct io *io, memory_t memory, bool changes_too)
{
    (void)io;
    (void)memory;
    (void)changes_too;
}

static void engine_invalidate(struct io *io, memory_t *memory)
{
    (void)memory;
    scripted_of(io)->things[0].forgotten++;
    end_watch(&scripted_of(io)->things[0]);
}

static void other_invalidate(struct io *io, memory_t *memory)
{
    (void)io;
    struct thing *thing = *memory;
    if (thing != NULL) {
        thing->forgotten++;
        end_watch(thing);
    }
    *memory = NULL;
}

static const struct kind engine_kind = {
    .prefix = "engine",
    .slots = 1,
    .slot_timeout_ms = KIND_NEVER,
    .keys_of = engine_keys,
    .engine_of = engine_of,
    .observe = engine_observe,
    .free_current = free_current,
    .plan = plan,
    .resources = engine_resources,
    .explain = explain,
    .rejects = rejects,
    .act = act,
    .watch = engine_watch,
    .unwatch = engine_unwatch,
    .cancel = cancel_all,
    .invalidate = engine_invalidate,
};

static const struct kind cluster_kind = {
    .prefix = "cluster/",
    .slots = 2,
    .slot_timeout_ms = 500,
    .keys_of = cluster_keys,
    .exists = cluster_exists,
    .due_in = cluster_due_in,
    .observe = cluster_observe,
    .free_current = free_current,
    .plan = plan,
    .resources = cluster_resources,
    .explain = explain,
    .act = act,
    .watch = cluster_watch,
    .unwatch = cluster_unwatch,
    .cancel = cancel_none,
    .invalidate = other_invalidate,
};

static const struct kind node_kind = {
    .prefix = "node/",
    .slots = 3,
    .slot_timeout_ms = KIND_NEVER,
    .keys_of = node_keys,
    .exists = node_exists,
    .behind_engine = true,
    .observe = node_observe,
    .free_current = free_current,
    .plan = plan,
    .resources = node_resources,
    .explain = explain,
    .act = act,
    .cancel = cancel_none,
    .invalidate = other_invalidate,
};

static const struct kind page_kind = {
    .prefix = "page/",
    .slots = 1,
    .slot_timeout_ms = 500,
    .follows = true,
    .keys_of = page_keys,
    .observe = page_observe,
    .free_current = free_current,
    .plan = plan,
    .resources = page_resources,
    .explain = explain,
    .cancel = cancel_none,
    .invalidate = other_invalidate,
};

static const struct kind *const table[] = {&engine_kind, &cluster_kind, &node_kind, &page_kind};

const struct kind_table scripted_kinds = {table, ELEMENTS(table)};
