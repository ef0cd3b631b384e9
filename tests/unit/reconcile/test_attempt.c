// One key's way: observe, plan, act, observe again; what a failure does to it and to its
// neighbours.
#include "tests/support/scripted.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

#define DEFAULTS "reconcile: {poll: 10s, backoff: {initial: 500ms, max: 60s}}\n"

static struct scripted *converged(void)
{
    struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_line(s, "1/1 ready");
    scripted_invalidate_log(s);
    return s;
}

static void fails(struct error *err, enum error_kind kind, int status, const char *text)
{
    (void)error_set(err, kind, EREMOTEIO, "%s", text);
    err->status = status;
}

static void test_nothing_before_trigger(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    assert_int_equal(reconciler_next_due(s->reconciler), KIND_NEVER);
    scripted_advance(s, 60000);
    assert_int_equal(s->things[0].observed, 0);
    assert_true(reconciler_is_idle(s->reconciler));
    assert_line(s, "0/0 ready");
}

static void test_converges(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    scripted_add(s, "node/a", "hostk8s");
    scripted_add(s, "cluster/hostk8s", "hostk8s");
    scripted_add(s, "node/foreign", "other"); // of a cluster that nobody asked for
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine +Converging: write is pending\n"
                   "write engine\n"
                   "engine Converged\n"
                   "cluster/hostk8s +Converging: write is pending\n"
                   "write cluster/hostk8s\n"
                   "cluster/hostk8s Converged\n"
                   "node/a +Converging: write is pending\n"
                   "write node/a\n"
                   "node/a Converged\n");
    assert_line(s, "3/3 ready");
    assert_int_equal(s->things[3].observed, 0);
    assert_true(reconciler_all_observed(s->reconciler));
}

static void test_drift_is_repaired_by_event_and_by_poll(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    scripted_advance(s, 9000);
    assert_told(s, "");
    scripted_event(s, "engine");
    scripted_advance(s, 9); // a burst is one attempt
    assert_told(s, "");
    scripted_advance(s, 1);
    assert_told(s, "engine Converging: write is pending\nwrite engine\nengine Converged\n");
    s->things[0].value = 7;
    scripted_advance(s, 10000);
    assert_told(s, "engine Converging: write is pending\nwrite engine\nengine Converged\n");
}

static void test_a_failed_action_backs_off(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    fails(&s->things[0].act_error, ERROR_TRANSIENT, 500, "the engine is in trouble");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine Converging: write is pending\nfailed to write engine\n"
                   "engine Error: the engine is in trouble\n");
    unsigned before = s->things[0].acted;
    scripted_advance(s, 15000); // 0.5 + 1 + 2 + 4 + 8, each 20 % up or down
    assert_in_range(s->things[0].acted - before, 4, 5);
    assert_string_not_equal(buf_str(&s->log), "");
    assert_null(strstr(buf_str(&s->log), "engine ")); // the condition stands: nothing new to tell
    s->things[0].act_error.code = 0;
    reconciler_trigger(s->reconciler); // somebody asks: at once
    scripted_settle(s);
    assert_line(s, "1/1 ready");
    scripted_advance(s, 5000);
    s->things[0].value = 7;
    scripted_invalidate_log(s);
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_told(s, "engine Converging: write is pending\nwrite engine\nengine Converged\n");
}

// What shows the others' work is due when a resource of theirs is in another state, and then only.
static void test_followers(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    struct thing *page = scripted_add(s, "page/x", NULL);
    page->value = 1;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_line(s, "2/2 ready");
    unsigned before = page->observed;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_int_equal(page->observed, before); // nothing was found
    page->reason = REASON_UNAVAILABLE;
    s->things[0].value = 7;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_in_range(page->observed - before, 1, 2);
    assert_line(s, "1/2 ready: page/x Unavailable");
    page->reason = REASON_CONVERGED;
    scripted_advance(s, 1000); // and soon again while it waits
    assert_line(s, "2/2 ready");
    assert_true(page->had_engine);
    fails(&s->things[0].observe_error, ERROR_TRANSIENT, 0, "gone");
    scripted_advance(s, 10000);
    assert_false(page->had_engine); // what is known of it may be of before
}

