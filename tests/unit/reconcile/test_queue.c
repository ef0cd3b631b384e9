#include "lib/reconcile/queue.h"

#include "lib/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIDDLE 20 // a random number in the middle of the jitter: delays are exact

DEFINE_CLEANUP(struct queue *, queue_free)
#define _cleanup_queue_ _cleanup_(queue_freep)

static struct queue *make(void)
{
    struct queue *queue = NULL;
    assert_int_equal(queue_new(&(struct backoff){.initial_ms = 500, .max_ms = 60000}, &queue), 0);
    return queue;
}

static void takes(struct queue *queue, uint64_t now_ms, const char *expected)
{
    const char *key = NULL;
    bool taken = queue_take(queue, now_ms, &key);
    assert_int_equal(taken, expected != NULL);
    if (taken) {
        assert_string_equal(key, expected);
    }
}

static void is_due(const struct queue *queue, uint64_t expected_ms)
{
    uint64_t due_ms = 0;
    assert_true(queue_next_due(queue, &due_ms));
    assert_int_equal(due_ms, expected_ms);
}

static void nothing_due(const struct queue *queue)
{
    uint64_t due_ms = 0;
    assert_false(queue_next_due(queue, &due_ms));
}

static void test_take_order(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    nothing_due(queue);
    takes(queue, 1000, NULL);
    assert_int_equal(queue_add_at(queue, "late", 300), 0);
    assert_int_equal(queue_add_at(queue, "early", 100), 0);
    assert_int_equal(queue_add_at(queue, "middle", 200), 0);
    is_due(queue, 100);
    takes(queue, 99, NULL);
    takes(queue, 250, "early");
    is_due(queue, 200);
    takes(queue, 250, "middle");
    takes(queue, 250, NULL);
    assert_int_equal(queue_processing(queue), 2);
    assert_int_equal(queue_add(queue, "now"), 0);
    takes(queue, 300, "now");
    takes(queue, 300, "late");
    nothing_due(queue);
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add(queue, "engine"), 0);
    assert_int_equal(queue_add(queue, "cluster/a"), 0);
    takes(queue, 0, "engine");
    takes(queue, 0, "cluster/a");
}

static void test_earlier_stands(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add_at(queue, "a", 200), 0);
    assert_int_equal(queue_add_at(queue, "a", 300), 0);
    is_due(queue, 200);
    assert_int_equal(queue_add_at(queue, "a", 100), 0);
    is_due(queue, 100);
    assert_int_equal(queue_add(queue, "a"), 0);
    is_due(queue, 0);
    assert_int_equal(queue_count(queue), 1);
}

static void test_add_while_processing(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add(queue, "a"), 0);
    takes(queue, 5, "a");
    assert_int_equal(queue_add(queue, "a"), 0);
    assert_int_equal(queue_add(queue, "a"), 0);
    nothing_due(queue);
    takes(queue, 5, NULL); // never twice at once
    queue_done(queue, "a", QUEUE_OK, 0, 6, MIDDLE);
    takes(queue, 6, "a");
    queue_done(queue, "a", QUEUE_OK, 0, 7, MIDDLE);
    takes(queue, 8, NULL); // many adds, one round
    assert_int_equal(queue_count(queue), 1);
}

static void test_backoff_grows(void **state)
{
    (void)state;
    static const uint64_t delays[] = {500,   1000,  2000,  4000,  8000,
                                      16000, 32000, 60000, 60000, 60000};
    _cleanup_queue_ struct queue *queue = make();
    uint64_t now_ms = 1000;
    assert_int_equal(queue_add(queue, "a"), 0);
    for (size_t i = 0; i < ELEMENTS(delays); i++) {
        assert_int_equal(queue_failures(queue, "a"), i);
        takes(queue, now_ms, "a");
        queue_done(queue, "a", QUEUE_RETRY, 0, now_ms, MIDDLE);
        is_due(queue, now_ms + delays[i]);
        now_ms += delays[i];
    }
    takes(queue, now_ms, "a");
    queue_done(queue, "a", QUEUE_OK, 0, now_ms, MIDDLE);
    assert_int_equal(queue_failures(queue, "a"), 0);
    assert_int_equal(queue_add(queue, "a"), 0);
    takes(queue, now_ms, "a");
    queue_done(queue, "a", QUEUE_RETRY, 0, now_ms, MIDDLE);
    is_due(queue, now_ms + 500);
}

