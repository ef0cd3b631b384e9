#include "tests/support/rig.h"

#include "lib/backend/backend.h"
#include "tests/support/alloc.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_storage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TURNS_MAX 20000
#define START_MS 100000 // some time after boot
#define SOON_MS 2000 // what is due so soon is waited for: what streams told, their next beginning
#define CONVERGE_MS 60000

static void condition_event(void *ctx, const struct condition *condition,
                            _unused_ const struct condition *before)
{
    ALLOC_LOOK_AWAY;
    struct rig *rig = ctx;
    if (rig->on_condition != NULL) {
        rig->on_condition(rig->ctx, condition);
    }
}

static void acted_event(void *ctx, const struct action *action, const struct error *err)
{
    ALLOC_LOOK_AWAY;
    struct rig *rig = ctx;
    if (rig->on_acted != NULL) {
        rig->on_acted(rig->ctx, action, err);
    }
}

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    fake_clock_set(START_MS);
    fake_storage_set(ENOENT);
    rig->sim = sim_new();
    return rig;
}

void rig_free(struct rig *rig)
{
    rig_stop(rig);
    sim_free(rig->sim);
    free(rig);
}

static void end(struct rig *rig)
{
    reconciler_free(TAKE_PTR(rig->reconciler));
    guard_backend_free(TAKE_PTR(rig->guard));
    backend_free(TAKE_PTR(rig->backend));
}

static int start(struct rig *rig, struct config *config, enum reconcile_mode mode)
{
    const struct reconciler_events events = {
        .acted = acted_event, .condition = condition_event, .ctx = rig};
    int r = backend_new(sim_http_transport(rig->sim->http), NULL, NULL, &rig->backend);
    if (r == 0) {
        rig->guard = guard_backend_new(rig->backend);
        r = reconciler_new(guard_backend(rig->guard), config, mode, &events, &rig->reconciler);
    }
    if (r < 0) {
        config_free(config);
        end(rig);
        return r;
    }
    reconciler_trigger(rig->reconciler);
    return 0;
}

int rig_start(struct rig *rig, struct config *config, enum reconcile_mode mode)
{
    bool was = alloc_watch(true);
    int r = start(rig, config, mode);
    (void)alloc_watch(was);
    return r;
}

void rig_reload(struct rig *rig, struct config *config)
{
    bool was = alloc_watch(true);
    reconciler_reload(rig->reconciler, config);
    (void)alloc_watch(was);
}

void rig_trigger(struct rig *rig)
{
    bool was = alloc_watch(true);
    reconciler_trigger(rig->reconciler);
    (void)alloc_watch(was);
}

// One step of the program, or one delivery; false when there is neither.
static bool turn(struct rig *rig)
{
    uint64_t due_ms = 0;
    if (reconciler_next_due(rig->reconciler, &due_ms) && due_ms <= fake_clock_ms()) {
        reconciler_step(rig->reconciler, fake_clock_ms(), fake_clock_s());
        return true;
    }
    return sim_http_step(rig->sim->http);
}

void rig_run(struct rig *rig)
{
    bool was = alloc_watch(true);
    unsigned turns = 0;
    while (turn(rig)) {
        turns++;
        assert_true(turns < TURNS_MAX); // else there is no end to it
    }
    (void)alloc_watch(was);
}

void rig_next(struct rig *rig, uint64_t end_ms)
{
    uint64_t due_ms = 0;
    bool due = reconciler_next_due(rig->reconciler, &due_ms);
    fake_clock_set(due && due_ms < end_ms ? due_ms : end_ms);
    rig_run(rig);
}

void rig_advance(struct rig *rig, uint64_t ms)
{
    uint64_t end_ms = fake_clock_ms() + ms;
    rig_run(rig);
    while (fake_clock_ms() < end_ms) {
        rig_next(rig, end_ms);
    }
}

static bool has_settled(const struct rig *rig)
{
    uint64_t due_ms = UINT64_MAX;
    (void)reconciler_next_due(rig->reconciler, &due_ms);
    return reconciler_settled(rig->reconciler) && due_ms > fake_clock_ms() + SOON_MS;
}

bool rig_settle(struct rig *rig, uint64_t ms)
{
    uint64_t end_ms = fake_clock_ms() + ms;
    rig_run(rig);
    while (!has_settled(rig) && fake_clock_ms() < end_ms) {
        rig_next(rig, end_ms);
    }
    return has_settled(rig);
}

void rig_converge(struct rig *rig)
{
    (void)rig_settle(rig, CONVERGE_MS);
    rig_assert_ready(rig);
}

void rig_stop(struct rig *rig)
{
    if (rig->reconciler == NULL) {
        return;
    }
    bool was = alloc_watch(true);
    reconciler_stop(rig->reconciler);
    rig_run(rig);
    assert_true(reconciler_idle(rig->reconciler));
    end(rig);
    (void)alloc_watch(was);
    assert_int_equal(sim_http_under_way(rig->sim->http), 0);
}

bool rig_is_ready(const struct rig *rig)
{
    const struct status *status = reconciler_status(rig->reconciler);
    return status->count > 2 && status->ready == status->count;
}

void rig_assert_ready(const struct rig *rig)
{
    if (rig_is_ready(rig)) {
        return;
    }
    const struct status *status = reconciler_status(rig->reconciler);
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        print_error("%s %s %s\n", condition->resource, reason_name(condition->reason),
                    condition->message);
    }
    fail_msg("not all of %zu are ready", status->count);
}
