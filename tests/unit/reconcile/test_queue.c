#include "lib/reconcile/queue.h"

#include "lib/base/cleanup.h"
#include "tests/support/unit.h"

#define MIDDLE 20 // a random number in the middle of the jitter: delays are exact
#define ITEMS 6

static const struct backoff backoff = {.initial_ms = 500, .max_ms = 60000};

// A queue and the items that it knows.
struct scene {
    struct queue queue;
    struct queue_item items[ITEMS];
};

static void set_up(struct scene *scene, size_t slots, uint64_t slot_timeout_ms)
{
    queue_init(&scene->queue, &backoff, slots, slot_timeout_ms);
    for (size_t i = 0; i < ITEMS; i++) {
        queue_join(&scene->items[i]);
    }
}

static void takes(struct scene *scene, uint64_t now_ms, const struct queue_item *expected)
{
    assert_ptr_equal(queue_take(&scene->queue, now_ms), expected);
}

static void is_due(const struct scene *scene, uint64_t expected_ms)
{
    assert_int_equal(queue_next_due(&scene->queue), expected_ms);
}

static void done(struct scene *scene, struct queue_item *item, enum queue_outcome outcome,
                 uint64_t now_ms)
{
    queue_done(&scene->queue, item, outcome, 0, now_ms, MIDDLE);
}

static void test_take_order(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    is_due(&s, QUEUE_NEVER);
    takes(&s, 1000, NULL);
    queue_add(&s.queue, &s.items[0], 300);
    queue_add(&s.queue, &s.items[1], 100);
    queue_add(&s.queue, &s.items[2], 200);
    is_due(&s, 100);
    takes(&s, 99, NULL);
    is_due(&s, 100);
    takes(&s, 250, &s.items[1]);
    takes(&s, 250, &s.items[2]);
    takes(&s, 250, NULL);
    is_due(&s, 300);
    queue_add(&s.queue, &s.items[3], 0);
    is_due(&s, 0);
    takes(&s, 300, &s.items[3]);
    takes(&s, 300, &s.items[0]);
    is_due(&s, QUEUE_NEVER);
    queue_add(&s.queue, &s.items[4], 300); // of the same time the first one that was added
    queue_add(&s.queue, &s.items[5], 300);
    takes(&s, 300, &s.items[4]);
    takes(&s, 300, &s.items[5]);
    assert_int_equal(s.queue.processing, 6);
}

static void test_an_earlier_time_stands(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    queue_add(&s.queue, &s.items[0], 500);
    queue_add(&s.queue, &s.items[0], 700);
    is_due(&s, 500);
    queue_add(&s.queue, &s.items[0], 400);
    is_due(&s, 400);
    queue_add(&s.queue, &s.items[0], 0);
    queue_add(&s.queue, &s.items[0], 600);
    is_due(&s, 0);
    takes(&s, 1, &s.items[0]);
    is_due(&s, QUEUE_NEVER);
    takes(&s, 10000, NULL);
}

// An item that is added while it is processed is processed once more afterwards, never twice at
// once.
static void test_added_while_processed(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    queue_add(&s.queue, &s.items[0], 0);
    takes(&s, 0, &s.items[0]);
    queue_add(&s.queue, &s.items[0], 50);
    is_due(&s, QUEUE_NEVER);
    takes(&s, 100, NULL);
    done(&s, &s.items[0], QUEUE_OK, 10);
    is_due(&s, 50);
    takes(&s, 50, &s.items[0]);
    queue_add(&s.queue, &s.items[0], 0);
    done(&s, &s.items[0], QUEUE_RETRY, 60); // an event overrides the back-off
    is_due(&s, 0);
    assert_int_equal(s.items[0].failures, 1);
}

static void test_back_off(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    uint64_t now_ms = 1000;
    queue_add(&s.queue, &s.items[0], 0);
    for (uint64_t delay_ms = 500; delay_ms <= 4000; delay_ms *= 2) {
        takes(&s, now_ms, &s.items[0]);
        done(&s, &s.items[0], QUEUE_RETRY, now_ms);
        is_due(&s, now_ms + delay_ms);
        now_ms += delay_ms;
    }
    takes(&s, now_ms, &s.items[0]);
    queue_done(&s.queue, &s.items[0], QUEUE_RETRY, 30000, now_ms, MIDDLE); // the peer wants more
    is_due(&s, now_ms + 30000);
    now_ms += 30000;
    takes(&s, now_ms, &s.items[0]);
    done(&s, &s.items[0], QUEUE_OK, now_ms);
    assert_int_equal(s.items[0].failures, 0);
    is_due(&s, QUEUE_NEVER);
}

static void test_cancelled_is_due_again(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    queue_add(&s.queue, &s.items[0], 70);
    takes(&s, 80, &s.items[0]);
    done(&s, &s.items[0], QUEUE_CANCELLED, 90);
    is_due(&s, 90);
    assert_int_equal(s.items[0].failures, 0);
    takes(&s, 90, &s.items[0]);
}

static void test_slots(_unused_ void **state)
{
    struct scene s;
    set_up(&s, 2, QUEUE_NEVER);
    for (size_t i = 0; i < ITEMS; i++) {
        queue_add(&s.queue, &s.items[i], 0);
    }
    takes(&s, 10, &s.items[0]);
    takes(&s, 10, &s.items[1]);
    takes(&s, 10, NULL);
    is_due(&s, QUEUE_NEVER); // time alone does not help
    done(&s, &s.items[1], QUEUE_OK, 20);
    is_due(&s, 0);
    takes(&s, 20, &s.items[2]);
    takes(&s, 20, NULL);
    assert_int_equal(s.queue.slots_held, 2);
}

static void test_slot_timeout(_unused_ void **state)
{
    struct scene s;
    set_up(&s, 1, 500);
    queue_add(&s.queue, &s.items[0], 0);
    queue_add(&s.queue, &s.items[1], 0);
    takes(&s, 100, &s.items[0]);
    is_due(&s, 600);
    assert_null(queue_take_slot(&s.queue, 599));
    assert_ptr_equal(queue_take_slot(&s.queue, 600), &s.items[0]);
    assert_null(queue_take_slot(&s.queue, 600));
    assert_true(s.items[0].processing);
    takes(&s, 600, &s.items[1]);
    done(&s, &s.items[0], QUEUE_OK, 700); // its slot is another's by now
    takes(&s, 700, NULL);
    assert_int_equal(s.queue.slots_held, 1);
    assert_int_equal(s.queue.processing, 1);
}

static void test_reset(_unused_ void **state)
{
    struct scene s;
    set_up(&s, ITEMS, QUEUE_NEVER);
    queue_add(&s.queue, &s.items[0], 0);
    takes(&s, 0, &s.items[0]);
    done(&s, &s.items[0], QUEUE_RETRY, 0);
    queue_add(&s.queue, &s.items[1], 0);
    queue_reset(&s.queue, &s.items[0]);
    queue_reset(&s.queue, &s.items[1]);
    assert_int_equal(s.items[0].failures, 0);
    takes(&s, 100000, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_order),
        cmocka_unit_test(test_an_earlier_time_stands),
        cmocka_unit_test(test_added_while_processed),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_cancelled_is_due_again),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_slot_timeout),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
