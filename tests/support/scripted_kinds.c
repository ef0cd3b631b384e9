#include "tests/support/scripted_kinds.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct scripted *scripted_current;

struct thing *scripted_thing(struct scripted *scripted, const char *key)
{
    for (size_t i = 0; i < THINGS_MAX; i++) {
        if (str_equal(scripted->things[i].key, key)) {
            return &scripted->things[i];
        }
    }
    fail_msg("no %s", key);
    abort();
}

// By the part of its key behind the prefix, which no two kinds' have in common; "" is the engine.
static struct thing *thing_of(const char *name)
{
    for (size_t i = 1; i < THINGS_MAX && *name != '\0'; i++) {
        const char *key = scripted_current->things[i].key;
        if (key != NULL && str_equal(strchr(key, '/') + 1, name)) {
            return &scripted_current->things[i];
        }
    }
    assert_string_equal(name, "");
    return &scripted_current->things[0];
}

static struct operation *add_operation(enum operation_type type, struct thing *thing, void *ctx)
{
    unsigned open = 0;
    struct operation *free_one = NULL;
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        struct operation *operation = &scripted_current->operations[i];
        if (operation->type == FREE) {
            free_one = free_one == NULL ? operation : free_one;
        } else if (operation->type != WATCH) {
            assert_true(type == WATCH || operation->thing != thing || thing->background);
            open++;
        }
    }
    assert_non_null(free_one);
    *free_one = (struct operation){.type = type, .thing = thing, .ctx = ctx};
    if (type != WATCH && ++open > scripted_current->peak) {
        scripted_current->peak = open;
    }
    return free_one;
}

// ---- the kinds ----

static void keys_of(const struct config *config, bool desired, const char *prefix, key_fn add,
                    void *ctx)
{
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

#define KEYS_OF(name, prefix)                                                                      \
    static void name(const struct config *config, _unused_ const struct engine *engine,            \
                     bool desired, key_fn add, void *ctx)                                          \
    {                                                                                              \
        keys_of(config, desired, prefix, add, ctx);                                                \
    }
KEYS_OF(engine_keys, "engine")
KEYS_OF(node_keys, "node/")
KEYS_OF(cluster_keys, "cluster/")
KEYS_OF(page_keys, "page/")

static bool exists(_unused_ const struct engine *engine, const char *name)
{
    return thing_of(name)->exists;
}

// The engine's address is its clock: 0 is none, which clusters have time for.
static uint64_t due_in(const struct engine *before, const struct engine *after,
                       _unused_ const char *name)
{
    return before->now_s == after->now_s ? KIND_NEVER : after->now_s == 0 ? 2000 : 0;
}

static struct engine *engine_of(_unused_ memory_t memory)
{
    return scripted_current->engine;
}

static void free_current(void *current)
{
    free(current);
}

static int observe(_unused_ struct io *io, memory_t *memory, const struct input *input,
                   observe_done_fn done, void *ctx, struct error *err)
{
    struct thing *thing = *memory = thing_of(input->name);
    // What follows from the engine is never observed before it.
    assert_true(thing->cluster == NULL || input->engine != NULL);
    thing->observed++;
    thing->had_engine = input->engine != NULL;
    if (thing->observe_error.code == ENOBUFS) { // refused at once
        *err = thing->observe_error;
        return -ENOBUFS;
    }
    struct operation *operation = add_operation(OBSERVE, thing, ctx);
    operation->observed = done;
    operation->hangs = thing->observe_hangs;
    return 0;
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

static void resources(const struct input *input, const struct condition *condition,
                      struct plan *ret)
{
    const struct thing *thing = thing_of(input->name);
    plan_set_condition(ret, thing->key, thing->cluster, condition->ready, condition->reason, "%s",
                       condition->message);
}

static enum reason explain(_unused_ const struct input *input, const struct action *action,
                           const struct error *error, char *message, size_t size)
{
    (void)snprintf(message, size, "%s", error->text);
    if (action == NULL && error->code == EHOSTDOWN) {
        return REASON_CONVERGING;
    }
    if (action == NULL && error->status == 0) {
        return error->code == ENOENT     ? REASON_CLUSTER_NOT_FOUND
               : error->code == ENOTCONN ? REASON_NODE_NOT_RUNNING
                                         : REASON_API_UNREACHABLE;
    }
    return error->status == 403 ? REASON_FORBIDDEN : REASON_ERROR;
}

static bool rejects(const struct action *action, _unused_ const struct error *error)
{
    return scripted_thing(scripted_current, action->resource)->rejects;
}

static int act(_unused_ struct io *io, _unused_ memory_t *memory, const struct action *action,
               const struct input *input, act_done_fn done, void *ctx, struct error *err)
{
    struct thing *thing = thing_of(input->name);
    thing->acted++;
    if (thing->act_error.code == ENOBUFS) {
        *err = thing->act_error;
        return -ENOBUFS;
    }
    struct operation *operation = add_operation(ACT, thing, ctx);
    operation->action = action;
    operation->acted = done;
    operation->hangs = thing->act_hangs;
    return 0;
}

static int watch(_unused_ struct io *io, _unused_ memory_t *memory, const struct input *input,
                 watch_dirty_fn dirty, watch_done_fn done, void *ctx, _unused_ struct error *err)
{
    struct thing *thing = thing_of(input->name);
    thing->watched++;
    struct operation *operation = add_operation(WATCH, thing, ctx);
    operation->dirty = dirty;
    operation->ended = done;
    return 0;
}

static void unwatch(_unused_ struct io *io, memory_t memory)
{
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        struct operation *operation = &scripted_current->operations[i];
        if (operation->type == WATCH && operation->thing == memory) {
            operation->cancelled = true;
        }
    }
}

static void cancel(_unused_ struct io *io, memory_t memory, bool changes_too)
{
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        struct operation *operation = &scripted_current->operations[i];
        bool background = operation->type == ACT && operation->action->background;
        bool ends =
            operation->type == OBSERVE || background || (operation->type == ACT && changes_too);
        operation->cancelled |= ends && operation->thing == memory;
    }
}

