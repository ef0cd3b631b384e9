// Every allocation of writing the status fails: the document is whole, or there was no memory.
#include "tests/support/alloc_cases.h"

#include "lib/reconcile/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static int set_one(struct status *status, const struct condition *condition)
{
    bool changed = false;
    struct condition before = {0};
    int r = status_set(status, condition, 1767225600, &changed, &before);
    assert_int_equal(changed, r == 0);
    condition_done(&before);
    return r;
}

// A condition that found no memory leaves the status as it was.
static int set_all(void *ctx)
{
    struct status *status = ctx;
    int result = 0;
    for (size_t i = 0; i < ELEMENTS(conditions); i++) {
        size_t count = status->count;
        int r = set_one(status, &conditions[i]);
        assert_int_equal(status->count, r == 0 ? count + 1 : count);
        result = r < 0 ? r : result;
    }
    const struct status_entry *entry = status_get(status, service);
    if (entry != NULL) {
        struct condition ready = conditions[1];
        ready.ready = READY_TRUE;
        ready.message = nothing;
        int r = set_one(status, &ready);
        assert_string_equal(entry->condition.message, r < 0 ? message : nothing);
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
    FILE *stream;
    const char *text;     // what the stream has
    const char *expected; // NULL: not known yet
};

static int write_once(void *ctx)
{
    const struct writing *writing = ctx;
    struct status status = {.passes = 3, .pass_ms = 24, .pass_cpu_us = 5100};
    int r = 0;
    for (size_t i = 0; i < ELEMENTS(conditions) && r == 0; i++) {
        r = set_one(&status, &conditions[i]);
    }
    rewind(writing->stream);
    if (r == 0) {
        r = status_write_json(&status, 7, "/home/user/registryd.yaml", writing->stream);
    }
    if (r == 0 && writing->expected != NULL) {
        assert_string_equal(writing->text, writing->expected);
    }
    status_done(&status);
    return r;
}

static void test_write(void **state)
{
    (void)state;
    static char text[JSON_MAX];
    static char expected[JSON_MAX];
    struct writing writing = {.stream = fmemopen(text, sizeof(text), "w"), .text = text};
    assert_non_null(writing.stream);
    assert_int_equal(write_once(&writing), 0);
    memcpy(expected, text, sizeof(text));
    writing.expected = expected;
    print_message("%llu allocations failed\n",
                  (unsigned long long)alloc_fail_each(write_once, &writing, 0));
    (void)fclose(writing.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
