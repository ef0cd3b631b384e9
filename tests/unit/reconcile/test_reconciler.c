// The way to what is declared, and staying there.
#include "tests/support/reconcile_fixture.h"

#include "lib/base/str.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define POLL_MS 10000
#define CLUSTER_PATIENCE_MS 500 // how long one that does not answer keeps its place

static void test_nothing_before_trigger(void **state)
{
    (void)state;
    struct fake_backend *fake = fake_backend_new();
    struct reconciler *reconciler = NULL;
    assert_int_equal(reconciler_new(fake_backend(fake), sample_config(), RECONCILE_KEEP,
                                    &(struct reconciler_events){0}, &reconciler),
                     0);
    uint64_t due_ms = 0;
    reconciler_step(reconciler, 5, 5);
    assert_false(reconciler_next_due(reconciler, &due_ms));
    assert_false(reconciler_settled(reconciler));
    assert_false(reconciler_all_observed(reconciler));
    assert_int_equal(fake_under_way(fake), 0);
    assert_true(reconciler_idle(reconciler));
    reconciler_free(reconciler);
    reconciler_free(NULL);
    fake_backend_free(fake);
}

static void test_keep_converges(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    fixture_is(fixture, FIXTURE_NODE, "True Converged");
    fixture_is(fixture, FIXTURE_SLICE, "True Converged");
    fixture_all_ready(fixture);
    assert_true(fake_container_runs(fixture->world, "hostk8s-registry"));
    assert_true(fake_node_files(fixture->world, "hostk8s-control-plane") >= 4);
    assert_int_equal(fixture->failed, 0);
    assert_true(reconciler_all_observed(fixture->reconciler));
    fixture_free(fixture);
}

static void test_quiet_pass(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    const struct status *status = reconciler_status(fixture->reconciler);
    struct fixture before = *fixture;
    size_t engine = fake_observed(fixture->fake, "engine");
    size_t cluster = fake_observed(fixture->fake, "cluster/hostk8s");
    assert_int_equal(status->passes, 1);
    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(fixture_next_due(fixture), fixture->now_ms + POLL_MS);
        fixture_advance(fixture, POLL_MS);
        assert_int_equal(status->passes, 1 + i);
        assert_int_equal(fake_observed(fixture->fake, "engine"), engine + i);
        assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), cluster + i);
    }
    assert_int_equal(fixture->acted, before.acted);
    assert_int_equal(fixture->transitions, before.transitions);
    assert_int_equal(fixture->statuses, before.statuses);
    fixture_free(fixture);
}

static void test_pass_accounting(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    const struct status *status = reconciler_status(fixture->reconciler);
    fixture->now_ms += POLL_MS;
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), 1); // the engine alone
    (void)fake_run(fixture->fake);
    fixture->now_ms += 30;
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), 2);
    assert_int_equal(status->passes, 1);
    fixture->now_ms += 12;
    (void)fake_run(fixture->fake);
    fixture_step(fixture);
    assert_int_equal(status->passes, 2);
    assert_int_equal(status->pass_ms, 42);
    assert_true(status->pass_cpu_us > 0 && status->pass_cpu_us < 60000000);
    assert_int_equal(fixture_next_due(fixture), fixture->now_ms + POLL_MS - 42);

    // One that takes longer than the poll is not followed by the next at once.
    fixture->now_ms = fixture_next_due(fixture);
    fixture_step(fixture);
    (void)fake_run(fixture->fake);
    fixture->now_ms += 2 * POLL_MS;
    fixture_step(fixture);
    (void)fake_run(fixture->fake);
    fixture_step(fixture);
    assert_int_equal(status->passes, 3);
    assert_int_equal(fixture_next_due(fixture), fixture->now_ms + 2 * POLL_MS);
    fixture_free(fixture);
}

