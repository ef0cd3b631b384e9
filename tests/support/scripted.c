#include "tests/support/scripted.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG_MAX (1024u * 1024u)
#define DUE_STEPS_MAX 100000

// ---- what is told ----

static void on_acted(void *ctx, const struct action *action, const struct error *err)
{
    struct scripted *scripted = ctx;
    (void)buf_printf(&scripted->log, "%s%s %s\n", err->kind == ERROR_NONE ? "" : "failed to ",
                     action->verb, action->resource);
}

static void on_news(void *ctx, const struct news *news)
{
    struct scripted *scripted = ctx;
    const char *message = news->condition->message;
    for (size_t i = 0; i < news->count; i++) {
        (void)buf_printf(&scripted->log, "%s %s%s%s%s\n", news->resources[i],
                         news->before == _REASON_COUNT ? "+" : "",
                         reason_name(news->condition->reason), *message == '\0' ? "" : ": ",
                         message);
    }
}

void assert_told(struct scripted *scripted, const char *expected)
{
    assert_string_equal(buf_str(&scripted->log), expected);
    scripted_invalidate_log(scripted);
}

void scripted_invalidate_log(struct scripted *scripted)
{
    buf_truncate(&scripted->log, 0);
}

void assert_line(struct scripted *scripted, const char *expected)
{
    char line[256];
    status_line(reconciler_status(scripted->reconciler), line, sizeof(line));
    assert_string_equal(line, expected);
}

// ---- the whole ----

static void no_cancel(_unused_ struct worker *worker)
{
}

struct scripted *scripted_new(enum reconcile_mode mode, const char *config_text)
{
    struct scripted *scripted = xcalloc(1, sizeof(*scripted));
    scripted_current = scripted;
    scripted->log = BUF_INIT(LOG_MAX);
    scripted->worker.cancel = no_cancel;
    scripted->io.worker = &scripted->worker;
    scripted->now_ms = 1000000;
    scripted->now_s = 1700000000;
    scripted->address = 1;
    scripted->network_value = 0;
    (void)scripted_add(scripted, "engine", NULL);
    const struct reconciler_events events = {.acted = on_acted, .news = on_news, .ctx = scripted};
    scripted->reconciler = reconciler_new(&scripted->io, &scripted_kinds,
                                          sample_config_of(config_text), mode, &events);
    return scripted;
}

struct thing *scripted_add(struct scripted *scripted, const char *key, const char *cluster)
{
    for (size_t i = 0; i < THINGS_MAX; i++) {
        if (scripted->things[i].key == NULL) {
            scripted->things[i] = (struct thing){.key = key, .cluster = cluster, .exists = true};
            return &scripted->things[i];
        }
    }
    fail();
    return NULL;
}

void scripted_find_engine(struct scripted *scripted)
{
    engine_unref(scripted->engine);
    scripted->engine = xcalloc(1, sizeof(*scripted->engine));
    scripted->engine->refs = 1;
    scripted->engine->now_s = (int64_t)scripted->address;
}

static void finish_observation(struct scripted *scripted, const struct operation *operation,
                               const struct error *err)
{
    if (err != NULL) {
        operation->observed(operation->ctx, NULL, err);
        return;
    }
    struct observation *observation = xcalloc(1, sizeof(*observation));
    *observation = (struct observation){.thing = operation->thing,
                                        .value = operation->thing->value,
                                        .network_value = scripted->network_value};
    if (operation->thing == &scripted->things[0]) {
        scripted_find_engine(scripted);
    }
    operation->observed(operation->ctx, observation, NULL);
}

static void finish_action(struct scripted *scripted, const struct operation *operation,
                          const struct error *err)
{
    struct thing *thing = operation->thing;
    if (err == NULL && !thing->does_not_hold) {
        *(str_equal(operation->action->resource, "network") ? &scripted->network_value
                                                            : &thing->value) =
            operation->action->op;
    }
    operation->acted(operation->ctx, err);
}

static void answer(struct scripted *scripted, struct operation *operation)
{
    const struct operation done = *operation;
    struct error cancelled;
    (void)error_set(&cancelled, ERROR_TRANSIENT, ECANCELED, "cancelled");
    const struct thing *thing = done.thing;
    const struct error *own = done.type == OBSERVE ? &thing->observe_error : &thing->act_error;
    const struct error *err = done.cancelled       ? &cancelled
                              : done.type == WATCH ? NULL
                              : own->code != 0     ? own
                                                   : NULL;
    operation->type = FREE;
    switch (done.type) {
    case OBSERVE:
        finish_observation(scripted, &done, err);
        break;
    case ACT:
        finish_action(scripted, &done, err);
        break;
    case WATCH:
        done.ended(done.ctx, err);
        break;
    case FREE:
        break;
    }
}

static bool answer_one(struct scripted *scripted)
{
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        struct operation *operation = &scripted->operations[i];
        bool answers = operation->type == WATCH ? operation->cancelled
                                                : operation->cancelled || !operation->hangs;
        if (operation->type != FREE && answers) {
            answer(scripted, operation);
            return true;
        }
    }
    return false;
}

void scripted_settle(struct scripted *scripted)
{
    unsigned steps = 0;
    while (reconciler_next_due(scripted->reconciler) <= scripted->now_ms || answer_one(scripted)) {
        assert_true(++steps < DUE_STEPS_MAX);
        if (reconciler_next_due(scripted->reconciler) <= scripted->now_ms) {
            reconciler_advance(scripted->reconciler, scripted->now_ms, scripted->now_s);
        }
    }
}

void scripted_advance(struct scripted *scripted, uint64_t ms)
{
    uint64_t end_ms = scripted->now_ms + ms;
    scripted_settle(scripted);
    uint64_t due_ms;
    while ((due_ms = reconciler_next_due(scripted->reconciler)) <= end_ms) {
        scripted->now_s += (int64_t)((due_ms - scripted->now_ms) / 1000);
        scripted->now_ms = due_ms > scripted->now_ms ? due_ms : scripted->now_ms;
        scripted_settle(scripted);
    }
    scripted->now_ms = end_ms;
}

void scripted_release(struct scripted *scripted)
{
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        scripted->operations[i].hangs = false;
    }
    for (size_t i = 0; i < THINGS_MAX; i++) {
        scripted->things[i].observe_hangs = false;
        scripted->things[i].act_hangs = false;
    }
    scripted_settle(scripted);
}

static struct operation *find_watch(struct scripted *scripted, const char *key)
{
    const struct thing *thing = scripted_thing(scripted, key);
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        if (scripted->operations[i].type == WATCH && scripted->operations[i].thing == thing) {
            return &scripted->operations[i];
        }
    }
    fail_msg("%s is not watched", key);
    abort();
}

void scripted_event(struct scripted *scripted, const char *key)
{
    // The engine's stream tells of nodes as well.
    struct operation *operation =
        find_watch(scripted, str_starts_with(key, "node/") ? "engine" : key);
    operation->dirty(operation->ctx, key);
}

void scripted_end_watch(struct scripted *scripted, const char *key, const struct error *why)
{
    struct operation *operation = find_watch(scripted, key);
    const struct operation done = *operation;
    operation->type = FREE;
    done.ended(done.ctx, why);
}

void scripted_free(struct scripted *scripted)
{
    if (scripted == NULL) {
        return;
    }
    reconciler_stop(scripted->reconciler);
    reconciler_abort(scripted->reconciler);
    scripted_settle(scripted);
    assert_true(reconciler_is_idle(scripted->reconciler));
    reconciler_free(scripted->reconciler);
    engine_unref(scripted->engine);
    buf_done(&scripted->log);
    free(scripted);
}
