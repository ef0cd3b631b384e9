// Every allocation of writing the status fails: the document is whole, or there was no memory.
#include "tests/support/alloc_cases.h"

#include "lib/reconcile/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define JSON_MAX (64u * 1024u)

static char container[] = "container/hostk8s-registry";
static char service[] = "kube/hostk8s/Service/hostk8s/registry-api";
static char cluster[] = "hostk8s";
static char nothing[] = "";
static char message[] = "Service registry-api in namespace hostk8s is not managed by this program";

static const struct condition conditions[] = {
    {.resource = container, .ready = READY_TRUE, .reason = REASON_CONVERGED, .message = nothing},
    {.resource = service,
     .cluster = cluster,
     .ready = READY_FALSE,
     .reason = REASON_NAME_CONFLICT,
     .message = message},
};

// A condition that found no memory leaves the status as it was.
static int set_all(void *ctx)
{
    struct status *status = ctx;
    int result = 0;
    for (size_t i = 0; i < ELEMENTS(conditions); i++) {
        bool changed = false;
        struct condition before = {0};
        size_t count = status->count;
        int r = status_set(status, &conditions[i], 1767225600, &changed, &before);
        assert_int_equal(status->count, r == 0 ? count + 1 : count);
        condition_done(&before);
        result = r < 0 ? r : result;
    }
    status_done(status);
    return result;
}

static void test_set(void **state)
{
    (void)state;
    struct status status = {0};
    print_message("%llu allocations failed\n",
                  (unsigned long long)alloc_fail_each(set_all, &status, 0));
}

struct writing {
    const struct status *status;
    const char *expected;
};

static int write_once(void *ctx)
{
    const struct writing *writing = ctx;
    _cleanup_buf_ struct buf json = BUF_INIT(JSON_MAX);
    int r = status_to_json(writing->status, 7, "/home/user/registryd.yaml", &json);
    if (r == 0) {
        assert_string_equal(buf_str(&json), writing->expected);
    }
    return r;
}

static void test_write(void **state)
{
    (void)state;
    struct status status = {.passes = 3, .pass_ms = 24, .pass_cpu_us = 5100};
    for (size_t i = 0; i < ELEMENTS(conditions); i++) {
        bool changed = false;
        struct condition before = {0};
        assert_int_equal(status_set(&status, &conditions[i], 1767225600, &changed, &before), 0);
    }
    struct buf expected = BUF_INIT(JSON_MAX);
    assert_int_equal(status_to_json(&status, 7, "/home/user/registryd.yaml", &expected), 0);
    print_message("%llu allocations failed\n",
                  (unsigned long long)alloc_fail_each(
                      write_once, &(struct writing){&status, buf_str(&expected)}, 0));
    buf_done(&expected);
    status_done(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