// The key has two resources: what fails for one holds the other back only where that needs it.
static void test_resources_are_throttled_one_by_one(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->network = true;
    fails(&s->things[0].act_error, ERROR_PERMANENT, 403, "no");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "network +Converging: write is pending\nfailed to write network\n"
                   "network Forbidden: no\n");
    assert_line(s, "1/2 ready: network Forbidden");
    s->things[0].value = 7;
    scripted_event(s, "engine");
    scripted_advance(s, 100);
    // The network's action is held back, the container's is not; it fails, too.
    assert_told(s, "engine Converging: write is pending\nfailed to write engine\n"
                   "engine Forbidden: no\n");
    s->things[0].act_error.code = 0;
    scripted_advance(s, 60000);
    assert_line(s, "2/2 ready");
}

static void test_what_needs_a_failed_one_waits(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = scripted_new(RECONCILE_KEEP, DEFAULTS);
    s->network = true;
    fails(&s->things[0].act_error, ERROR_TRANSIENT, 500, "no");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine +Converging: write is pending\nnetwork +Converging: write is pending\n"
                   "failed to write engine\nengine Error: no\n");
    assert_int_equal(s->things[0].acted, 1);
}

static void test_a_conflict_is_observed_again_at_once(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    fails(&s->things[0].act_error, ERROR_CONFLICT, 409, "changed meanwhile");
    unsigned acted = s->things[0].acted;
    unsigned observed = s->things[0].observed;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_int_equal(s->things[0].acted - acted, 4);
    assert_int_equal(s->things[0].observed - observed, 4);
    assert_line(s, "0/1 ready: engine Error");
    s->things[0].act_error.code = 0;
    scripted_advance(s, 600);
    assert_line(s, "1/1 ready");
}

// A change that was made and is wanted again right after it is one that failed.
static void test_what_does_not_hold_is_not_made_in_a_loop(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    s->things[0].does_not_hold = true;
    unsigned before = s->things[0].acted;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_told(s, "engine Converging: write is pending\nwrite engine\n"
                   "engine Contended: something else keeps changing value back; stop it, or "
                   "declare what it wants\n");
    scripted_advance(s, 14990);
    assert_in_range(s->things[0].acted - before, 4, 6);
    s->things[0].does_not_hold = false;
    scripted_advance(s, 20000);
    assert_line(s, "1/1 ready");
}

static void meddle(struct scripted *s, unsigned times, uint64_t every_ms)
{
    for (unsigned i = 0; i < times; i++) {
        s->things[0].value = 7;
        scripted_event(s, "engine");
        scripted_advance(s, every_ms);
    }
}

static void test_a_fight_is_throttled_and_told(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    unsigned before = s->things[0].acted;
    meddle(s, 10, 100);
    assert_int_equal(s->things[0].acted - before, 10);
    scripted_invalidate_log(s);
    meddle(s, 1, 100);
    assert_told(s, "engine Contended: something else keeps changing value back; stop it, or "
                   "declare what it wants\n");
    before = s->things[0].acted;
    meddle(s, 600, 100); // for a minute
    assert_in_range(s->things[0].acted - before, 5, 9);
    before = s->things[0].acted;
    meddle(s, 1200, 100); // and two more
    assert_in_range(s->things[0].acted - before, 2, 6);
}

static void test_the_end_of_a_fight_is_seen(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    meddle(s, 15, 100);
    scripted_advance(s, 120000);
    assert_line(s, "1/1 ready");
    scripted_advance(s, 600000);
    unsigned before = s->things[0].acted;
    meddle(s, 10, 100);
    assert_int_equal(s->things[0].acted - before, 10);
}

static void test_a_rejected_spec_is_left_for_minutes(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    s->things[0].digest = "abc";
    s->things[0].rejects = true;
    fails(&s->things[0].act_error, ERROR_PERMANENT, 400, "bad spec");
    unsigned acted = s->things[0].acted;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    assert_told(s, "engine Converging: write is pending\nfailed to write engine\n"
                   "engine Error: bad spec\n");
    scripted_advance(s, 240000);
    assert_int_equal(s->things[0].acted - acted, 1);
    scripted_advance(s, 130000);
    assert_int_equal(s->things[0].acted - acted, 2);
    s->things[0].act_error.code = 0;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_line(s, "1/1 ready");
}

