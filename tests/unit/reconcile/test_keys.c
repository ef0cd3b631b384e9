// Many keys: which there are, when each is due, and what a reload and a pass make of them.
#include "lib/base/secret.h"
#include "tests/support/sample_config.h"
#include "tests/support/scripted.h"
#include "tests/support/unit.h"

#include <errno.h>

#define DEFAULTS "reconcile: {poll: 10s, backoff: {initial: 500ms, max: 60s}}\n"
#define OTHER_CLUSTER DEFAULTS "clusters: [other]\n"

static struct scripted *started(void)
{
    struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    scripted_add(s, "cluster/hostk8s", "hostk8s");
    scripted_add(s, "node/a", "hostk8s");
    scripted_add(s, "node/b", "hostk8s");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    return s;
}

static struct scripted *converged(void)
{
    struct scripted *s = started();
    assert_line(s, "4/4 ready");
    scripted_invalidate_log(s);
    return s;
}

static unsigned observed(struct scripted *s, const char *key)
{
    return scripted_thing(s, key)->observed;
}

static void test_a_node_appears_and_goes(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    scripted_add(s, "node/c", "hostk8s");
    scripted_event(s, "node/c"); // a node that is not known is news of the engine
    scripted_advance(s, 10);
    assert_told(s, "node/c +Converging: write is pending\nwrite node/c\nnode/c Converged\n");
    scripted_thing(s, "node/a")->exists = false;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_told(s, "");
    assert_line(s, "4/4 ready");
    assert_null(status_get(reconciler_status(s->reconciler), "node/a"));
}

static void test_a_node_goes_in_mid_action(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    unsigned before = node->observed;
    node->value = 7;
    node->act_hangs = true;
    scripted_event(s, "node/a");
    scripted_advance(s, 10);
    node->exists = false;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_line(s, "3/4 ready: node/a Converging");
    scripted_release(s);
    assert_line(s, "3/3 ready");
    assert_int_equal(observed(s, "node/a"), before + 1);
}

static void test_a_declared_cluster_that_is_not_there(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    struct thing *cluster = scripted_add(s, "cluster/hostk8s", "hostk8s");
    cluster->exists = false;
    (void)error_set(&cluster->observe_error, ERROR_PERMANENT, ENOENT, "no such cluster");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_line(s, "1/2 ready: cluster/hostk8s ClusterNotFound");
    const struct status *status = reconciler_status(s->reconciler);
    assert_int_equal(status_get(status, "cluster/hostk8s")->ready, READY_FALSE);
    assert_true(reconciler_all_observed(s->reconciler));
    (void)error_set(&cluster->observe_error, ERROR_PERMANENT, ENOTCONN, "not running");
    scripted_advance(s, 10000);
    assert_line(s, "1/2 ready: cluster/hostk8s NodeNotRunning");
    assert_int_equal(status_get(status, "cluster/hostk8s")->ready, READY_FALSE);
    cluster->exists = true;
    cluster->observe_error.code = 0;
    scripted_advance(s, 10000);
    assert_line(s, "2/2 ready");
}

static void test_an_address_that_changes_or_is_lost(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    unsigned before = observed(s, "cluster/hostk8s");
    unsigned node = observed(s, "node/a");
    s->address = 2;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_int_equal(observed(s, "cluster/hostk8s"), before + 1);
    s->address = 0; // most likely it comes back
    scripted_event(s, "engine");
    scripted_advance(s, 2009);
    assert_int_equal(observed(s, "cluster/hostk8s"), before + 1);
    scripted_advance(s, 1);
    assert_int_equal(observed(s, "cluster/hostk8s"), before + 2);
    assert_int_equal(observed(s, "node/a"), node);
}

static void test_who_has_another_engine_has_it_observed(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    unsigned before = observed(s, "engine");
    (void)error_set(&node->observe_error, ERROR_TRANSIENT, EIO, "hung up");
    scripted_event(s, "node/a");
    scripted_advance(s, 10);
    assert_int_equal(observed(s, "engine"), before);
    node->observe_error.code = ENOTCONN;
    scripted_advance(s, 2000);
    assert_true(observed(s, "engine") > before); // with each attempt at the node
}

