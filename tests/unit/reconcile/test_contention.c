// What something else keeps changing back: repaired a few times at once, then ever more rarely.
#include "tests/support/reconcile_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NODE "hostk8s-control-plane"
#define REPAIRS_AT_ONCE 10
#define FIGHTS 50

// Somebody spoils a file, and an event tells of it at once.
static void spoil(struct fixture *fixture)
{
    fake_node_file(fixture->world, NODE, "localhost:5000",
                   "# managed by hostk8s-registryd\nspoilt\n");
    reconciler_trigger_key(fixture->reconciler, FIXTURE_NODE);
    fixture_run(fixture);
}

static void test_fight_is_throttled_and_told(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    size_t acted = fixture->acted;
    for (int i = 0; i < FIGHTS; i++) {
        spoil(fixture);
    }
    assert_int_equal(fixture->acted, acted + REPAIRS_AT_ONCE);
    fixture_is(fixture, FIXTURE_NODE, "False Contended");
    assert_non_null(
        strstr(fixture_message(fixture, FIXTURE_NODE), "something else keeps changing"));
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    fixture_free(fixture);
}

static void test_end_of_a_fight_is_seen(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    for (int i = 0; i < FIGHTS; i++) {
        spoil(fixture);
    }
    fixture_is(fixture, FIXTURE_NODE, "False Contended");
    for (int i = 0; i < 60; i++) {
        fixture_advance(fixture, 1000);
    }
    fixture_all_ready(fixture);
    size_t acted = fixture->acted;
    spoil(fixture);
    assert_int_equal(fixture->acted, acted + 1); // forgotten by now
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_rare_repairs_are_no_fight(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    for (int i = 0; i < FIGHTS; i++) {
        size_t acted = fixture->acted;
        spoil(fixture);
        assert_int_equal(fixture->acted, acted + 1);
        fixture_all_ready(fixture);
        fixture_advance(fixture, 6000);
    }
    fixture_free(fixture);
}

// It is fought over no less when something else keeps it from being ready.
static void test_fight_over_what_is_not_ready(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_node_file(fixture->world, NODE, "127.0.0.1:5002", "# somebody's own\n");
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_NODE, "False ForeignFile");
    size_t acted = fixture->acted;
    for (int i = 0; i < FIGHTS; i++) {
        spoil(fixture);
    }
    assert_int_equal(fixture->acted, acted + REPAIRS_AT_ONCE);
    fixture_is(fixture, FIXTURE_NODE, "False Contended");
    fixture_free(fixture);
}

// What would be done after the repair that is held back is held back, too: it would be in vain.
static void test_network_waits_for_a_contended_container(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    for (int i = 0; i < FIGHTS; i++) {
        if (fake_container_exists(fixture->world, "hostk8s-registry")) {
            fake_container_remove(fixture->world, "hostk8s-registry");
        }
        reconciler_trigger_key(fixture->reconciler, "engine");
        fixture_run(fixture);
    }
    fixture_is(fixture, FIXTURE_CONTAINER, "False Contended");
    fixture_is(fixture, FIXTURE_NETWORK, "False Converging");
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 1 + REPAIRS_AT_ONCE);
    assert_int_equal(fake_acted(fixture->fake, ACTION_NETWORK_CONNECT), 1 + REPAIRS_AT_ONCE);
    for (int i = 0; i < 60; i++) {
        fixture_advance(fixture, 1000);
    }
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fight_is_throttled_and_told),
        cmocka_unit_test(test_end_of_a_fight_is_seen),
        cmocka_unit_test(test_rare_repairs_are_no_fight),
        cmocka_unit_test(test_fight_over_what_is_not_ready),
        cmocka_unit_test(test_network_waits_for_a_contended_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