static void test_an_observation_that_fails(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    (void)error_set(&s->things[0].observe_error, ERROR_TRANSIENT, ECONNREFUSED,
                    "nobody answers in 0123456789abcdef0123456789abcdef0123456789abcdef0123456789a"
                    "bcdef");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine ApiUnreachable: nobody answers in 0123456789ab\n");
    assert_false(reconciler_all_observed(s->reconciler));
    unsigned before = s->things[0].observed;
    scripted_advance(s, 15000);
    assert_in_range(s->things[0].observed - before, 4, 7);
    s->things[0].observe_error.code = 0;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine Converged\n");
}

static void test_an_observation_that_is_refused_at_once(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    (void)error_set(&s->things[0].observe_error, ERROR_TRANSIENT, ENOBUFS, "refused");
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine ApiUnreachable: refused\n");
    s->things[0].observe_error.code = 0;
    (void)error_set(&s->things[0].act_error, ERROR_TRANSIENT, ENOBUFS, "refused, too");
    s->things[0].value = 7;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "failed to write engine\nengine Error: refused, too\n");
}

static void test_what_waits_is_tried_again_sooner(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].reason = REASON_UNAVAILABLE;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine Unavailable: as it is\n");
    unsigned before = s->things[0].observed;
    scripted_advance(s, 8000); // 0.5, 1, 2, 4, 8 s
    assert_int_equal(s->things[0].observed - before, 5);
    s->things[0].reason = REASON_CONVERGED;
    scripted_advance(s, 8000);
    s->things[0].reason = REASON_UNAVAILABLE; // it begins anew
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    before = s->things[0].observed;
    scripted_advance(s, 7999);
    assert_int_equal(s->things[0].observed - before, 4);
    s->things[0].reason = REASON_NODE_NOT_RUNNING; // and when it waits for something else
    scripted_advance(s, 1);
    before = s->things[0].observed;
    scripted_advance(s, 8000);
    assert_int_equal(s->things[0].observed - before, 5);
    s->things[0].reason = REASON_NAME_CONFLICT; // somebody has to do something: the poll is enough
    scripted_advance(s, 12000);
    before = s->things[0].observed;
    scripted_advance(s, 30000);
    assert_int_equal(s->things[0].observed - before, 3);
}

// By how long it has waited, not by how often it was looked at meanwhile.
static void test_events_do_not_make_it_wait_longer(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].reason = REASON_UNAVAILABLE;
    scripted_event(s, "engine");
    scripted_advance(s, 10);
    for (int i = 0; i < 5; i++) {
        scripted_event(s, "engine");
        scripted_advance(s, 10);
    }
    unsigned before = s->things[0].observed;
    scripted_advance(s, 499);
    assert_int_equal(s->things[0].observed - before, 0);
    scripted_advance(s, 1);
    assert_int_equal(s->things[0].observed - before, 1);
}

// What is told of before the observation after an action begins is seen by that one.
static void test_events_of_an_action_are_seen_by_what_follows_it(_unused_ void **state)
{
    for (int during = 0; during < 2; during++) {
        _cleanup_(scripted_freep) struct scripted *s = converged();
        unsigned before = s->things[0].observed;
        s->things[0].value = 7;
        s->things[0].act_hangs = during == 0;
        scripted_event(s, "engine");
        scripted_advance(s, 10);
        s->things[0].observe_hangs = during == 1;
        scripted_event(s, "engine");
        scripted_settle(s);
        scripted_release(s);
        scripted_advance(s, 100);
        assert_line(s, "1/1 ready");
        assert_int_equal(s->things[0].observed - before, during == 0 ? 2 : 3);
    }
}