// What follows from the engine does not wait for the rest of its observation.
static void test_the_engine_is_found_before_all_of_it_is_observed(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    unsigned cluster = observed(s, "cluster/hostk8s");
    unsigned node = observed(s, "node/a");
    s->things[0].observe_hangs = true;
    s->address = 2;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    scripted_find_engine(s);
    scripted_advance(s, 10);
    assert_int_equal(observed(s, "cluster/hostk8s") - cluster, 1);
    assert_int_equal(observed(s, "node/a") - node, 0);
    scripted_release(s);
    assert_int_equal(observed(s, "cluster/hostk8s") - cluster, 1);
    s->things[0].observe_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    scripted_find_engine(s);
    scripted_settle(s);
    assert_int_equal(observed(s, "node/a") - node, 1);
    scripted_release(s);
    scripted_advance(s, 1000);
    assert_int_equal(observed(s, "node/a") - node, 1);
    assert_line(s, "4/4 ready");
}

static void test_a_pass_is_counted(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    const struct status *status = reconciler_status(s->reconciler);
    uint64_t passes = status->passes;
    scripted_advance(s, 10000);
    assert_int_equal(status->passes, passes + 1);
    assert_told(s, "");
    scripted_thing(s, "node/a")->observe_hangs = true;
    scripted_advance(s, 10000);
    assert_int_equal(status->passes, passes + 1); // it waits for the node
    scripted_advance(s, 700);
    scripted_release(s);
    assert_int_equal(status->passes, passes + 2);
    assert_in_range(status->pass_ms, 700, 10700);
}

// The engine's next observation leads it, also that after an action.
static void test_a_pass_begins_in_mid_attempt(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    uint64_t passes = reconciler_status(s->reconciler)->passes;
    unsigned engine = observed(s, "engine");
    unsigned node = observed(s, "node/a");
    s->things[0].value = 7;
    s->things[0].act_hangs = true;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_int_equal(observed(s, "node/a"), node);
    scripted_release(s);
    assert_int_equal(observed(s, "engine") - engine, 2);
    assert_int_equal(observed(s, "node/a") - node, 1);
    assert_int_equal(reconciler_status(s->reconciler)->passes, passes + 1);
}

// A cluster that does not answer gives up its slot and is no longer waited for; nodes are.
static void test_what_hangs_holds_nobody_up(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s =
        scripted_new(RECONCILE_KEEP, DEFAULTS "clusters: [\"*\"]\n");
    static const char *const keys[] = {"cluster/a", "cluster/b", "cluster/c", "cluster/d"};
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        scripted_add(s, keys[i], names[i])->observe_hangs = i < 2;
    }
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_int_equal(observed(s, "cluster/c"), 0); // no slot
    assert_int_equal(reconciler_status(s->reconciler)->passes, 0);
    scripted_advance(s, 499);
    assert_int_equal(observed(s, "cluster/c"), 0);
    scripted_advance(s, 1);
    assert_int_equal(scripted_thing(s, "cluster/d")->value, 1);
    assert_true(reconciler_status(s->reconciler)->passes > 0);
    scripted_advance(s, 60000);
    assert_int_equal(observed(s, "cluster/a"), 1); // once at a time
    scripted_release(s);
    scripted_advance(s, 1000);
    assert_line(s, "5/5 ready");
}

static void test_slots_bound_what_is_in_flight(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    static const char *const keys[] = {"node/a", "node/b", "node/c", "node/d",
                                       "node/e", "node/f", "node/g", "node/h"};
    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        scripted_add(s, keys[i], "hostk8s");
    }
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_line(s, "9/9 ready");
    assert_int_equal(s->peak, 3 + 1); // the engine acts meanwhile
}

static void test_engine_lost_and_back(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    (void)error_set(&s->things[0].observe_error, ERROR_TRANSIENT, ECONNREFUSED, "gone");
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_told(s, "node/a ApiUnreachable: gone\nnode/b ApiUnreachable: gone\n"
                   "engine ApiUnreachable: gone\n");
    assert_int_equal(status_get(reconciler_status(s->reconciler), "engine")->ready, READY_UNKNOWN);
    // The cluster is not behind the engine: it goes on being observed by the polls.
    unsigned node = observed(s, "node/a");
    unsigned cluster = observed(s, "cluster/hostk8s");
    scripted_advance(s, 60000);
    assert_int_equal(observed(s, "node/a"), node);
    assert_true(observed(s, "cluster/hostk8s") >= cluster + 5);
    s->things[0].observe_error.code = 0;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine Converged\nnode/a Converged\nnode/b Converged\n");
}

// ---- streams ----