static void test_jitter(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 100; random++) {
        _cleanup_queue_ struct queue *queue = make();
        assert_int_equal(queue_add(queue, "a"), 0);
        takes(queue, 0, "a");
        queue_done(queue, "a", QUEUE_RETRY, 0, 0, random);
        uint64_t due_ms = 0;
        assert_true(queue_next_due(queue, &due_ms));
        assert_in_range(due_ms, 400, 600);
    }
}

static void test_retry_after(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add(queue, "a"), 0);
    takes(queue, 100, "a");
    queue_done(queue, "a", QUEUE_RETRY, 7000, 100, MIDDLE);
    is_due(queue, 7100);
    assert_int_equal(queue_add(queue, "a"), 0); // somebody knows better
    is_due(queue, 0);
    takes(queue, 200, "a");
    queue_done(queue, "a", QUEUE_RETRY, 1, 200, MIDDLE);
    is_due(queue, 1200);
}

static void test_cancelled(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add_at(queue, "a", 40), 0);
    takes(queue, 100, "a");
    queue_done(queue, "a", QUEUE_CANCELLED, 0, 200, MIDDLE);
    is_due(queue, 40);
    assert_int_equal(queue_failures(queue, "a"), 0);
    takes(queue, 300, "a");
    assert_int_equal(queue_add(queue, "a"), 0);
    queue_done(queue, "a", QUEUE_CANCELLED, 0, 300, MIDDLE);
    is_due(queue, 0);
}

static void test_remove(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    queue_remove(queue, "a");
    assert_int_equal(queue_add(queue, "a"), 0);
    assert_int_equal(queue_add(queue, "b"), 0);
    queue_remove(queue, "a");
    assert_int_equal(queue_count(queue), 1);
    takes(queue, 0, "b");
    assert_int_equal(queue_add(queue, "b"), 0);
    queue_remove(queue, "b");
    assert_int_equal(queue_processing(queue), 1);
    queue_done(queue, "b", QUEUE_RETRY, 0, 0, MIDDLE);
    assert_int_equal(queue_count(queue), 0);
    assert_int_equal(queue_failures(queue, "b"), 0);
    queue_done(queue, "b", QUEUE_OK, 0, 0, MIDDLE); // unknown: nothing happens
    nothing_due(queue);
}

static void test_removed_and_back(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    assert_int_equal(queue_add(queue, "a"), 0);
    takes(queue, 0, "a");
    queue_remove(queue, "a");
    assert_int_equal(queue_add_at(queue, "a", 70), 0);
    queue_done(queue, "a", QUEUE_OK, 0, 0, MIDDLE);
    is_due(queue, 70);
}

static void test_set_backoff(void **state)
{
    (void)state;
    _cleanup_queue_ struct queue *queue = make();
    queue_set_backoff(queue, &(struct backoff){.initial_ms = 10, .max_ms = 10});
    assert_int_equal(queue_add(queue, "a"), 0);
    takes(queue, 0, "a");
    queue_done(queue, "a", QUEUE_RETRY, 0, 0, MIDDLE);
    is_due(queue, 10);
    assert_int_equal(queue_failures(queue, "none"), 0);
    queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_order),     cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_earlier_stands), cmocka_unit_test(test_add_while_processing),
        cmocka_unit_test(test_backoff_grows),  cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_retry_after),    cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_remove),         cmocka_unit_test(test_removed_and_back),
        cmocka_unit_test(test_set_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
