#include "tests/support/reconcile_fixture.h"

#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TURNS_MAX 10000

static void on_acted(void *ctx, const struct action *action, const struct error *err)
{
    struct fixture *fixture = ctx;
    assert_non_null(action->resource);
    fixture->acted += err == NULL;
    fixture->failed += err != NULL;
}

static void on_condition(void *ctx, const struct condition *condition,
                         const struct condition *before)
{
    struct fixture *fixture = ctx;
    fixture->transitions++;
    if (before != NULL) {
        assert_string_equal(condition->resource, before->resource);
        assert_true(condition->ready != before->ready || condition->reason != before->reason ||
                    strcmp(condition->message, before->message) != 0);
    }
    (void)snprintf(fixture->last_condition, sizeof(fixture->last_condition), "%s %s",
                   condition->resource, reason_name(condition->reason));
}

static void on_status(void *ctx)
{
    ((struct fixture *)ctx)->statuses++;
}

struct fixture *fixture_new_with(enum reconcile_mode mode, struct config *config)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->fake = fake_backend_new();
    fixture->world = fake_world(fixture->fake);
    fixture->now_ms = 1000;
    fake_node(fixture->world, "hostk8s", "hostk8s-control-plane", true);
    struct reconciler_events events = {
        .acted = on_acted,
        .condition = on_condition,
        .status = on_status,
        .ctx = fixture,
    };
    assert_int_equal(
        reconciler_new(fake_backend(fixture->fake), config, mode, &events, &fixture->reconciler),
        0);
    reconciler_trigger(fixture->reconciler);
    return fixture;
}

struct fixture *fixture_new(enum reconcile_mode mode)
{
    return fixture_new_with(mode, sample_config());
}

void fixture_free(struct fixture *fixture)
{
    assert_false(fake_overlapped(fixture->fake));
    reconciler_stop(fixture->reconciler);
    for (int i = 0; i < TURNS_MAX && !reconciler_idle(fixture->reconciler); i++) {
        (void)fake_run(fixture->fake);
        fixture_step(fixture);
    }
    assert_true(reconciler_idle(fixture->reconciler));
    reconciler_free(fixture->reconciler);
    fake_backend_free(fixture->fake);
    free(fixture);
}

void fixture_step(struct fixture *fixture)
{
    fixture->world->now_s = 1767225600 + (int64_t)(fixture->now_ms / 1000);
    reconciler_step(fixture->reconciler, fixture->now_ms, fixture->world->now_s);
}

void fixture_run(struct fixture *fixture)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        fixture_step(fixture);
        uint64_t due_ms = 0;
        bool due = reconciler_next_due(fixture->reconciler, &due_ms) && due_ms <= fixture->now_ms;
        if (fake_run(fixture->fake) == 0 && !due) {
            return;
        }
    }
    fail_msg("there is no end to it");
}

void fixture_advance(struct fixture *fixture, uint64_t ms)
{
    fixture->now_ms += ms;
    fixture_run(fixture);
}

uint64_t fixture_next_due(const struct fixture *fixture)
{
    uint64_t due_ms = 0;
    return reconciler_next_due(fixture->reconciler, &due_ms) ? due_ms : UINT64_MAX;
}

void fixture_settle(struct fixture *fixture, uint64_t ms)
{
    uint64_t end_ms = fixture->now_ms + ms;
    fixture_run(fixture);
    while (!reconciler_settled(fixture->reconciler)) {
        uint64_t due_ms = fixture_next_due(fixture);
        if (due_ms > end_ms) {
            fail_msg("not settled after %llu ms", (unsigned long long)ms);
        }
        fixture_advance(fixture, due_ms - fixture->now_ms);
    }
}

void fixture_is(const struct fixture *fixture, const char *resource, const char *expected)
{
    const struct status_entry *entry = status_get(reconciler_status(fixture->reconciler), resource);
    char text[128] = "absent";
    if (entry != NULL) {
        (void)snprintf(text, sizeof(text), "%s %s", ready_name(entry->condition.ready),
                       reason_name(entry->condition.reason));
    }
    assert_string_equal(text, expected);
}

const char *fixture_message(const struct fixture *fixture, const char *resource)
{
    const struct status_entry *entry = status_get(reconciler_status(fixture->reconciler), resource);
    assert_non_null(entry);
    return entry->condition.message;
}

void fixture_all_ready(const struct fixture *fixture)
{
    const struct status *status = reconciler_status(fixture->reconciler);
    char line[256];
    char expected[32];
    status_line(status, line, sizeof(line));
    (void)snprintf(expected, sizeof(expected), "%zu/%zu ready", status->count, status->count);
    assert_string_equal(line, expected);
}
