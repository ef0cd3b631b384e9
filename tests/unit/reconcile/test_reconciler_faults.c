// What goes wrong: every kind of error, and how the reconciler goes on.
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

static const struct error refused = {
    .kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "connection refused"};
static const struct error broken = {
    .kind = ERROR_TRANSIENT, .code = EIO, .status = 500, .text = "it broke"};
static const struct error forbidden = {
    .kind = ERROR_PERMANENT, .code = EACCES, .status = 403, .text = "no"};
static const struct error conflict = {
    .kind = ERROR_CONFLICT, .code = EEXIST, .status = 412, .text = "not as observed"};
static const struct error port_taken = {.kind = ERROR_TRANSIENT,
                                        .code = EIO,
                                        .status = 500,
                                        .text = "driver failed: port is already allocated"};
static const struct error refused_spec = {
    .kind = ERROR_PERMANENT, .code = EREMOTEIO, .status = 400, .text = "invalid port"};
static const struct error no_memory = {
    .kind = ERROR_FATAL, .code = ENOMEM, .text = "out of memory"};

// A key that fails is due again after delay, give or take 20 %.
static void retries_in(const struct fixture *fixture, uint64_t delay_ms)
{
    uint64_t wait_ms = fixture_next_due(fixture) - fixture->now_ms;
    assert_in_range(wait_ms, delay_ms * 8 / 10, delay_ms * 12 / 10);
}