static void test_drift_is_repaired(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    size_t acted = fixture->acted;
    fake_container_stop(fixture->world, "hostk8s-registry");
    fake_node_file(fixture->world, "hostk8s-control-plane", "localhost:5000",
                   "# managed by hostk8s-registryd\nspoilt\n");
    fixture_advance(fixture, POLL_MS);
    assert_int_equal(fixture->acted, acted + 2);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_trigger_key(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    size_t engine = fake_observed(fixture->fake, "engine");
    size_t node = fake_observed(fixture->fake, FIXTURE_NODE);
    reconciler_trigger_key(fixture->reconciler, FIXTURE_NODE);
    fixture_run(fixture);
    assert_int_equal(fake_observed(fixture->fake, FIXTURE_NODE), node + 1);
    assert_int_equal(fake_observed(fixture->fake, "engine"), engine);
    reconciler_trigger_key(fixture->reconciler, "node/unknown");
    fixture_run(fixture);
    assert_int_equal(fake_observed(fixture->fake, "engine"), engine + 1);
    assert_int_equal(fake_observed(fixture->fake, FIXTURE_NODE), node + 1); // no full pass
    fixture_free(fixture);
}

static void test_node_appears_and_goes(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", false);
    fake_node(fixture->world, "other", "other-control-plane", true); // not declared
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    fixture_is(fixture, "node/hostk8s-worker", "False NodeNotRunning");
    fixture_is(fixture, "node/other-control-plane", "absent");
    assert_int_equal(fake_observed(fixture->fake, "node/hostk8s-worker"), 0);

    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    fixture_is(fixture, "node/hostk8s-worker", "True Converged");
    assert_int_equal(fake_forgotten(fixture->fake, "node/hostk8s-worker"), 1); // its files as well
    fixture_all_ready(fixture);

    size_t statuses = fixture->statuses;
    fake_node_remove(fixture->world, "hostk8s-worker");
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    fixture_is(fixture, "node/hostk8s-worker", "absent");
    assert_int_equal(fake_forgotten(fixture->fake, "node/hostk8s-worker"), 2);
    assert_int_equal(fixture->statuses, statuses + 1);
    fixture_free(fixture);
}

static void test_node_is_made_anew(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    size_t observed = fake_observed(fixture->fake, FIXTURE_NODE);
    fake_node_remove(fixture->world, "hostk8s-control-plane");
    fake_node(fixture->world, "hostk8s", "hostk8s-control-plane", true);
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    // What is cached was of the old one.
    assert_int_equal(fake_forgotten(fixture->fake, FIXTURE_NODE), 1);
    assert_true(fake_observed(fixture->fake, FIXTURE_NODE) > observed);
    assert_int_equal(fake_node_files(fixture->world, "hostk8s-control-plane"), 4);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_node_goes_in_mid_action(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    reconciler_trigger_key(fixture->reconciler, "engine");
    size_t writes = fake_acted(fixture->fake, ACTION_HOSTS_WRITE);
    while (fake_acted(fixture->fake, ACTION_HOSTS_WRITE) == writes) {
        (void)fake_run_one(fixture->fake);
        fixture_step(fixture);
    }
    // The write is under way while the engine is seen without the node.
    fake_fail(fixture->fake, "node/hostk8s-worker", ACTION_HOSTS_WRITE,
              &(struct error){.kind = ERROR_CONFLICT, .code = ENOENT, .status = 404}, 1);
    struct fake_node saved = fixture->world->nodes[--fixture->world->node_count];
    assert_string_equal(saved.name, "hostk8s-worker");
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    fixture_is(fixture, "node/hostk8s-worker", "absent");
    assert_int_equal(fake_forgotten(fixture->fake, "node/hostk8s-worker"), 1);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_cluster_not_found(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_node_remove(fixture->world, "hostk8s-control-plane");
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    fixture_is(fixture, FIXTURE_NODE, "absent");
    fixture_is(fixture, FIXTURE_NAMESPACE, "False ClusterNotFound");
    assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), 0);
    assert_true(reconciler_all_observed(fixture->reconciler)); // that there is none was seen

    fake_node(fixture->world, "hostk8s", "hostk8s-control-plane", true);
    fixture_advance(fixture, POLL_MS);
    fixture_all_ready(fixture);
    assert_true(reconciler_all_observed(fixture->reconciler));
    fixture_free(fixture);
}

static void test_address_changes(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    size_t applied = fake_acted(fixture->fake, ACTION_OBJECT_APPLY);
    fixture->world->address = 77;
    fake_container_stop(fixture->world, "hostk8s-registry");
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_OBJECT_APPLY), applied + 1);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_in_flight_limit(void **state)
{
    (void)state;
    struct config *config = sample_config();
    assert_int_equal(strv_add(&config->clusters, "*"), 0);
    struct fixture *fixture = fixture_new_with(RECONCILE_KEEP, config);
    for (int i = 0; i < 12; i++) {
        char cluster[32];
        char node[64];
        (void)snprintf(cluster, sizeof(cluster), "c%d", i);
        (void)snprintf(node, sizeof(node), "c%d-control-plane", i);
        fake_node(fixture->world, cluster, node, true);
    }
    fixture_step(fixture);
    (void)fake_run(fixture->fake);
    fixture_step(fixture);
    // The engine, eight nodes and eight clusters; no busy loop while all places are taken.
    assert_int_equal(fake_under_way(fixture->fake), 17);
    assert_int_equal(fixture_next_due(fixture), fixture->now_ms + CLUSTER_PATIENCE_MS);
    fixture_run(fixture);
    assert_int_equal(fake_most_under_way(fixture->fake), 17);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_waiting_is_looked_at_sooner(void **state)
{
    (void)state;
    static const uint64_t delays[] = {500, 1000, 2000, 4000};
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture->world->probe = PROBE_SILENT;
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Converging");
    size_t transitions = fixture->transitions;
    for (size_t i = 0; i < ELEMENTS(delays); i++) {
        assert_int_equal(fixture_next_due(fixture), fixture->now_ms + delays[i]);
        fixture_advance(fixture, delays[i]);
    }
    assert_int_equal(fixture->transitions, transitions);
    fixture->world->probe = PROBE_ANSWERS;
    fixture_advance(fixture, 8000);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_order_of_pending(void *ctx, const struct action *action)
{
    char *seen = ctx;
    if (!action->step) {
        size_t length = strlen(seen);
        (void)snprintf(seen + length, 8 - length, "%.1s", action->resource);
    }
}

static void test_observe(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_OBSERVE);
    fixture_settle(fixture, 0);
    assert_true(reconciler_all_observed(fixture->reconciler));
    char seen[8] = "";
    reconciler_each_pending(fixture->reconciler, test_order_of_pending, seen);
    assert_true(str_starts_with(seen, "cn")); // container first
    assert_int_equal(fixture->acted + fixture->failed, 0);
    assert_false(fake_container_exists(fixture->world, "hostk8s-registry"));
    assert_int_equal(fixture_next_due(fixture), UINT64_MAX);
    assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), 1);
    fixture_free(fixture);
}