static void invalidate(struct io *io, memory_t *memory)
{
    struct thing *thing = *memory;
    if (thing != NULL) {
        thing->forgotten++;
        unwatch(io, thing);
    }
    *memory = NULL;
}

// What all of them have.
#define EVERY                                                                                      \
    .settle_ms = 500, .observe = observe, .free_current = free_current, .plan = plan,              \
    .resources = resources, .explain = explain, .act = act, .cancel = cancel,                      \
    .invalidate = invalidate

static const struct kind engine_kind = {
    EVERY,
    .prefix = "engine",
    .slots = 1,
    .slot_timeout_ms = KIND_NEVER,
    .keys_of = engine_keys,
    .engine_of = engine_of,
    .rejects = rejects,
    .watch = watch,
    .unwatch = unwatch,
};

static const struct kind cluster_kind = {
    EVERY,
    .prefix = "cluster/",
    .slots = 2,
    .slot_timeout_ms = 500,
    .keys_of = cluster_keys,
    .exists = exists,
    .due_in = due_in,
    .watch = watch,
    .unwatch = unwatch,
};

static const struct kind node_kind = {
    EVERY,
    .prefix = "node/",
    .slots = 3,
    .slot_timeout_ms = KIND_NEVER,
    .keys_of = node_keys,
    .exists = exists,
    .behind_engine = true,
};

static const struct kind page_kind = {
    EVERY,           .prefix = "page/",    .slots = 1, .slot_timeout_ms = 500,
    .follows = true, .keys_of = page_keys,
};

static const struct kind *const table[] = {&engine_kind, &cluster_kind, &node_kind, &page_kind};

const struct kind_table scripted_kinds = {table, ELEMENTS(table)};
