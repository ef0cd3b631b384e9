// What comes from outside while keys are under way: a reload, a stop, a cancellation; and teardown.
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
#define NODES_AT_A_TIME 8

static const struct error refused = {
    .kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "connection refused"};

// Runs until an action of the type is under way, with nothing after it.
static void run_into(struct fixture *fixture, enum action_type type)
{
    for (int i = 0; i < 1000 && fake_acted(fixture->fake, type) == 0; i++) {
        fixture_step(fixture);
        if (fake_acted(fixture->fake, type) == 0) {
            (void)fake_run_one(fixture->fake);
        }
    }
    assert_int_equal(fake_acted(fixture->fake, type), 1);
}

// Lets go of clusters and declares another one.
static struct config *for_cluster(const char *cluster)
{
    struct config *config = sample_config();
    strv_done(&config->clusters);
    assert_int_equal(strv_add(&config->clusters, cluster), 0);
    return config;
}

static void test_reload_unchanged(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    struct fixture before = *fixture;
    reconciler_reload(fixture->reconciler, sample_config());
    assert_int_equal(fixture_next_due(fixture), 0);
    assert_false(reconciler_settled(fixture->reconciler));
    fixture_run(fixture);
    assert_int_equal(fixture->acted, before.acted);
    assert_int_equal(fixture->transitions, before.transitions);
    assert_int_equal(fixture->statuses, before.statuses + 1); // after the swap
    assert_int_equal(fake_forgotten(fixture->fake, NULL), 1);
    assert_int_equal(reconciler_status(fixture->reconciler)->passes, 2);
    fixture_free(fixture);
}

static void test_reload_in_mid_action(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    run_into(fixture, ACTION_CONTAINER_CREATE);
    struct config *next = sample_config();
    next->reconcile.poll_ms = 3000;
    reconciler_reload(fixture->reconciler, sample_config());
    reconciler_reload(fixture->reconciler, next); // the last one counts
    fixture_step(fixture);
    assert_ptr_not_equal(reconciler_config(fixture->reconciler), next);
    assert_int_equal(fixture_next_due(fixture), UINT64_MAX); // it drains
    while (fake_run(fixture->fake) > 0) {
        fixture_step(fixture);
        if (reconciler_config(fixture->reconciler) == next) {
            break;
        }
    }
    assert_ptr_equal(reconciler_config(fixture->reconciler), next);
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_START), 0); // not the old plan's
    fixture_run(fixture);
    fixture_all_ready(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 1);
    assert_int_equal(fixture_next_due(fixture), fixture->now_ms + 3000);
    fixture_free(fixture);
}

static void test_resources_renamed(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    struct config *config = sample_config();
    sample_set(&config->registry.name, "second");
    reconciler_reload(fixture->reconciler, config);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "absent");
    fixture_is(fixture, FIXTURE_NETWORK, "absent");
    assert_non_null(status_get(reconciler_status(fixture->reconciler), "container/second"));
    fixture_free(fixture);
}

static void test_unwanted_cluster_is_cleaned_up(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_node(fixture->world, "second", "second-control-plane", true);
    fake_fail(fixture->fake, "cluster/hostk8s", FAKE_OBSERVE, &refused, 1);
    reconciler_reload(fixture->reconciler, for_cluster("second"));
    fixture_run(fixture);
    assert_int_equal(fake_node_files(fixture->world, "hostk8s-control-plane"), 0);
    fixture_is(fixture, FIXTURE_NODE, "absent");
    // The cluster could not be reached: it stays until it is clean.
    assert_non_null(status_get(reconciler_status(fixture->reconciler), FIXTURE_NAMESPACE));
    fixture_advance(fixture, 600);
    fixture_is(fixture, FIXTURE_NAMESPACE, "absent");
    assert_int_equal(fake_forgotten(fixture->fake, "cluster/hostk8s"), 1);
    fixture_is(fixture, "node/second-control-plane", "True Converged");
    fixture_all_ready(fixture);

    size_t observed = fake_observed(fixture->fake, "cluster/hostk8s");
    fixture_advance(fixture, POLL_MS);
    assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), observed);

    reconciler_reload(fixture->reconciler, sample_config());
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_NODE, "True Converged");
    fixture_is(fixture, "node/second-control-plane", "absent");
    fixture_free(fixture);
}

