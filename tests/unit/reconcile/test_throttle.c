#include "lib/reconcile/throttle.h"

#include "tests/support/unit.h"

#include <string.h>

#define MIDDLE 20 // a random number in the middle of the jitter: delays are exact
#define START_MS 1000000u

static const struct backoff backoff = {.initial_ms = 500, .max_ms = 60000};

// A record and a plan with one change of its resource, and one of another.
struct scene {
    struct records records;
    struct record *record;
    struct plan plan;
    uint64_t now_ms;
};

static void set_plan(struct scene *s, const char *verb, const char *field, bool destructive)
{
    plan_done(&s->plan);
    struct action *action = plan_add_action(&s->plan, &(struct action){.name = "n",
                                                                       .verb = verb,
                                                                       .resource = "a",
                                                                       .destructive = destructive,
                                                                       .disruptive = destructive});
    if (field != NULL) {
        plan_add_field(&s->plan, action, field, "1", "2");
    }
    (void)plan_add_action(&s->plan, &(struct action){.name = "n",
                                                     .verb = "other",
                                                     .resource = "b",
                                                     .destructive = true,
                                                     .disruptive = true});
}

static void set_up(struct scene *s)
{
    *s = (struct scene){.now_ms = START_MS};
    s->record = throttle_record(&s->records, "a");
    (void)throttle_record(&s->records, "b");
    assert_ptr_equal(throttle_record(&s->records, "a"), s->record);
    assert_int_equal(s->records.count, 2);
    set_plan(s, "write", "x", false);
}

static void scene_done(struct scene *s)
{
    throttle_done(&s->records);
    plan_done(&s->plan);
}
#define _cleanup_scene_ _cleanup_(scene_done)

static bool allows(struct scene *s, bool was_ready)
{
    return throttle_allows(s->record, &s->plan, was_ready, &backoff, s->now_ms, MIDDLE);
}

static void fails(struct scene *s, uint64_t retry_ms)
{
    throttle_failed(s->record, REASON_ERROR, "it\nfailed", true, retry_ms, &backoff, s->now_ms,
                    MIDDLE);
}

static void test_failures(_unused_ void **state)
{
    _cleanup_scene_ struct scene s;
    set_up(&s);
    assert_true(allows(&s, false));
    for (uint64_t delay_ms = 500; delay_ms <= 4000; delay_ms *= 2) {
        fails(&s, 0);
        assert_int_equal(s.record->not_before_ms, s.now_ms + delay_ms);
        assert_string_equal(s.record->message, "it failed");
        assert_int_equal(s.record->reason, REASON_ERROR);
        assert_true(s.record->may_pass);
        s.now_ms += delay_ms - 1;
        assert_false(allows(&s, false));
        s.now_ms++;
        assert_true(allows(&s, false));
    }
    fails(&s, 77000);
    assert_int_equal(s.record->not_before_ms, s.now_ms + 77000);
    throttle_hurry(&s.records);
    assert_true(allows(&s, false));
    assert_int_equal(s.record->failures, 5);
    throttle_settled(s.record);
    assert_int_equal(s.record->failures, 0);
    assert_null(s.record->message);
    fails(&s, 0);
    assert_int_equal(s.record->not_before_ms, s.now_ms + 500);
}

static void test_what_was_made_does_not_hold(_unused_ void **state)
{
    _cleanup_scene_ struct scene s;
    set_up(&s);
    assert_true(allows(&s, false));
    throttle_made(s.record, &s.plan);
    set_plan(&s, "write", "y", false); // the next step of the same repair
    assert_true(allows(&s, false));
    throttle_made(s.record, &s.plan);
    set_plan(&s, "write", "x", false);
    assert_false(allows(&s, false));
    assert_int_equal(s.record->reason, REASON_CONTENDED);
    assert_string_equal(s.record->message, "something else keeps changing x back; stop it, or "
                                           "declare what it wants");
    assert_false(s.record->may_pass);
    assert_int_equal(s.record->not_before_ms, START_MS + 500);
    s.now_ms += 500;
    assert_true(allows(&s, false)); // once more, and then later
    throttle_made(s.record, &s.plan);
    assert_false(allows(&s, false));
    assert_int_equal(s.record->not_before_ms, s.now_ms + 1000);
    throttle_settled(s.record);
    assert_true(allows(&s, false));
}