static void test_engine_unreachable_and_back(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_fail(fixture->fake, "engine", FAKE_OBSERVE, &refused, SIZE_MAX);
    fake_fail(fixture->fake, "node/", FAKE_OBSERVE, &refused, SIZE_MAX);
    size_t cluster = fake_observed(fixture->fake, "cluster/hostk8s");
    fixture_advance(fixture, POLL_MS);
    fixture_is(fixture, FIXTURE_CONTAINER, "Unknown EngineUnreachable");
    fixture_is(fixture, FIXTURE_NETWORK, "Unknown EngineUnreachable");
    fixture_is(fixture, FIXTURE_NODE, "Unknown EngineUnreachable");
    fixture_is(fixture, FIXTURE_NAMESPACE, "True Converged");
    assert_int_equal(fake_observed(fixture->fake, "cluster/hostk8s"), cluster + 1);
    retries_in(fixture, 500);

    // One line for each resource, however often it fails; the cluster goes on at every poll.
    struct fixture before = *fixture;
    size_t engine = fake_observed(fixture->fake, "engine");
    for (uint64_t end_ms = fixture->now_ms + 70000; fixture_next_due(fixture) < end_ms;) {
        fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
    }
    assert_int_equal(fixture->transitions, before.transitions);
    assert_int_equal(fixture->statuses, before.statuses);
    assert_in_range(fake_observed(fixture->fake, "engine") - engine, 5, 8);
    assert_in_range(fake_observed(fixture->fake, "cluster/hostk8s") - cluster, 6, 9);

    fake_heal(fixture->fake);
    fixture_advance(fixture, 72000); // the longest back-off
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

// A look at a cluster that is under way for long knows the registry's former address, and an engine
// that is back has all keys looked at but such a one.
static void test_new_address_while_a_cluster_is_slow(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    fake_silence(fixture->fake, "cluster/hostk8s");
    reconciler_trigger_key(fixture->reconciler, "cluster/hostk8s");
    fixture_run(fixture);
    fixture_advance(fixture, 1000); // nobody waits for it any more
    size_t observed = fake_observed(fixture->fake, "cluster/hostk8s");

    fixture->world->containers[0].address += 5;
    fake_fail(fixture->fake, "engine", FAKE_OBSERVE, &broken, 1);
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_run(fixture);
    fixture_advance(fixture, 1000); // it failed, and is back
    fake_silence(fixture->fake, NULL);
    fixture_run(fixture);
    assert_true(fake_observed(fixture->fake, "cluster/hostk8s") > observed);
    fixture_all_ready(fixture);
    assert_true(reconciler_settled(fixture->reconciler));
    fixture_free(fixture);
}

static void test_lost_connection_is_made_anew(void **state)
{
    (void)state;
    static const struct error unconnected = {
        .kind = ERROR_TRANSIENT, .code = ENOTCONN, .text = "no connection yet"};
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_settle(fixture, 0);
    size_t engine = fake_observed(fixture->fake, "engine");
    fake_fail(fixture->fake, "node/", FAKE_OBSERVE, &unconnected, 1);
    reconciler_trigger_key(fixture->reconciler, FIXTURE_NODE);
    fixture_settle(fixture, 1000);
    assert_int_equal(fake_observed(fixture->fake, "engine"), engine + 1);
    fixture_all_ready(fixture);

    // One that is down is left to its own back-off.
    fake_fail(fixture->fake, "engine", FAKE_OBSERVE, &refused, SIZE_MAX);
    fake_fail(fixture->fake, "node/", FAKE_OBSERVE, &unconnected, SIZE_MAX);
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    engine = fake_observed(fixture->fake, "engine");
    reconciler_trigger_key(fixture->reconciler, FIXTURE_NODE);
    fixture_run(fixture);
    assert_int_equal(fake_observed(fixture->fake, "engine"), engine);
    fixture_free(fixture);
}

static void test_trigger_overrides_backoff(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_fail(fixture->fake, "engine", FAKE_OBSERVE, &refused, 1);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "Unknown EngineUnreachable");
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_backoff_grows(void **state)
{
    (void)state;
    static const uint64_t delays[] = {500, 1000, 2000, 4000};
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_settle(fixture, 0);
    fake_fail(fixture->fake, "cluster/", FAKE_OBSERVE, &refused, ELEMENTS(delays));
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    for (size_t i = 0; i < ELEMENTS(delays); i++) {
        fixture_is(fixture, FIXTURE_NAMESPACE, "Unknown ApiUnreachable");
        assert_false(reconciler_settled(fixture->reconciler));
        retries_in(fixture, delays[i]);
        fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
    }
    fixture_all_ready(fixture);
    assert_true(reconciler_settled(fixture->reconciler));
    fixture_free(fixture);
}

static void test_retry_after(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    struct error busy = {.kind = ERROR_TRANSIENT, .code = EAGAIN, .status = 429, .retry_ms = 7000};
    fake_fail(fixture->fake, "node/", ACTION_HOSTS_WRITE, &busy, 1);
    fixture_run(fixture);
    assert_int_equal(fixture_next_due(fixture), fixture->now_ms + 7000);
    fixture_free(fixture);
}

static void action_fails_one(const struct error *error, const char *expected, bool settled)
{
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fake_fail(fixture->fake, FIXTURE_NODE, ACTION_HOSTS_WRITE, error, SIZE_MAX);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_NODE, expected);
    fixture_is(fixture, FIXTURE_CONTAINER, "True Converged");
    assert_int_equal(reconciler_settled(fixture->reconciler), settled);
    size_t transitions = fixture->transitions;
    for (int i = 0; i < 3; i++) { // failing again is no news
        fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
        assert_int_equal(fixture->transitions, transitions);
    }
    fake_heal(fixture->fake);
    fixture_settle(fixture, 60000);
    fixture_advance(fixture, 60000);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_action_fails(void **state)
{
    (void)state;
    action_fails_one(&broken, "False Error", false);
    action_fails_one(&forbidden, "False PermissionDenied", true);
    action_fails_one(&refused, "Unknown EngineUnreachable", false);
    action_fails_one(&no_memory, "False Error", false);
}

static void observation_fails_one(const char *key, const struct error *error, const char *resource,
                                  const char *expected, bool settled)
{
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fake_fail(fixture->fake, key, FAKE_OBSERVE, error, SIZE_MAX);
    fixture_run(fixture);
    fixture_is(fixture, resource, expected);
    assert_int_equal(reconciler_settled(fixture->reconciler), settled);
    fake_heal(fixture->fake);
    fixture_settle(fixture, 1000);
    const struct status *status = reconciler_status(fixture->reconciler);
    assert_int_equal(status->ready == status->count, !settled);
    fixture_free(fixture);
}

static void test_observation_fails(void **state)
{
    (void)state;
    observation_fails_one("engine", &broken, FIXTURE_CONTAINER, "Unknown Error", false);
    observation_fails_one("engine", &forbidden, FIXTURE_CONTAINER, "Unknown PermissionDenied",
                          true);
    observation_fails_one("node/", &no_memory, FIXTURE_NODE, "Unknown Error", false);
    observation_fails_one("cluster/", &broken, FIXTURE_NAMESPACE, "Unknown Error", false);
    observation_fails_one("cluster/", &forbidden, FIXTURE_NAMESPACE, "Unknown Forbidden", true);
}

static void test_conflict_is_observed_again(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_fail(fixture->fake, FIXTURE_NODE, ACTION_HOSTS_WRITE, &conflict, 3);
    fixture_run(fixture);
    fixture_all_ready(fixture); // at once
    assert_int_equal(fixture->failed, 3);
    assert_int_equal(fake_observed(fixture->fake, FIXTURE_NODE), 5);
    fixture_free(fixture);
}

static void test_conflict_bound(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_fail(fixture->fake, FIXTURE_NODE, ACTION_HOSTS_WRITE, &conflict, SIZE_MAX);
    fixture_run(fixture);
    assert_int_equal(fixture->failed, 4);
    fixture_is(fixture, FIXTURE_NODE, "False Error");
    retries_in(fixture, 500);
    fixture_free(fixture);
}

static void test_does_not_stay(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_settle(fixture, 0);
    fake_ignore_actions(fixture->fake, true);
    fake_node_file(fixture->world, "hostk8s-control-plane", "localhost:5000",
                   "# managed by hostk8s-registryd\nspoilt\n");
    size_t acted = fixture->acted;
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    assert_int_equal(fixture->acted, acted + 8);
    fixture_is(fixture, FIXTURE_NODE, "False Error");
    const char *message = fixture_message(fixture, FIXTURE_NODE);
    assert_true(str_starts_with(message, "does not stay as declared: "));
    assert_non_null(strstr(message, "localhost:5000"));
    assert_true(reconciler_settled(fixture->reconciler));
    size_t transitions = fixture->transitions;
    fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
    assert_int_equal(fixture->transitions, transitions);
    fake_ignore_actions(fixture->fake, false);
    fixture_advance(fixture, 60000);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_each_is_blamed_for_its_own(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fake_ignore_actions(fixture->fake, true);
    fixture_settle(fixture, 0);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Error");
    assert_string_equal(fixture_message(fixture, FIXTURE_CONTAINER),
                        "does not stay as declared: create, start");
    fixture_is(fixture, FIXTURE_NETWORK, "False Error");
    assert_string_equal(fixture_message(fixture, FIXTURE_NETWORK),
                        "does not stay as declared: attach");
    fixture_free(fixture);
}

static void test_submission_refused(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fake_refuse(fixture->fake, &no_memory);
    fixture_run(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "Unknown Error");
    retries_in(fixture, 500);
    fixture_advance(fixture, fixture_next_due(fixture) - fixture->now_ms);
    fixture_all_ready(fixture);

    fake_container_stop(fixture->world, "hostk8s-registry");
    reconciler_trigger_key(fixture->reconciler, "engine");
    fixture_step(fixture);
    (void)fake_run(fixture->fake);
    fake_refuse(fixture->fake, &broken); // of the start
    fixture_step(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Error");
    assert_int_equal(fixture->failed, 1);
    fixture_advance(fixture, 1000);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_once_blocked(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture->world->network_id[0] = '\0';
    fixture_settle(fixture, 0); // the cluster waits in vain for an address
    fixture_is(fixture, FIXTURE_NETWORK, "False NetworkMissing");
    fixture_is(fixture, FIXTURE_SLICE, "Unknown Converging");
    fixture_is(fixture, FIXTURE_NODE, "True Converged");
    fixture_free(fixture);
}

// ---- a spec that does not come up ----

static struct config *other_image(void)
{
    struct config *config = sample_config();
    sample_set(&config->registry.image, "registry:3");
    return config;
}

static void is_put_back(const struct fixture *fixture)
{
    assert_true(fake_container_runs(fixture->world, "hostk8s-registry"));
    assert_false(fake_container_exists(fixture->world, "hostk8s-registry-previous"));
}

static void test_start_fails_in_recreate(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_fail(fixture->fake, "container/", ACTION_CONTAINER_START, &port_taken, 1);
    reconciler_reload(fixture->reconciler, other_image());
    fixture_run(fixture);
    is_put_back(fixture); // without delay
    fixture_is(fixture, FIXTURE_CONTAINER, "False PortInUse");
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);
    fixture_advance(fixture, POLL_MS);
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);
    fixture_free(fixture);
}

// A create that the engine could not do says nothing of the spec: the old container waits for the
// next one.
static void test_create_fails_in_recreate(void **state)
{
    (void)state;
    static const struct error busy = {
        .kind = ERROR_TRANSIENT, .code = EREMOTEIO, .status = 429, .text = "too many requests"};
    const struct error *const failures[] = {&broken, &busy};
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        struct fixture *fixture = fixture_new(RECONCILE_KEEP);
        fixture_run(fixture);
        fake_fail(fixture->fake, "container/", ACTION_CONTAINER_CREATE, failures[i], 1);
        reconciler_reload(fixture->reconciler, other_image());
        fixture_run(fixture);
        assert_true(fake_container_runs(fixture->world, "hostk8s-registry-previous"));
        assert_false(fake_container_exists(fixture->world, "hostk8s-registry"));
        fixture_is(fixture, FIXTURE_CONTAINER, "False Error");
        fixture_advance(fixture, POLL_MS);
        assert_true(fake_container_runs(fixture->world, "hostk8s-registry"));
        assert_false(fake_container_exists(fixture->world, "hostk8s-registry-previous"));
        assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 3);
        fixture_all_ready(fixture);
        fixture_free(fixture);
    }
}