static void test_declared_cluster_is_no_longer(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new_with(RECONCILE_KEEP, for_cluster("nowhere"));
    fixture_run(fixture);
    fixture_is(fixture, "kube/nowhere/Namespace/hostk8s", "False ClusterNotFound");
    reconciler_reload(fixture->reconciler, sample_config());
    fixture_run(fixture);
    fixture_is(fixture, "kube/nowhere/Namespace/hostk8s", "absent");
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_stop_in_mid_action(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    run_into(fixture, ACTION_CONTAINER_CREATE);
    reconciler_stop(fixture->reconciler);
    assert_false(reconciler_idle(fixture->reconciler));
    while (fake_run(fixture->fake) > 0) {
        assert_int_equal(fixture_next_due(fixture), 0); // the answers are to be taken up
        fixture_step(fixture);
    }
    assert_true(reconciler_idle(fixture->reconciler));
    assert_true(fake_container_exists(fixture->world, "hostk8s-registry"));
    assert_false(fake_container_runs(fixture->world, "hostk8s-registry"));
    assert_int_equal(fixture_next_due(fixture), UINT64_MAX);
    fixture_free(fixture);
}

// Nothing that the observation under way would have brought is taken up.
static void test_stop_in_mid_observation(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fixture->now_ms += POLL_MS;
    fixture_step(fixture);
    size_t transitions = fixture->transitions;
    assert_int_equal(fake_under_way(fixture->fake), 1);
    fake_container_stop(fixture->world, "hostk8s-registry");
    reconciler_stop(fixture->reconciler);
    (void)fake_run_one(fixture->fake);
    fixture_step(fixture);
    assert_true(reconciler_idle(fixture->reconciler));
    assert_int_equal(fixture->transitions, transitions);
    fixture_free(fixture);
}

static void test_cancel_in_mid_action(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    run_into(fixture, ACTION_CONTAINER_CREATE);
    reconciler_stop(fixture->reconciler);
    struct backend *backend = fake_backend(fixture->fake);
    backend->ops->cancel(backend, true);
    while (fake_run(fixture->fake) > 0) {
        fixture_step(fixture);
    }
    assert_true(reconciler_idle(fixture->reconciler));
    assert_int_equal(fixture->failed, 0);
    fixture_free(fixture);
}

// After the swap nobody knows yet where the engine is, so it is observed before all others.
static void test_reload_in_mid_pass(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    reconciler_trigger(fixture->reconciler);
    fixture_step(fixture);
    assert_true(fake_run_one(fixture->fake));
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), 2); // the node and the cluster
    size_t engine = fake_observed(fixture->fake, "engine");
    size_t node = fake_observed(fixture->fake, FIXTURE_NODE);
    reconciler_reload(fixture->reconciler, sample_config());
    assert_int_equal(fake_run(fixture->fake), 2); // cancelled
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), 1);
    assert_int_equal(fake_observed(fixture->fake, "engine"), engine + 1);
    assert_int_equal(fake_observed(fixture->fake, FIXTURE_NODE), node);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

// The pass does not wait for nodes that were due before the reload and are so no more.
static void test_poll_after_a_reload_in_mid_pass(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    for (int i = 0; i < 2 * NODES_AT_A_TIME; i++) { // more than are looked at at a time
        char name[32];
        (void)snprintf(name, sizeof(name), "hostk8s-worker%d", i);
        fake_node(fixture->world, "hostk8s", name, true);
    }
    fixture_run(fixture);
    fixture->now_ms += POLL_MS;
    fixture_step(fixture);
    assert_true(fake_run_one(fixture->fake));
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), NODES_AT_A_TIME + 1); // and the cluster
    reconciler_reload(fixture->reconciler, sample_config());
    fake_fail(fixture->fake, "engine", FAKE_OBSERVE, &refused, SIZE_MAX);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "Unknown EngineUnreachable");
    size_t cluster = fake_observed(fixture->fake, "cluster/hostk8s");
    fixture_advance(fixture, POLL_MS);
    assert_true(fake_observed(fixture->fake, "cluster/hostk8s") > cluster);
    fixture_free(fixture);
}

