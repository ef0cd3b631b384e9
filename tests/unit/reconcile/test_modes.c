// What `plan`, `apply` and `teardown` do: until when they go on, and what they leave.
#include "tests/support/scripted.h"
#include "tests/support/unit.h"

#include <errno.h>

#define DEFAULTS "reconcile: {poll: 10s, backoff: {initial: 500ms, max: 60s}}\n"

static struct scripted *started(enum reconcile_mode mode)
{
    struct scripted *s = scripted_new(mode, DEFAULTS);
    scripted_add(s, "cluster/hostk8s", "hostk8s");
    scripted_add(s, "node/a", "hostk8s");
    scripted_add(s, "node/b", "hostk8s");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    return s;
}

static unsigned observed(struct scripted *s, const char *key)
{
    return scripted_thing(s, key)->observed;
}

static void print_pending(void *ctx, const struct action *action)
{
    (void)buf_printf(ctx, "%s %s\n", action->verb, action->resource);
}

static void test_observe(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = started(RECONCILE_OBSERVE);
    _cleanup_buf_ struct buf pending = BUF_INIT(4096);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_true(reconciler_all_observed(s->reconciler));
    reconciler_each_pending(s->reconciler, print_pending, &pending);
    assert_string_equal(buf_str(&pending),
                        "write engine\nwrite cluster/hostk8s\nwrite node/a\nwrite node/b\n");
    scripted_advance(s, 60000);
    assert_int_equal(s->things[0].observed, 1);
    assert_int_equal(s->things[0].acted, 0);
    assert_int_equal(s->things[0].watched, 0);
}

static void test_once(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = started(RECONCILE_ONCE);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_line(s, "4/4 ready");
    assert_int_equal(s->things[0].watched, 0);
    unsigned before = observed(s, "engine");
    scripted_advance(s, 60000);
    assert_int_equal(observed(s, "engine"), before);
}

static void test_once_waits_for_what_may_pass(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_ONCE, DEFAULTS);
    struct thing *node = scripted_add(s, "node/a", "hostk8s");
    node->reason = REASON_NODE_NOT_RUNNING;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_false(reconciler_is_settled(s->reconciler));
    unsigned engine = observed(s, "engine");
    scripted_advance(s, 5000);
    assert_in_range(observed(s, "node/a"), 11, 13);   // each half second
    assert_true(observed(s, "engine") - engine >= 9); // only it tells when the node runs
    node->reason = REASON_CONVERGED;
    scripted_advance(s, 500);
    assert_true(reconciler_is_settled(s->reconciler));
}

static void test_once_waits_for_what_could_not_be_observed(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_ONCE, DEFAULTS);
    struct thing *cluster = scripted_add(s, "cluster/hostk8s", "hostk8s");
    cluster->reason = REASON_ERROR; // of one list of it
    cluster->unknown = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_false(reconciler_is_settled(s->reconciler));
    assert_false(reconciler_all_observed(s->reconciler));
    cluster->reason = REASON_CONVERGED;
    scripted_advance(s, 500);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_true(reconciler_all_observed(s->reconciler));
}

static void test_once_ends_with_what_is_blocked(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_ONCE, DEFAULTS);
    struct thing *node = scripted_add(s, "node/a", "hostk8s");
    struct thing *cluster = scripted_add(s, "cluster/hostk8s", "hostk8s");
    s->things[0].reason = REASON_NAME_CONFLICT;
    node->value = 0;
    (void)error_set(&node->act_error, ERROR_PERMANENT, EIO, "refused");
    cluster->reason = REASON_CONVERGING; // waits in vain for the engine
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_line(s, "0/3 ready: node/a Error");
}

static void test_once_does_not_end_in_what_does_not_hold(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_ONCE, DEFAULTS);
    s->things[0].does_not_hold = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_line(s, "0/1 ready: engine Contended");
    assert_int_equal(s->things[0].acted, 1);
}

// A machine with a page that is not there, which is for that reason, or converges.
static struct scripted *with_page(enum reconcile_mode mode, enum reason reason, bool stays)
{
    struct scripted *s = scripted_new(mode, DEFAULTS);
    scripted_add(s, "node/a", "hostk8s");
    struct thing *page = scripted_add(s, "page/x", NULL);
    *page = (struct thing){
        .key = "page/x", .exists = true, .value = 1, .reason = reason, .stays = stays};
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    return s;
}

static void test_once_waits_for_what_follows(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s =
        with_page(RECONCILE_ONCE, REASON_UNAVAILABLE, false);
    scripted_advance(s, 60000);
    assert_false(reconciler_is_settled(s->reconciler));
    assert_false(scripted_thing(s, "page/x")->unsettled);
    scripted_thing(s, "page/x")->reason = REASON_CONVERGED;
    scripted_advance(s, 500);
    assert_true(reconciler_is_settled(s->reconciler));
}

static void test_once_does_not_wait_for_what_stays(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s =
        with_page(RECONCILE_ONCE, REASON_UNAVAILABLE, true);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_line(s, "2/3 ready: page/x Unavailable");
    assert_int_equal(observed(s, "page/x"), 1); // when the others had changed
}