static void test_comeup_fails_in_recreate(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fixture->world->probe = PROBE_SILENT;
    reconciler_reload(fixture->reconciler, other_image());
    fixture_run(fixture);
    assert_true(fake_container_exists(fixture->world, "hostk8s-registry-previous"));
    for (int i = 0; i < 25; i++) {
        fixture_advance(fixture, 1000);
    }
    is_put_back(fixture);
    fixture->world->probe = PROBE_ANSWERS;
    fixture_advance(fixture, POLL_MS);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Unavailable");
    assert_string_equal(fixture_message(fixture, FIXTURE_CONTAINER),
                        "the new container runs but does not answer");
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);

    for (int i = 0; i < 20; i++) { // not tried again for a while
        fixture_advance(fixture, POLL_MS);
    }
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);
    for (int i = 0; i < 10; i++) {
        fixture_advance(fixture, POLL_MS);
    }
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 3);
    is_put_back(fixture);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

static void test_once_gives_up_what_was_put_back(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_ONCE);
    fixture_settle(fixture, 0);
    fake_fail(fixture->fake, "container/", ACTION_CONTAINER_START, &port_taken, 1);
    reconciler_reload(fixture->reconciler, other_image());
    fixture_settle(fixture, 0);
    is_put_back(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "False PortInUse");
    fixture_free(fixture);
}

