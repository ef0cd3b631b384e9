// A pull of the image takes its time, in which all else goes on.
#include "tests/support/reconcile_fixture.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define POLL_MS 10000
#define BACKOFF_MAX_MS 1200 // the first delay with its jitter, and a little

static struct fixture *pulling_fixture(void)
{
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture->world->image_missing = true;
    fake_silence(fixture->fake, FIXTURE_CONTAINER);
    fixture_run(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_IMAGE_PULL), 1);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Converging");
    return fixture;
}

static void end_pull(struct fixture *fixture)
{
    fake_silence(fixture->fake, NULL);
    fixture_run(fixture);
}

static void test_nodes_and_polls_during_a_pull(void **state)
{
    (void)state;
    struct fixture *fixture = pulling_fixture();
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    fixture_advance(fixture, POLL_MS);
    fixture_is(fixture, "node/hostk8s-worker", "True Converged");
    size_t cluster = fake_observed(fixture->fake, "cluster/hostk8s");
    fixture_advance(fixture, POLL_MS);
    assert_true(fake_observed(fixture->fake, "cluster/hostk8s") > cluster);
    assert_false(reconciler_idle(fixture->reconciler));

    size_t acted = fixture->acted;
    end_pull(fixture);
    assert_true(fixture->acted >= acted + 3); // pull, create, connect
    assert_int_equal(fake_acted(fixture->fake, ACTION_IMAGE_PULL), 1);
    assert_int_equal(fixture->failed, 0);
    fixture_advance(fixture, POLL_MS);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

// It is waited for with ever rarer looks.
static void test_a_long_pull_costs_little(void **state)
{
    (void)state;
    struct fixture *fixture = pulling_fixture();
    size_t observed = fake_observed(fixture->fake, "engine");
    for (int i = 0; i < 600; i++) {
        fixture_advance(fixture, 100);
    }
    assert_true(fake_observed(fixture->fake, "engine") <= observed + 2 * 60000 / POLL_MS);
    end_pull(fixture);
    fixture_free(fixture);
}

static void test_a_failed_pull_is_tried_again(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    const struct error refused = {
        .kind = ERROR_TRANSIENT, .code = EPROTO, .status = 500, .text = "no such host"};
    fixture->world->image_missing = true;
    fake_fail(fixture->fake, "container/", ACTION_IMAGE_PULL, &refused, 2);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "False ImagePullFailed");
    assert_int_equal(fixture->failed, 1);
    assert_int_equal(fake_acted(fixture->fake, ACTION_IMAGE_PULL), 1); // not in a hot loop
    fixture_is(fixture, FIXTURE_NODE, "True Converged");
    fixture_advance(fixture, BACKOFF_MAX_MS);
    assert_int_equal(fixture->failed, 2);
    fixture_is(fixture, FIXTURE_CONTAINER, "False ImagePullFailed");
    fixture_advance(fixture, 2 * BACKOFF_MAX_MS);
    assert_int_equal(fixture->failed, 2);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    fixture_free(fixture);
}

static void test_an_image_that_came_another_way(void **state)
{
    (void)state;
    struct fixture *fixture = pulling_fixture();
    fixture->world->image_missing = false;
    fake_silence(fixture->fake, "container/none");
    const struct error refused = {
        .kind = ERROR_TRANSIENT, .code = EPROTO, .status = 500, .text = "no such host"};
    fake_fail(fixture->fake, "container/", ACTION_IMAGE_PULL, &refused, 1);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    assert_int_equal(fixture->failed, 0); // nobody asked any more
    fixture_free(fixture);
}

static void test_reload_in_mid_pull(void **state)
{
    (void)state;
    struct fixture *fixture = pulling_fixture();
    size_t acted = fixture->acted;
    reconciler_reload(fixture->reconciler, sample_config());
    fixture_run(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_IMAGE_PULL), 2); // the new one's
    assert_int_equal(fixture->acted, acted);
    assert_int_equal(fixture->failed, 0);
    end_pull(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    fixture_free(fixture);
}

static void test_once_waits_for_the_pull(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture->world->image_missing = true;
    fake_silence(fixture->fake, FIXTURE_CONTAINER);
    fixture_run(fixture);
    fixture_advance(fixture, POLL_MS);
    assert_false(reconciler_settled(fixture->reconciler));
    end_pull(fixture);
    fixture_settle(fixture, POLL_MS);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_and_polls_during_a_pull),
        cmocka_unit_test(test_a_long_pull_costs_little),
        cmocka_unit_test(test_a_failed_pull_is_tried_again),
        cmocka_unit_test(test_an_image_that_came_another_way),
        cmocka_unit_test(test_reload_in_mid_pull),
        cmocka_unit_test(test_once_waits_for_the_pull),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
