#include "lib/reconcile/queue.h"

#include "lib/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MIDDLE 20 // a random number in the middle of the jitter: delays are exact
#define ITEMS 4

// A queue and the items that it knows.
struct scene {
    struct queue *queue;
    struct queue_item items[ITEMS];
};

static void scene_done(struct scene *scene)
{
    queue_free(scene->queue);
}
#define _cleanup_scene_ _cleanup_(scene_done)

static void set_up(struct scene *scene, size_t places, uint64_t patience_ms)
{
    const struct backoff backoff = {.initial_ms = 500, .max_ms = 60000};
    const struct queue_limits limits = {places, patience_ms};
    *scene = (struct scene){0};
    assert_int_equal(queue_new(&backoff, &limits, &scene->queue), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(queue_join(scene->queue, &scene->items[i]), 0);
    }
}

static void takes(struct scene *scene, uint64_t now_ms, const struct queue_item *expected)
{
    assert_ptr_equal(queue_take(scene->queue, now_ms), expected);
}

static void is_due(const struct scene *scene, uint64_t expected_ms)
{
    uint64_t due_ms = 0;
    assert_true(queue_next_due(scene->queue, &due_ms));
    assert_int_equal(due_ms, expected_ms);
}

static void nothing_due(const struct scene *scene)
{
    uint64_t due_ms = 0;
    assert_false(queue_next_due(scene->queue, &due_ms));
}

static void done(struct scene *scene, struct queue_item *item, enum queue_outcome outcome,
                 uint64_t now_ms)
{
    queue_done(scene->queue, item, outcome, 0, now_ms, MIDDLE);
}

static void test_take_order(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *late = &scene.items[0];
    struct queue_item *early = &scene.items[1];
    struct queue_item *middle = &scene.items[2];
    struct queue_item *now = &scene.items[3];
    nothing_due(&scene);
    takes(&scene, 1000, NULL);
    queue_add_at(scene.queue, late, 300);
    queue_add_at(scene.queue, early, 100);
    queue_add_at(scene.queue, middle, 200);
    is_due(&scene, 100);
    takes(&scene, 99, NULL);
    takes(&scene, 250, early);
    is_due(&scene, 200);
    takes(&scene, 250, middle);
    takes(&scene, 250, NULL);
    assert_int_equal(queue_processing(scene.queue), 2);
    queue_add(scene.queue, now);
    takes(&scene, 300, now);
    takes(&scene, 300, late);
    nothing_due(&scene);
    for (size_t i = 0; i < ITEMS; i++) {
        done(&scene, &scene.items[i], QUEUE_OK, 300);
    }
    assert_int_equal(queue_processing(scene.queue), 0);
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    queue_add(scene.queue, &scene.items[2]);
    queue_add(scene.queue, &scene.items[0]);
    queue_add(scene.queue, &scene.items[2]);
    takes(&scene, 0, &scene.items[2]);
    takes(&scene, 0, &scene.items[0]);
    done(&scene, &scene.items[2], QUEUE_OK, 0);
    done(&scene, &scene.items[0], QUEUE_OK, 0);
}

static void test_earlier_stands(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    queue_add_at(scene.queue, item, 200);
    queue_add_at(scene.queue, item, 300);
    is_due(&scene, 200);
    queue_add_at(scene.queue, item, 100);
    is_due(&scene, 100);
    queue_add(scene.queue, item);
    is_due(&scene, 0);
}

static void test_add_while_processing(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    queue_add(scene.queue, item);
    takes(&scene, 5, item);
    queue_add_at(scene.queue, item, 9);
    queue_add(scene.queue, item);
    nothing_due(&scene);
    takes(&scene, 5, NULL); // never twice at once
    done(&scene, item, QUEUE_OK, 6);
    takes(&scene, 6, item);
    done(&scene, item, QUEUE_OK, 7);
    takes(&scene, 8, NULL); // many adds, one round
}

static void test_backoff_grows(void **state)
{
    (void)state;
    static const uint64_t delays[] = {500,   1000,  2000,  4000,  8000,
                                      16000, 32000, 60000, 60000, 60000};
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    uint64_t now_ms = 1000;
    queue_add(scene.queue, item);
    for (size_t i = 0; i < ELEMENTS(delays); i++) {
        assert_int_equal(item->failures, i);
        takes(&scene, now_ms, item);
        done(&scene, item, QUEUE_RETRY, now_ms);
        is_due(&scene, now_ms + delays[i]);
        now_ms += delays[i];
    }
    takes(&scene, now_ms, item);
    done(&scene, item, QUEUE_OK, now_ms);
    assert_int_equal(item->failures, 0);
    queue_add(scene.queue, item);
    takes(&scene, now_ms, item);
    done(&scene, item, QUEUE_RETRY, now_ms);
    is_due(&scene, now_ms + 500);
}

static void test_jitter(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 100; random++) {
        _cleanup_scene_ struct scene scene;
        set_up(&scene, ITEMS, QUEUE_NEVER);
        queue_add(scene.queue, &scene.items[0]);
        takes(&scene, 0, &scene.items[0]);
        queue_done(scene.queue, &scene.items[0], QUEUE_RETRY, 0, 0, random);
        uint64_t due_ms = 0;
        assert_true(queue_next_due(scene.queue, &due_ms));
        assert_in_range(due_ms, 400, 600);
    }
}

