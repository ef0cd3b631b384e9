// Out of memory in the queue: what could not join is not there, and what joined comes as ever.
#include "lib/reconcile/queue.h"
#include "tests/support/alloc_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ITEMS 20 // more than the queue makes room for at first

static int fill_queue(void *ctx)
{
    static const struct backoff backoff = {.initial_ms = 1, .max_ms = 1};
    static const struct queue_limits limits = {.places = ITEMS, .patience_ms = QUEUE_NEVER};
    (void)ctx;
    struct queue_item items[ITEMS] = {0};
    struct queue *queue = NULL;
    size_t joined = 0;
    int r = queue_new(&backoff, &limits, &queue);
    while (r == 0 && joined < ITEMS) {
        r = queue_join(queue, &items[joined]);
        joined += r == 0;
    }
    for (size_t i = 0; i < joined; i++) {
        queue_add(queue, &items[i]);
    }
    for (size_t i = 0; i < joined; i++) {
        assert_ptr_equal(queue_take(queue, 0), &items[i]);
        queue_done(queue, &items[i], QUEUE_OK, 0, 0, 0);
    }
    queue_free(queue);
    return r;
}

static void queue(void **state)
{
    (void)state;
    assert_in_range(alloc_fail_each(fill_queue, NULL, 0), 4, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