static void test_observe_failure(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_OBSERVE);
    fake_fail(fixture->fake, "cluster/", FAKE_OBSERVE,
              &(struct error){.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"},
              SIZE_MAX);
    fixture_settle(fixture, 0);
    assert_false(reconciler_all_observed(fixture->reconciler));
    fixture_is(fixture, FIXTURE_NAMESPACE, "Unknown ApiUnreachable");
    assert_int_equal(fixture_next_due(fixture), UINT64_MAX); // once is all
    fixture_free(fixture);
}

static void test_once(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_settle(fixture, 0);
    fixture_all_ready(fixture);
    assert_int_equal(fixture_next_due(fixture), UINT64_MAX); // no poll
    assert_int_equal(reconciler_status(fixture->reconciler)->passes, 1);
    fixture_free(fixture);
}

static void test_once_waits_for_node(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", false);
    fixture_run(fixture);
    assert_false(reconciler_settled(fixture->reconciler));
    fixture_advance(fixture, 500);
    fixture_is(fixture, "node/hostk8s-worker", "False NodeNotRunning");
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    fixture_settle(fixture, 2000);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_trigger),
        cmocka_unit_test(test_keep_converges),
        cmocka_unit_test(test_quiet_pass),
        cmocka_unit_test(test_pass_accounting),
        cmocka_unit_test(test_drift_is_repaired),
        cmocka_unit_test(test_trigger_key),
        cmocka_unit_test(test_node_appears_and_goes),
        cmocka_unit_test(test_node_is_made_anew),
        cmocka_unit_test(test_node_goes_in_mid_action),
        cmocka_unit_test(test_cluster_not_found),
        cmocka_unit_test(test_address_changes),
        cmocka_unit_test(test_in_flight_limit),
        cmocka_unit_test(test_waiting_is_looked_at_sooner),
        cmocka_unit_test(test_observe),
        cmocka_unit_test(test_observe_failure),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_waits_for_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