static void test_trigger_tries_rejected_again(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(RECONCILE_KEEP);
    fixture_run(fixture);
    fake_fail(fixture->fake, "container/", ACTION_CONTAINER_CREATE, &refused_spec, 1);
    reconciler_reload(fixture->reconciler, other_image());
    fixture_run(fixture);
    is_put_back(fixture);
    fixture_is(fixture, FIXTURE_CONTAINER, "False Error");
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);
    fixture_advance(fixture, POLL_MS);
    assert_int_equal(fake_acted(fixture->fake, ACTION_CONTAINER_CREATE), 2);
    reconciler_trigger(fixture->reconciler);
    fixture_run(fixture);
    is_put_back(fixture);
    fixture_all_ready(fixture);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_unreachable_and_back),
        cmocka_unit_test(test_new_address_while_a_cluster_is_slow),
        cmocka_unit_test(test_lost_connection_is_made_anew),
        cmocka_unit_test(test_trigger_overrides_backoff),
        cmocka_unit_test(test_backoff_grows),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_action_fails),
        cmocka_unit_test(test_observation_fails),
        cmocka_unit_test(test_conflict_is_observed_again),
        cmocka_unit_test(test_conflict_bound),
        cmocka_unit_test(test_does_not_stay),
        cmocka_unit_test(test_each_is_blamed_for_its_own),
        cmocka_unit_test(test_submission_refused),
        cmocka_unit_test(test_once_blocked),
        cmocka_unit_test(test_start_fails_in_recreate),
        cmocka_unit_test(test_create_fails_in_recreate),
        cmocka_unit_test(test_comeup_fails_in_recreate),
        cmocka_unit_test(test_once_gives_up_what_was_put_back),
        cmocka_unit_test(test_trigger_tries_rejected_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
