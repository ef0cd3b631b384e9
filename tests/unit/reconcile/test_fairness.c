// Many clusters, some of which accept what they are asked and never answer: none of the others, and
// no node, waits for them.
#include "tests/support/reconcile_fixture.h"

#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CLUSTERS 50
#define SILENT 10 // "cluster/c0" to "cluster/c9": more than there are places
#define POLL_MS 10000
#define WITHIN_MS 1500 // far below any timeout of a request
#define NODES_PER_CLUSTER 2

static void add_node(struct fixture *fixture, int cluster, int node)
{
    char cluster_name[32];
    char name[64];
    (void)snprintf(cluster_name, sizeof(cluster_name), "c%02d", cluster);
    (void)snprintf(name, sizeof(name), "c%02d-node%d", cluster, node);
    fake_node(fixture->world, cluster_name, name, true);
}

static struct fixture *many_clusters(void)
{
    struct config *config = sample_config();
    assert_int_equal(strv_add(&config->clusters, "*"), 0);
    struct fixture *fixture = fixture_new_with(RECONCILE_KEEP, config);
    for (int cluster = 0; cluster < CLUSTERS; cluster++) {
        for (int node = 0; node < NODES_PER_CLUSTER; node++) {
            add_node(fixture, cluster, node);
        }
    }
    return fixture;
}

static void all_but_the_silent_are_ready(const struct fixture *fixture)
{
    const struct status *status = reconciler_status(fixture->reconciler);
    char resource[64];
    for (int cluster = 0; cluster < CLUSTERS; cluster++) {
        (void)snprintf(resource, sizeof(resource), "kube/c%02d/Namespace/hostk8s", cluster);
        fixture_is(fixture, resource, cluster < SILENT ? "absent" : "True Converged");
        for (int node = 0; node < NODES_PER_CLUSTER; node++) {
            (void)snprintf(resource, sizeof(resource), "node/c%02d-node%d", cluster, node);
            fixture_is(fixture, resource, "True Converged");
        }
    }
    assert_int_equal(status->ready, status->count);
}

// Answers what is answered at all, for as long as the clock may run.
static void run_for(struct fixture *fixture, uint64_t ms)
{
    uint64_t end_ms = fixture->now_ms + ms;
    fixture_run(fixture);
    while (fixture_next_due(fixture) <= end_ms) {
        fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
    }
    fixture->now_ms = end_ms;
}

static void end_the_silent(struct fixture *fixture)
{
    reconciler_stop(fixture->reconciler);
    fake_silence(fixture->fake, NULL);
    fixture_run(fixture);
    fixture_free(fixture);
}

static void test_first_convergence(void **state)
{
    (void)state;
    struct fixture *fixture = many_clusters();
    fake_silence(fixture->fake, "cluster/c0");
    run_for(fixture, WITHIN_MS);
    assert_int_equal(fake_under_way(fixture->fake), SILENT);
    all_but_the_silent_are_ready(fixture);
    end_the_silent(fixture);
}

// They fall silent once all is well; a pass is asked for, as by SIGUSR1, that includes them.
static void test_pass(void **state)
{
    (void)state;
    struct fixture *fixture = many_clusters();
    fixture_run(fixture);
    fixture_all_ready(fixture);
    fake_silence(fixture->fake, "cluster/c0");
    size_t observed = fake_observed(fixture->fake, "cluster/c49");
    reconciler_trigger(fixture->reconciler);
    run_for(fixture, WITHIN_MS);
    assert_int_equal(fake_under_way(fixture->fake), SILENT);
    assert_int_equal(fake_observed(fixture->fake, "cluster/c49"), observed + 1);
    end_the_silent(fixture);
}

// Nor does the next poll wait for them.
static void test_poll(void **state)
{
    (void)state;
    struct fixture *fixture = many_clusters();
    fixture_run(fixture);
    fake_silence(fixture->fake, "cluster/c0");
    size_t observed = fake_observed(fixture->fake, "cluster/c49");
    run_for(fixture, 3 * POLL_MS + WITHIN_MS);
    assert_int_equal(fake_under_way(fixture->fake), SILENT);
    assert_int_equal(fake_observed(fixture->fake, "cluster/c49"), observed + 3);
    assert_int_equal(fake_observed(fixture->fake, "node/c00-node0"), observed + 3);
    end_the_silent(fixture);
}

// What is told of meanwhile is repaired at once.
static void test_repair(void **state)
{
    (void)state;
    struct fixture *fixture = many_clusters();
    fake_silence(fixture->fake, "cluster/c0");
    run_for(fixture, WITHIN_MS);
    fake_node_file(fixture->world, "c00-node0", "localhost:5000",
                   "# managed by hostk8s-registryd\nspoilt\n");
    size_t written = fake_acted(fixture->fake, ACTION_HOSTS_WRITE);
    reconciler_trigger_key(fixture->reconciler, "node/c00-node0");
    fixture_run(fixture);
    assert_int_equal(fake_acted(fixture->fake, ACTION_HOSTS_WRITE), written + 1);
    all_but_the_silent_are_ready(fixture);
    end_the_silent(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_convergence),
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