static void test_retry_after(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    queue_add(scene.queue, item);
    takes(&scene, 100, item);
    queue_done(scene.queue, item, QUEUE_RETRY, 7000, 100, MIDDLE);
    is_due(&scene, 7100);
    queue_add(scene.queue, item); // somebody knows better
    is_due(&scene, 0);
    takes(&scene, 200, item);
    queue_done(scene.queue, item, QUEUE_RETRY, 1, 200, MIDDLE);
    is_due(&scene, 1200);
}

static void test_cancelled(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    queue_add_at(scene.queue, item, 40);
    takes(&scene, 100, item);
    done(&scene, item, QUEUE_CANCELLED, 200);
    is_due(&scene, 40);
    assert_int_equal(item->failures, 0);
    takes(&scene, 300, item);
    queue_add(scene.queue, item);
    done(&scene, item, QUEUE_CANCELLED, 300);
    is_due(&scene, 0);
}

static void test_leave(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    queue_add(scene.queue, &scene.items[0]);
    queue_add_at(scene.queue, &scene.items[1], 50);
    queue_leave(scene.queue, &scene.items[0]);
    is_due(&scene, 50);
    queue_leave(scene.queue, &scene.items[2]); // not dirty
    is_due(&scene, 50);
    queue_leave(scene.queue, &scene.items[1]);
    nothing_due(&scene);
    assert_int_equal(queue_join(scene.queue, &scene.items[0]), 0); // as good as new
    nothing_due(&scene);
    queue_add(scene.queue, &scene.items[0]);
    is_due(&scene, 0);
}

static void test_reset(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    struct queue_item *item = &scene.items[0];
    queue_add(scene.queue, item);
    takes(&scene, 0, item);
    done(&scene, item, QUEUE_RETRY, 0);
    queue_reset(scene.queue, item);
    nothing_due(&scene);
    assert_int_equal(item->failures, 0);
    queue_reset(scene.queue, item); // again: nothing to take out
    queue_add_at(scene.queue, item, 7);
    is_due(&scene, 7);
}

static void test_places(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, 2, QUEUE_NEVER);
    for (size_t i = 0; i < ITEMS; i++) {
        queue_add(scene.queue, &scene.items[i]);
    }
    takes(&scene, 0, &scene.items[0]);
    takes(&scene, 0, &scene.items[1]);
    assert_null(queue_lose_patience(scene.queue, 1000000)); // whoever has a place keeps it
    takes(&scene, 1000000, NULL);
    nothing_due(&scene);
    done(&scene, &scene.items[1], QUEUE_OK, 0);
    is_due(&scene, 0);
    takes(&scene, 0, &scene.items[2]);
    takes(&scene, 0, NULL);
    done(&scene, &scene.items[0], QUEUE_RETRY, 0);
    takes(&scene, 0, &scene.items[3]);
    done(&scene, &scene.items[2], QUEUE_OK, 0);
    done(&scene, &scene.items[3], QUEUE_OK, 0);
    is_due(&scene, 500);
}

static void test_patience(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, 2, 100);
    for (size_t i = 0; i < ITEMS; i++) {
        queue_add(scene.queue, &scene.items[i]);
    }
    takes(&scene, 10, &scene.items[0]);
    takes(&scene, 20, &scene.items[1]);
    is_due(&scene, 110); // when the first has had its time
    assert_null(queue_lose_patience(scene.queue, 109));
    takes(&scene, 109, NULL);
    assert_ptr_equal(queue_lose_patience(scene.queue, 110), &scene.items[0]);
    assert_null(queue_lose_patience(scene.queue, 110));
    is_due(&scene, 0);
    takes(&scene, 110, &scene.items[2]);
    is_due(&scene, 120);

    // Who has no place any more has none to give.
    done(&scene, &scene.items[0], QUEUE_OK, 119);
    takes(&scene, 119, NULL);
    done(&scene, &scene.items[1], QUEUE_OK, 119);
    takes(&scene, 119, &scene.items[3]);
    assert_int_equal(queue_processing(scene.queue), 2);
    is_due(&scene, 210); // also when nobody waits for the place
    assert_ptr_equal(queue_lose_patience(scene.queue, 1000), &scene.items[2]);
    assert_ptr_equal(queue_lose_patience(scene.queue, 1000), &scene.items[3]);
    assert_null(queue_lose_patience(scene.queue, 1000));
    nothing_due(&scene);
    done(&scene, &scene.items[2], QUEUE_OK, 1000);
    done(&scene, &scene.items[3], QUEUE_OK, 1000);
}

static void test_set_backoff(void **state)
{
    (void)state;
    _cleanup_scene_ struct scene scene;
    set_up(&scene, ITEMS, QUEUE_NEVER);
    queue_set_backoff(scene.queue, &(struct backoff){.initial_ms = 10, .max_ms = 10});
    queue_add(scene.queue, &scene.items[0]);
    takes(&scene, 0, &scene.items[0]);
    done(&scene, &scene.items[0], QUEUE_RETRY, 0);
    is_due(&scene, 10);
    queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_order),     cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_earlier_stands), cmocka_unit_test(test_add_while_processing),
        cmocka_unit_test(test_backoff_grows),  cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_retry_after),    cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_leave),          cmocka_unit_test(test_reset),
        cmocka_unit_test(test_places),         cmocka_unit_test(test_patience),
        cmocka_unit_test(test_set_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
