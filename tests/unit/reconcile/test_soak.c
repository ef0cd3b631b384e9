// Thousands of passes over a world that breaks at random: nothing leaks (run it under ASan),
// nothing grows, a key never has two operations at once, and when the world heals all is ready.
#include "tests/support/reconcile_fixture.h"

#include "lib/base/str.h"
#include "lib/reconcile/reconciler_internal.h"
#include "tests/support/repeat.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20260101u
#ifndef __has_feature
#define __has_feature(x) 0 // clang's way to ask what gcc has a macro for
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define PASSES 3000 // each takes ten times as long, and one leak is enough
#else
#define PASSES 10000
#endif
#define POLL_MS 10000
#define KEYS_MAX 6 // the engine, two clusters, three nodes: no more, whatever happens

static uint32_t seed = SEED;

static uint32_t pick(uint32_t below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static void break_something(struct fixture *fixture)
{
    static const struct error errors[] = {
        {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"},
        {.kind = ERROR_TRANSIENT, .code = EIO, .status = 500, .text = "broke"},
        {.kind = ERROR_CONFLICT, .code = ENOENT, .status = 404, .text = "gone"},
        {.kind = ERROR_PERMANENT, .code = EACCES, .status = 403, .text = "forbidden"},
        {.kind = ERROR_FATAL, .code = ENOMEM, .text = "out of memory"},
        {.kind = ERROR_TRANSIENT, .code = ECANCELED, .text = "cancelled"},
    };
    static const char *const prefixes[] = {"engine", "node/", "cluster/", "container/", "kube/"};
    const struct error *error = &errors[pick(ELEMENTS(errors))];
    if (pick(4) == 0) {
        fake_refuse(fixture->fake, error);
    } else {
        fake_fail(fixture->fake, prefixes[pick(ELEMENTS(prefixes))], pick(FAKE_OBSERVE + 1), error,
                  1 + pick(3));
    }
}

static void change_something(struct fixture *fixture)
{
    struct fake_world *world = fixture->world;
    switch (pick(6)) {
    case 0:
        if (fake_container_exists(world, "hostk8s-registry")) {
            fake_container_stop(world, "hostk8s-registry");
        }
        break;
    case 1:
        fake_node_file(world, "hostk8s-control-plane", "localhost:5000",
                       "# managed by hostk8s-registryd\n");
        break;
    case 2:
        fake_node(world, "hostk8s", "hostk8s-worker", pick(2) == 0);
        break;
    case 3:
        world->address = (int)(2 + pick(200));
        break;
    case 4:
        world->probe = pick(2) == 0 ? PROBE_SILENT : PROBE_ANSWERS;
        break;
    default:
        fake_node(world, "second", "second-control-plane", pick(2) == 0);
        break;
    }
}

// Mostly without the UI, whose objects are most of the work of a pass.
static struct config *some_config(void)
{
    struct config *config = sample_config();
    if (pick(2) == 0) {
        assert_int_equal(strv_add(&config->clusters, "second"), 0);
    }
    sample_set(&config->registry.image, pick(4) == 0 ? "registry:3" : "registry:2");
    config->ui.enabled = pick(8) == 0;
    return config;
}

static void test_soak(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new_with(RECONCILE_KEEP, some_config());
    unsigned passes = repetitions(PASSES);
    for (unsigned i = 0; i < passes; i++) {
        if (pick(3) == 0) {
            break_something(fixture);
        }
        if (pick(5) == 0) {
            change_something(fixture);
        }
        if (pick(200) == 0) {
            reconciler_reload(fixture->reconciler, some_config());
        }
        if (pick(10) == 0) {
            reconciler_trigger(fixture->reconciler);
        }
        fixture_advance(fixture, POLL_MS);
        fake_heal(fixture->fake);
        assert_true(reconciler_idle(fixture->reconciler));
        assert_in_range(fixture->reconciler->keys.count, 1, KEYS_MAX);
        assert_in_range(reconciler_status(fixture->reconciler)->count, 2, 40);
    }
    assert_true(reconciler_status(fixture->reconciler)->passes > passes / 2);

    fixture->world->probe = PROBE_ANSWERS;
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    fake_node(fixture->world, "second", "second-control-plane", true);
    reconciler_reload(fixture->reconciler, sample_config());
    for (int i = 0; i < 12; i++) {
        fixture_advance(fixture, POLL_MS);
    }
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