// So many steps are told apart; a longer way round is bounded by the attempt.
static void test_steps_that_are_remembered(_unused_ void **state)
{
    static const char *const fields[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    _cleanup_scene_ struct scene s;
    set_up(&s);
    for (size_t i = 0; i < ELEMENTS(fields); i++) {
        set_plan(&s, "write", fields[i], false);
        assert_true(allows(&s, false));
        throttle_made(s.record, &s.plan);
    }
    set_plan(&s, "write", fields[0], false);
    assert_true(allows(&s, false));
    set_plan(&s, "write", fields[1], false);
    assert_false(allows(&s, false));
}

static void test_disruption(_unused_ void **state)
{
    _cleanup_scene_ struct scene s;
    set_up(&s);
    set_plan(&s, "recreate", NULL, true);
    static const uint64_t delays_ms[] = {60000, 120000, 180000, 300000};
    for (size_t i = 0; i < ELEMENTS(delays_ms); i++) {
        assert_true(allows(&s, false));
        throttle_made(s.record, &s.plan);
        assert_false(allows(&s, false));
        assert_non_null(strstr(s.record->message, "keeps changing recreate back"));
        assert_int_equal(s.record->not_before_ms, s.now_ms + delays_ms[i]);
        s.now_ms += delays_ms[i];
    }
}

static void test_repairs(_unused_ void **state)
{
    for (int disruptive = 0; disruptive < 2; disruptive++) {
        _cleanup_scene_ struct scene s;
        set_up(&s);
        set_plan(&s, "write", "x", disruptive == 1);
        unsigned most = disruptive == 1 ? 3 : 10;
        for (unsigned i = 0; i < most; i++) {
            assert_true(allows(&s, true));
            throttle_made(s.record, &s.plan);
            throttle_settled(s.record);
        }
        assert_false(allows(&s, true));
        assert_int_equal(s.record->reason, REASON_CONTENDED);
        assert_true(s.record->may_pass);
        assert_string_equal(s.record->message, "something else keeps changing x back; stop it, or "
                                               "declare what it wants");
        uint64_t delay_ms = disruptive == 1 ? 60000 : 500;
        assert_int_equal(s.record->not_before_ms, START_MS + delay_ms);
        s.now_ms += delay_ms;
        assert_true(allows(&s, false)); // it was not Ready meanwhile
        throttle_made(s.record, &s.plan);
        throttle_settled(s.record);
        s.now_ms += 24 * 3600 * 1000;
        assert_true(allows(&s, true));
    }
}

static void test_a_bucket_empties(_unused_ void **state)
{
    _cleanup_scene_ struct scene s;
    set_up(&s);
    for (int i = 0; i < 10; i++) {
        assert_true(allows(&s, true));
    }
    s.now_ms += 4999;
    assert_int_equal(s.record->repairs, 10);
    s.now_ms += 1;
    assert_true(allows(&s, true)); // one was taken out
    s.now_ms += 4999;
    assert_false(allows(&s, true));
}

static void test_rejected(_unused_ void **state)
{
    _cleanup_scene_ struct scene s;
    set_up(&s);
    throttle_rejected(s.record, "digest", REASON_PORT_IN_USE, "taken", s.now_ms, MIDDLE);
    assert_true(record_rejects(&s.records, "a", "digest", s.now_ms));
    assert_false(record_rejects(&s.records, "a", "another", s.now_ms));
    assert_false(record_rejects(&s.records, "b", "digest", s.now_ms));
    assert_false(s.record->may_pass);
    assert_int_equal(s.record->failures, 1);
    assert_true(allows(&s, false)); // what stood there before may come back
    s.now_ms += 5 * 60 * 1000 - 1;
    assert_true(record_rejects(&s.records, "a", "digest", s.now_ms));
    s.now_ms++;
    assert_false(record_rejects(&s.records, "a", "digest", s.now_ms));
    throttle_rejected(s.record, "digest", REASON_PORT_IN_USE, "taken", s.now_ms, MIDDLE);
    assert_true(record_rejects(&s.records, "a", "digest", s.now_ms + 10 * 60 * 1000 - 1));
    assert_false(record_rejects(&s.records, "a", "digest", s.now_ms + 10 * 60 * 1000));
    throttle_hurry(&s.records);
    assert_false(record_rejects(&s.records, "a", "digest", s.now_ms));
    throttle_rejected(s.record, "digest", REASON_PORT_IN_USE, "taken", s.now_ms, MIDDLE);
    throttle_settled(s.record);
    assert_false(record_rejects(&s.records, "a", "digest", s.now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_what_was_made_does_not_hold),
        cmocka_unit_test(test_steps_that_are_remembered),
        cmocka_unit_test(test_disruption),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_a_bucket_empties),
        cmocka_unit_test(test_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