static void test_streams_are_opened_once_and_again(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *cluster = scripted_thing(s, "cluster/hostk8s");
    assert_int_equal(s->things[0].watched, 1);
    assert_int_equal(cluster->watched, 1);
    scripted_advance(s, 60000);
    assert_int_equal(cluster->watched, 1);
    unsigned before = observed(s, "cluster/hostk8s");
    scripted_end_watch(s, "cluster/hostk8s", NULL);
    scripted_settle(s);
    assert_int_equal(observed(s, "cluster/hostk8s"), before + 1); // its end is news
    scripted_advance(s, 600);
    assert_int_equal(cluster->watched, 2);
    assert_int_equal(observed(s, "cluster/hostk8s"), before + 1); // its begin is none
    unsigned node = observed(s, "node/a");
    scripted_end_watch(s, "engine", NULL); // which told of nodes, too
    scripted_settle(s);
    assert_int_equal(observed(s, "node/a"), node + 1);
    scripted_advance(s, 1000);
    assert_int_equal(s->things[0].watched, 2);
    assert_int_equal(observed(s, "node/a"), node + 1);
}

static void test_a_stream_that_ends_at_once_backs_off(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *cluster = scripted_thing(s, "cluster/hostk8s");
    unsigned before = cluster->watched - 1;
    struct error why;
    (void)error_set(&why, ERROR_TRANSIENT, ECONNRESET, "reset");
    for (int i = 0; i < 200; i++) { // for 20 s
        if (cluster->watched > before) {
            before = cluster->watched;
            scripted_end_watch(s, "cluster/hostk8s", &why);
        }
        scripted_advance(s, 100);
    }
    assert_in_range(cluster->watched, 4, 7);
}

static void test_the_engines_stream_is_tried_each_second(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct error why;
    (void)error_set(&why, ERROR_TRANSIENT, ECONNRESET, "reset");
    for (int i = 0; i < 20; i++) {
        unsigned before = s->things[0].watched;
        scripted_end_watch(s, "engine", &why);
        scripted_advance(s, 1000);
        assert_int_equal(s->things[0].watched, before + 1);
    }
}

static void test_a_burst_is_one_attempt(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    unsigned before = observed(s, "node/a");
    for (int i = 0; i < 100; i++) {
        scripted_event(s, "node/a");
        scripted_settle(s);
    }
    scripted_advance(s, 10);
    assert_int_equal(observed(s, "node/a"), before + 1);
}

static void test_events_of_a_failing_key_wait_for_its_back_off(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    (void)error_set(&node->observe_error, ERROR_TRANSIENT, EIO, "broken");
    unsigned before = node->observed;
    for (int i = 0; i < 90; i++) {
        scripted_event(s, "node/a");
        scripted_advance(s, 100);
    }
    assert_in_range(node->observed - before, 4, 8);
}

// ---- reload ----

static void reload(struct scripted *s, const char *text)
{
    reconciler_reload(s->reconciler, sample_config_of(text));
    scripted_settle(s);
}

static void test_a_reload_that_changes_nothing(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    unsigned watched = s->things[0].watched;
    reload(s, DEFAULTS);
    assert_told(s, "");
    assert_int_equal(s->things[0].forgotten, 1);
    scripted_advance(s, 1000);
    assert_int_equal(s->things[0].watched, watched + 1);
    assert_line(s, "4/4 ready");
}

static void test_a_reload_with_a_secret(_unused_ void **state)
{
    _cleanup_(secrets_freep) struct secrets *secrets = secrets_new();
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->io.secrets = secrets;
    reload(s, DEFAULTS "registry: {environment: {NAME: concealed}}\n");
    _cleanup_free_ char *shown = secrets_hide(secrets, "it is concealed");
    assert_string_equal(shown, "it is ***");
}

static void test_a_cluster_that_is_not_desired_any_more_is_cleaned_up(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    scripted_add(s, "cluster/other", "other");
    reload(s, OTHER_CLUSTER);
    assert_told(s, "cluster/other +Converging: write is pending\n"
                   "write cluster/other\n"
                   "cluster/other Converged\n"
                   "cluster/hostk8s Converging: remove is pending\n"
                   "remove cluster/hostk8s\n"
                   "node/a Converging: remove is pending\n"
                   "remove node/a\n"
                   "node/b Converging: remove is pending\n"
                   "remove node/b\n");
    assert_line(s, "2/2 ready");
    assert_int_equal(scripted_thing(s, "cluster/hostk8s")->value, -1);
    scripted_advance(s, 60000);
    reload(s, DEFAULTS);
    assert_int_equal(scripted_thing(s, "cluster/hostk8s")->value, 1);
    assert_int_equal(scripted_thing(s, "cluster/other")->value, -1);
}