// A reload does not wait for an engine that does not answer: it may name another one.
static void test_reload_in_mid_observation(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_step(fixture);
    assert_int_equal(fake_under_way(fixture->fake), 1);
    struct config *next = sample_config();
    reconciler_reload(fixture->reconciler, next);
    assert_true(fake_run_one(fixture->fake)); // cancelled
    fixture_step(fixture);
    assert_ptr_equal(reconciler_config(fixture->reconciler), next);
    assert_int_equal(reconciler_status(fixture->reconciler)->count, 0);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void list_one(void *ctx, const struct action *action)
{
    size_t *count = ctx;
    assert_true(action->type == ACTION_NETWORK_DISCONNECT ||
                action->type == ACTION_CONTAINER_STOP || action->type == ACTION_CONTAINER_REMOVE ||
                action->type == ACTION_HOSTS_REMOVE || action->type == ACTION_OBJECT_DELETE);
    (*count)++;
}

// A converged world, in the hands of a reconciler of another mode.
static struct fixture *converged(enum reconcile_mode mode)
{
    struct fixture *first = fixture_new(RECONCILE_ONCE);
    fixture_settle(first, 0);
    struct fixture *fixture = fixture_new(mode);
    fake_world_swap(fixture->world, first->world);
    fixture_free(first);
    return fixture;
}

static void test_observe_teardown(void **state)
{
    (void)state;
    struct fixture *fixture = converged(RECONCILE_OBSERVE_TEARDOWN);
    fixture_settle(fixture, 0);
    size_t count = 0;
    reconciler_each_pending(fixture->reconciler, list_one, &count);
    assert_true(count >= 10);
    assert_int_equal(fixture->acted, 0);
    fixture_free(fixture);
}

static void test_teardown(void **state)
{
    (void)state;
    struct fixture *fixture = converged(RECONCILE_TEARDOWN);
    while (fake_acted(fixture->fake, ACTION_CONTAINER_REMOVE) == 0) {
        fixture_step(fixture);
        assert_true(fake_run(fixture->fake) > 0);
    }
    // The registry goes last.
    assert_int_equal(fake_node_files(fixture->world, "hostk8s-control-plane"), 0);
    assert_true(fake_acted(fixture->fake, ACTION_OBJECT_DELETE) >= 7);
    fixture_settle(fixture, 60000);
    assert_false(fake_container_exists(fixture->world, "hostk8s-registry"));
    fixture_all_ready(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_STORAGE_MAKE), 0);
    fixture_free(fixture);
}

static void test_teardown_without_cluster(void **state)
{
    (void)state;
    struct fixture *fixture = converged(RECONCILE_TEARDOWN);
    fake_fail(fixture->fake, "cluster/", FAKE_OBSERVE, &refused, SIZE_MAX);
    fixture_run(fixture);
    assert_true(fake_container_runs(fixture->world, "hostk8s-registry"));
    fixture_settle(fixture, 10000); // it does not wait for ever
    assert_false(fake_container_exists(fixture->world, "hostk8s-registry"));
    fixture_is(fixture, FIXTURE_NAMESPACE, "Unknown ApiUnreachable");
    assert_false(reconciler_all_observed(fixture->reconciler));
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload_unchanged),
        cmocka_unit_test(test_reload_in_mid_action),
        cmocka_unit_test(test_resources_renamed),
        cmocka_unit_test(test_unwanted_cluster_is_cleaned_up),
        cmocka_unit_test(test_declared_cluster_is_no_longer),
        cmocka_unit_test(test_stop_in_mid_action),
        cmocka_unit_test(test_stop_in_mid_observation),
        cmocka_unit_test(test_cancel_in_mid_action),
        cmocka_unit_test(test_reload_in_mid_observation),
        cmocka_unit_test(test_reload_in_mid_pass),
        cmocka_unit_test(test_poll_after_a_reload_in_mid_pass),
        cmocka_unit_test(test_observe_teardown),
        cmocka_unit_test(test_teardown),
        cmocka_unit_test(test_teardown_without_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