static void test_once_does_not_wait_behind_what_is_blocked(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s =
        with_page(RECONCILE_ONCE, REASON_UNAVAILABLE, false);
    assert_false(reconciler_is_settled(s->reconciler));
    scripted_thing(s, "node/a")->reason = REASON_CONFIG_PATH_DISABLED;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_true(reconciler_is_settled(s->reconciler));
}

static void test_what_follows_is_observed_after_the_others(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s =
        with_page(RECONCILE_OBSERVE, REASON_UNAVAILABLE, 0);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_true(scripted_thing(s, "page/x")->unsettled); // since writes are pending
    assert_int_equal(observed(s, "page/x"), 1);
}

// While another one waits, it is observed when that is in another state, and once in a poll.
static void test_once_observes_what_follows_at_news(void **state)
{
    (void)state;
    _cleanup_(scripted_freep) struct scripted *s =
        with_page(RECONCILE_ONCE, REASON_UNAVAILABLE, false);
    struct thing *node = scripted_thing(s, "node/a");
    node->reason = REASON_NODE_NOT_RUNNING;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    unsigned node_before = node->observed;
    unsigned before = observed(s, "page/x");
    scripted_advance(s, 9000);
    assert_int_equal(observed(s, "page/x"), before);
    assert_true(node->observed > node_before + 10);
    scripted_advance(s, 2000);
    assert_int_equal(observed(s, "page/x"), before + 1);
    node->reason = REASON_CONVERGED;
    scripted_thing(s, "page/x")->reason = REASON_CONVERGED;
    scripted_advance(s, 500);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_int_equal(observed(s, "page/x"), before + 2);
}

static void test_teardown(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = started(RECONCILE_TEARDOWN);
    assert_told(s, "engine +Converging: remove is pending\n"
                   "cluster/hostk8s +Converging: remove is pending\n"
                   "remove cluster/hostk8s\n"
                   "cluster/hostk8s Converged\n"
                   "node/a +Converging: remove is pending\n"
                   "remove node/a\n"
                   "node/a Converged\n"
                   "node/b +Converging: remove is pending\n"
                   "remove node/b\n"
                   "node/b Converged\n"
                   "remove engine\n"
                   "engine Converged\n");
    assert_true(reconciler_is_settled(s->reconciler));
}

static void test_teardown_goes_on_without_what_cannot_be_reached(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_TEARDOWN, DEFAULTS);
    struct thing *cluster = scripted_add(s, "cluster/hostk8s", "hostk8s");
    (void)error_set(&cluster->observe_error, ERROR_TRANSIENT, ECONNREFUSED, "nobody there");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_int_equal(s->things[0].acted, 0);
    for (int i = 0; i < 100 && !reconciler_is_settled(s->reconciler); i++) {
        scripted_advance(s, 100);
    }
    assert_true(reconciler_is_settled(s->reconciler));
    assert_int_equal(cluster->observed, 3);
    assert_int_equal(s->things[0].value, -1);
}

static void test_teardown_outlasts_a_moment_without_the_peer(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(
        RECONCILE_TEARDOWN, "reconcile: {poll: 10s, backoff: {initial: 10ms, max: 10ms}}\n");
    struct thing *cluster = scripted_add(s, "cluster/hostk8s", "hostk8s");
    (void)error_set(&cluster->observe_error, ERROR_TRANSIENT, ECONNREFUSED, "nobody there");
    reconciler_trigger(s->reconciler);
    scripted_advance(s, 900);
    assert_true(cluster->observed > 3);
    assert_false(reconciler_is_settled(s->reconciler));
    cluster->observe_error.code = 0;
    scripted_advance(s, 50);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_int_equal(cluster->value, -1);
    assert_int_equal(s->things[0].value, -1);
}

static void test_teardown_waits_as_long_as_the_peer_says(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_TEARDOWN, DEFAULTS);
    (void)error_set(&s->things[0].act_error, ERROR_TRANSIENT, EBUSY, "too many requests");
    s->things[0].act_error.retry_ms = 5000;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    s->things[0].act_error.code = 0;
    scripted_advance(s, 4900);
    assert_false(reconciler_is_settled(s->reconciler));
    scripted_advance(s, 600);
    assert_true(reconciler_is_settled(s->reconciler));
    assert_int_equal(s->things[0].value, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observe),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_waits_for_what_may_pass),
        cmocka_unit_test(test_once_waits_for_what_could_not_be_observed),
        cmocka_unit_test(test_once_ends_with_what_is_blocked),
        cmocka_unit_test(test_once_does_not_end_in_what_does_not_hold),
        cmocka_unit_test(test_once_waits_for_what_follows),
        cmocka_unit_test(test_once_does_not_wait_for_what_stays),
        cmocka_unit_test(test_once_does_not_wait_behind_what_is_blocked),
        cmocka_unit_test(test_what_follows_is_observed_after_the_others),
        cmocka_unit_test(test_once_observes_what_follows_at_news),
        cmocka_unit_test(test_teardown),
        cmocka_unit_test(test_teardown_goes_on_without_what_cannot_be_reached),
        cmocka_unit_test(test_teardown_outlasts_a_moment_without_the_peer),
        cmocka_unit_test(test_teardown_waits_as_long_as_the_peer_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