static void test_a_reload_waits_for_an_action(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    node->value = 7;
    node->act_hangs = true;
    scripted_event(s, "node/a");
    scripted_advance(s, 10);
    reload(s, OTHER_CLUSTER);
    reload(s, DEFAULTS);
    reload(s, OTHER_CLUSTER); // the last one counts
    assert_int_equal(s->things[0].forgotten, 0);
    scripted_release(s);
    assert_int_equal(s->things[0].forgotten, 1);
    assert_int_equal(node->value, -1);
}

static void test_a_reload_in_mid_pass(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    node->observe_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    reload(s, DEFAULTS);         // ends the observation
    assert_line(s, "4/4 ready"); // which has not failed
    node->observe_hangs = false;
    scripted_release(s);
    assert_line(s, "4/4 ready");
    const struct status *status = reconciler_status(s->reconciler);
    uint64_t passes = status->passes;
    scripted_advance(s, 20000);
    assert_int_equal(status->passes, passes + 2);
}

static void test_a_reload_forgets_what_was_held_back(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *node = scripted_thing(s, "node/a");
    node->value = 7;
    (void)error_set(&node->act_error, ERROR_PERMANENT, EIO, "refused");
    scripted_event(s, "node/a");
    scripted_advance(s, 100000);
    node->act_error.code = 0;
    reload(s, DEFAULTS);
    assert_line(s, "4/4 ready");
}

// ---- the other modes ----

// What is on its way is no failure: it is asked again in each poll at least, and the engine with
// it.
static void test_what_comes_is_not_backed_off_from(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    struct thing *node = scripted_add(s, "node/a", "hostk8s");
    (void)error_set(&node->observe_error, ERROR_CONFLICT, EHOSTDOWN, "on its way");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    const struct status *status = reconciler_status(s->reconciler);
    const struct condition *condition = status_get(status, "node/a");
    assert_int_equal(condition->ready, READY_FALSE);
    assert_int_equal(condition->reason, REASON_CONVERGING);
    unsigned engine = s->things[0].observed;
    unsigned before = node->observed;
    scripted_advance(s, 9000); // 0.5, 1, 2, 4, 8 s
    assert_int_equal(node->observed - before, 5);
    assert_true(s->things[0].observed - engine >= 3);
    scripted_advance(s, 60000);
    assert_in_range(node->observed, 10, 13);
    node->observe_error = (struct error){0};
    scripted_advance(s, 10000);
    assert_int_equal(status_get(status, "node/a")->ready, READY_TRUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_appears_and_goes),
        cmocka_unit_test(test_a_node_goes_in_mid_action),
        cmocka_unit_test(test_a_declared_cluster_that_is_not_there),
        cmocka_unit_test(test_what_comes_is_not_backed_off_from),
        cmocka_unit_test(test_an_address_that_changes_or_is_lost),
        cmocka_unit_test(test_who_has_another_engine_has_it_observed),
        cmocka_unit_test(test_the_engine_is_found_before_all_of_it_is_observed),
        cmocka_unit_test(test_a_pass_is_counted),
        cmocka_unit_test(test_a_pass_begins_in_mid_attempt),
        cmocka_unit_test(test_what_hangs_holds_nobody_up),
        cmocka_unit_test(test_slots_bound_what_is_in_flight),
        cmocka_unit_test(test_engine_lost_and_back),
        cmocka_unit_test(test_streams_are_opened_once_and_again),
        cmocka_unit_test(test_a_stream_that_ends_at_once_backs_off),
        cmocka_unit_test(test_the_engines_stream_is_tried_each_second),
        cmocka_unit_test(test_a_burst_is_one_attempt),
        cmocka_unit_test(test_events_of_a_failing_key_wait_for_its_back_off),
        cmocka_unit_test(test_a_reload_that_changes_nothing),
        cmocka_unit_test(test_a_reload_with_a_secret),
        cmocka_unit_test(test_a_cluster_that_is_not_desired_any_more_is_cleaned_up),
        cmocka_unit_test(test_a_reload_waits_for_an_action),
        cmocka_unit_test(test_a_reload_in_mid_pass),
        cmocka_unit_test(test_a_reload_forgets_what_was_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
