// Streams: what they tell is looked at within milliseconds, in one pass for a burst; their ends are
// followed by a pass and a new try.
#include "lib/reconcile/reconciler_internal.h"
#include "tests/support/reconcile_fixture.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLUSTER "cluster/hostk8s"
#define NODE "hostk8s-control-plane"
#define COALESCE_MS 10
#define ENGINE_RETRY_MS 1000
#define BACKOFF_MAX_MS 1200 // the first delay with its jitter, and a little

static const struct error reset = {
    .kind = ERROR_TRANSIENT, .code = ECONNRESET, .text = "answer ended early"};

static struct fixture *listening_fixture(void)
{
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_offer_streams(fixture->fake);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    assert_true(fake_is_listened_to(fixture->fake, "engine"));
    assert_true(fake_is_listened_to(fixture->fake, CLUSTER));
    return fixture;
}

static void finish(struct fixture *fixture)
{
    reconciler_stop(fixture->reconciler);
    fixture_run(fixture);
    assert_true(reconciler_idle(fixture->reconciler));
    fixture_free(fixture);
}

// An event comes at this time, and what it causes is done when the burst is over.
static void tell(struct fixture *fixture, const char *stream, const char *key)
{
    fake_tell(fixture->fake, stream, key);
    fixture_run(fixture);
    fixture_advance(fixture, COALESCE_MS);
}

static void test_a_pass_follows_the_beginning(void **state)
{
    (void)state;
    struct fixture *deaf = fixture_new(RECONCILE_KEEP);
    fixture_run(deaf);
    struct fixture *fixture = listening_fixture();
    // What changed before the stream began was not heard of.
    assert_int_equal(fake_observed(fixture->fake, "engine"),
                     fake_observed(deaf->fake, "engine") + 1);
    finish(deaf);
    finish(fixture);
}

static void test_a_burst_is_one_pass(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    size_t observed = fake_observed(fixture->fake, "engine");
    fake_container_stop(fixture->world, "hostk8s-registry");
    for (int i = 0; i < 50; i++) {
        fake_tell(fixture->fake, "engine", "engine");
    }
    fixture_run(fixture);
    assert_int_equal(fake_observed(fixture->fake, "engine"), observed); // not yet
    fixture_advance(fixture, COALESCE_MS);
    // One look that finds it, one that finds nothing more.
    assert_int_equal(fake_observed(fixture->fake, "engine"), observed + 2);
    assert_true(fake_container_runs(fixture->world, "hostk8s-registry"));
    finish(fixture);
}

// Clusters are looked at when the registry has an address again, not because it lost the one
// before.
static void test_a_lost_address_has_time(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    size_t observed = fake_observed(fixture->fake, "cluster/hostk8s");
    fake_container_stop(fixture->world, "hostk8s-registry");
    tell(fixture, "engine", "engine");
    fixture_all_ready(fixture);
    assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), observed + 1);
    finish(fixture);
}

static void test_a_node_is_named(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    size_t observed = fake_observed(fixture->fake, "engine");
    fake_node_file(fixture->world, NODE, "localhost:5000",
                   "# managed by hostk8s-registryd\nspoilt\n");
    tell(fixture, "engine", "node/" NODE);
    assert_int_equal(fake_observed(fixture->fake, "engine"), observed);
    fixture_all_ready(fixture);
    finish(fixture);
}

static void test_an_unknown_node_is_news_of_the_engine(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    fake_node(fixture->world, "hostk8s", "hostk8s-worker", true);
    tell(fixture, "engine", "node/hostk8s-worker");
    fixture_is(fixture, "node/hostk8s-worker", "True Converged");
    finish(fixture);
}

static void test_an_end_is_followed_up(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    size_t observed = fake_observed(fixture->fake, "engine");
    uint64_t passes = reconciler_status(fixture->reconciler)->passes;
    fake_hang_up(fixture->fake, "engine", &reset);
    fixture_run(fixture);
    assert_int_equal(fake_observed(fixture->fake, "engine"), observed + 1);
    assert_false(fake_is_listened_to(fixture->fake, "engine"));
    fixture_advance(fixture, BACKOFF_MAX_MS);
    assert_true(fake_is_listened_to(fixture->fake, "engine"));
    assert_int_equal(reconciler_status(fixture->reconciler)->passes, passes + 1);
    finish(fixture);
}

static void test_a_refusal_backs_off(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_offer_streams(fixture->fake);
    fake_refuse(fixture->fake, &reset);
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    fixture_advance(fixture, BACKOFF_MAX_MS);
    assert_true(fake_is_listened_to(fixture->fake, "engine"));
    assert_true(fake_is_listened_to(fixture->fake, CLUSTER));
    finish(fixture);
}