static void test_stop_in_mid_observation_and_in_mid_action(_unused_ void **state)
{
    for (int acts = 0; acts < 2; acts++) {
        _cleanup_(scripted_freep) struct scripted *s = converged();
        s->things[0].value = 7;
        s->things[0].observe_hangs = acts == 0;
        s->things[0].act_hangs = acts == 1;
        reconciler_trigger(s->reconciler);
        scripted_settle(s);
        assert_false(reconciler_is_idle(s->reconciler));
        reconciler_stop(s->reconciler);
        scripted_settle(s);
        // An action in flight is waited for.
        assert_int_equal(reconciler_is_idle(s->reconciler), acts == 0);
        scripted_release(s);
        assert_true(reconciler_is_idle(s->reconciler));
        assert_int_equal(s->things[0].value, acts == 1 ? 1 : 7);
        assert_int_equal(reconciler_next_due(s->reconciler), KIND_NEVER);
    }
}

static void test_abort_cuts_an_action_short(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    s->things[0].act_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    reconciler_stop(s->reconciler);
    reconciler_abort(s->reconciler);
    scripted_settle(s);
    assert_true(reconciler_is_idle(s->reconciler));
    assert_int_equal(s->things[0].value, 7);
}

static void test_background(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->network = true;
    s->network_value = 1;
    s->things[0].value = 7;
    s->things[0].background = true;
    s->things[0].act_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    assert_told(s, "engine Converging: write is pending\nnetwork +Converged\n");
    unsigned acted = s->things[0].acted;
    unsigned observed = s->things[0].observed;
    scripted_advance(s, 60000);
    assert_int_equal(s->things[0].acted, acted);        // once
    assert_true(s->things[0].observed - observed >= 6); // it goes on being observed
    assert_false(reconciler_is_idle(s->reconciler));
    fails(&s->things[0].act_error, ERROR_PERMANENT, 404, "no such image");
    scripted_release(s);
    assert_told(s, "failed to write engine\nengine Error: no such image\n");
    s->things[0].act_error.code = 0;
    scripted_advance(s, 60000);
    assert_told(s, "write engine\nengine Converged\n");

    s->things[0].value = 7;
    s->things[0].act_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    scripted_invalidate_log(s);
    scripted_release(s); // its end is seen at once
    assert_told(s, "write engine\nengine Converged\n");
}

static void test_stop_ends_a_background_action(_unused_ void **state)
{
    _cleanup_(scripted_freep) struct scripted *s = converged();
    s->things[0].value = 7;
    s->things[0].background = true;
    s->things[0].act_hangs = true;
    reconciler_trigger(s->reconciler);
    scripted_settle(s);
    scripted_invalidate_log(s);
    reconciler_stop(s->reconciler);
    scripted_settle(s);
    assert_true(reconciler_is_idle(s->reconciler));
    assert_told(s, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_trigger),
        cmocka_unit_test(test_converges),
        cmocka_unit_test(test_drift_is_repaired_by_event_and_by_poll),
        cmocka_unit_test(test_a_failed_action_backs_off),
        cmocka_unit_test(test_followers),
        cmocka_unit_test(test_resources_are_throttled_one_by_one),
        cmocka_unit_test(test_what_needs_a_failed_one_waits),
        cmocka_unit_test(test_a_conflict_is_observed_again_at_once),
        cmocka_unit_test(test_what_does_not_hold_is_not_made_in_a_loop),
        cmocka_unit_test(test_a_fight_is_throttled_and_told),
        cmocka_unit_test(test_the_end_of_a_fight_is_seen),
        cmocka_unit_test(test_a_rejected_spec_is_left_for_minutes),
        cmocka_unit_test(test_an_observation_that_fails),
        cmocka_unit_test(test_an_observation_that_is_refused_at_once),
        cmocka_unit_test(test_what_waits_is_tried_again_sooner),
        cmocka_unit_test(test_events_do_not_make_it_wait_longer),
        cmocka_unit_test(test_events_of_an_action_are_seen_by_what_follows_it),
        cmocka_unit_test(test_stop_in_mid_observation_and_in_mid_action),
        cmocka_unit_test(test_abort_cuts_an_action_short),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_stop_ends_a_background_action),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
