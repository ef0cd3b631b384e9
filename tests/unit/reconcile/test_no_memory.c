// Out of memory in the queue and in the status: what could not be added is not there, and what was
// there is as it was.
#include "lib/base/str.h"
#include "lib/reconcile/queue.h"
#include "lib/reconcile/status.h"
#include "tests/support/no_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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
    assert_in_range(fail_each_allocation(fill_queue, NULL), 4, 20);
}

static int set(struct status *status, const char *resource, enum ready ready, const char *message)
{
    static char cluster[] = "hostk8s";
    char resource_copy[32];
    char message_copy[32];
    (void)snprintf(resource_copy, sizeof(resource_copy), "%s", resource);
    (void)snprintf(message_copy, sizeof(message_copy), "%s", message);
    const struct condition condition = {
        .resource = resource_copy,
        .cluster = cluster,
        .ready = ready,
        .reason = REASON_CONVERGING,
        .message = message_copy,
    };
    bool changed = false;
    struct condition before = {0};
    int r = status_set(status, &condition, 1, &changed, &before);
    assert_int_equal(changed, r == 0);
    condition_done(&before);
    return r;
}

static int fill_status(void *ctx)
{
    (void)ctx;
    _cleanup_(status_done) struct status status = {0};
    int r = set(&status, "node/a", READY_FALSE, "waits");
    if (r == 0) {
        r = set(&status, "node/a", READY_TRUE, "is there");
        assert_string_equal(status_get(&status, "node/a")->condition.message,
                            r < 0 ? "waits" : "is there");
    }
    if (r == 0) {
        r = set(&status, "node/b", READY_TRUE, "is there");
        assert_int_equal(status.count, r < 0 ? 1 : 2);
    }
    FILE *stream = fopen("/dev/null", "we");
    assert_non_null(stream);
    if (r == 0) {
        r = status_write_json(&status, 1, "/etc/x.yaml", stream);
    }
    (void)fclose(stream);
    return r;
}

static void status(void **state)
{
    (void)state;
    assert_in_range(fail_each_allocation(fill_status, NULL), 9, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue),
        cmocka_unit_test(status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