// As of a container that ends as soon as it is started, which is told each time.
static void test_a_failing_key_is_left_to_its_back_off(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    fake_container_stop(fixture->world, "hostk8s-registry");
    fake_ignore_actions(fixture->fake, true);
    for (int i = 0; i < 5; i++) {
        tell(fixture, "engine", "engine");
    }
    size_t observed = fake_observed(fixture->fake, "engine");
    for (int i = 0; i < 20; i++) {
        tell(fixture, "engine", "engine");
    }
    assert_int_equal(fake_observed(fixture->fake, "engine"), observed);
    fake_ignore_actions(fixture->fake, false);
    fixture_advance(fixture, 5000);
    fixture_all_ready(fixture);
    tell(fixture, "engine", "engine");
    assert_true(fake_observed(fixture->fake, "engine") > observed + 1); // it is heard again
    finish(fixture);
}

static void test_a_cluster_that_goes_is_not_listened_to(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    fake_node_remove(fixture->world, NODE);
    tell(fixture, "engine", "engine");
    fixture_is(fixture, FIXTURE_NAMESPACE, "False ClusterNotFound");
    fake_hang_up(fixture->fake, CLUSTER, &reset);
    fixture_advance(fixture, BACKOFF_MAX_MS);
    assert_false(fake_is_listened_to(fixture->fake, CLUSTER));
    finish(fixture);
}

// As one that only a pattern declares: nobody is left whom the end of its stream concerns.
static void test_a_cluster_that_is_forgotten(void **state)
{
    (void)state;
    struct config *config = sample_config();
    strv_done(&config->clusters);
    assert_int_equal(strv_add(&config->clusters, "*"), 0);
    struct fixture *fixture = fixture_new_with(RECONCILE_KEEP, config);
    fake_offer_streams(fixture->fake);
    fixture_run(fixture);
    fixture_advance(fixture, 100);
    assert_true(fake_is_listened_to(fixture->fake, CLUSTER));
    fake_node_remove(fixture->world, NODE);
    tell(fixture, "engine", "engine");
    fixture_is(fixture, FIXTURE_NAMESPACE, "absent");
    fixture_advance(fixture, BACKOFF_MAX_MS);
    assert_false(fake_is_listened_to(fixture->fake, CLUSTER));
    finish(fixture);
}

static void test_an_unwanted_cluster_is_not_listened_to(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    struct config *config = sample_config();
    strv_done(&config->clusters);
    reconciler_reload(fixture->reconciler, config);
    fixture_run(fixture);
    assert_false(fake_is_listened_to(fixture->fake, CLUSTER));
    assert_true(fake_is_listened_to(fixture->fake, "engine"));
    fixture_is(fixture, FIXTURE_NAMESPACE, "absent");
    fixture_all_ready(fixture);
    finish(fixture);
}

// It ends all streams, which are no failures: each is open again with the first look.
static void test_reloads_cost_no_back_off(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    for (int i = 0; i < 10; i++) {
        reconciler_reload(fixture->reconciler, sample_config());
        fixture_run(fixture);
        assert_true(fake_is_listened_to(fixture->fake, "engine"));
        assert_true(fake_is_listened_to(fixture->fake, CLUSTER));
    }
    fixture_all_ready(fixture);
    finish(fixture);
}

// A local socket costs nothing to ask; a cluster is asked ever more rarely.
static void test_the_engine_is_tried_every_second(void **state)
{
    (void)state;
    struct fixture *fixture = listening_fixture();
    for (int i = 0; i < 10; i++) {
        fake_hang_up(fixture->fake, "engine", &reset);
        fake_hang_up(fixture->fake, CLUSTER, &reset);
        fixture_run(fixture);
        fixture_advance(fixture, ENGINE_RETRY_MS);
        assert_true(fake_is_listened_to(fixture->fake, "engine"));
        while (!fake_is_listened_to(fixture->fake, CLUSTER)) {
            fixture_advance(fixture, ENGINE_RETRY_MS);
        }
    }
    fake_hang_up(fixture->fake, CLUSTER, &reset);
    fixture_run(fixture);
    fixture_advance(fixture, 10 * ENGINE_RETRY_MS);
    assert_false(fake_is_listened_to(fixture->fake, CLUSTER));
    finish(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pass_follows_the_beginning),
        cmocka_unit_test(test_a_burst_is_one_pass),
        cmocka_unit_test(test_a_lost_address_has_time),
        cmocka_unit_test(test_a_node_is_named),
        cmocka_unit_test(test_an_unknown_node_is_news_of_the_engine),
        cmocka_unit_test(test_an_end_is_followed_up),
        cmocka_unit_test(test_a_refusal_backs_off),
        cmocka_unit_test(test_a_failing_key_is_left_to_its_back_off),
        cmocka_unit_test(test_a_cluster_that_goes_is_not_listened_to),
        cmocka_unit_test(test_a_cluster_that_is_forgotten),
        cmocka_unit_test(test_an_unwanted_cluster_is_not_listened_to),
        cmocka_unit_test(test_reloads_cost_no_back_off),
        cmocka_unit_test(test_the_engine_is_tried_every_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
