#include "lib/reconcile/status.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define _cleanup_status_ _cleanup_(status_done)
#define TEXT_MAX 4096

static bool set_one(struct status *status, const char *resource, enum ready ready,
                    enum reason reason, const char *message, int64_t now_s,
                    struct status_before *ret_before)
{
    // Of the test's own memory: the status may keep none of it.
    _cleanup_free_ char *own_resource = str_dup(resource);
    _cleanup_free_ char *own_message = str_dup(message);
    const struct condition condition = {
        .resource = own_resource, .ready = ready, .reason = reason, .message = own_message};
    return status_set(status, &condition, now_s, ret_before);
}

static void set_ready(struct status *status, const char *resource)
{
    struct status_before before;
    assert_true(set_one(status, resource, READY_TRUE, REASON_CONVERGED, "", 1000, &before));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "container/hostk8s-registry",  "network/kind/hostk8s-registry",
        "node/hostk8s-control-plane",  "node/hostk8s-worker",
        "kube/a/Namespace/hostk8s",    "kube/hostk8s/ConfigMap/kube-public/local-registry-hosting",
        "route/http://localhost:8080", "other/x",
    };
    _cleanup_status_ struct status status = {0};
    for (size_t i = ELEMENTS(sorted); i-- > 0;) {
        set_ready(&status, sorted[i]);
    }
    assert_int_equal(status.count, ELEMENTS(sorted));
    for (size_t i = 0; i < ELEMENTS(sorted); i++) {
        assert_string_equal(status.entries[i].condition.resource, sorted[i]);
        assert_ptr_equal(status_get(&status, sorted[i]), &status.entries[i].condition);
    }
    assert_true(status_remove(&status, "node/hostk8s-worker"));
    assert_false(status_remove(&status, "node/hostk8s-worker"));
    assert_null(status_get(&status, "node/hostk8s-worker"));
    assert_int_equal(status.count, ELEMENTS(sorted) - 1);
    assert_int_equal(status.ready, ELEMENTS(sorted) - 1);
    assert_non_null(status_get(&status, "other/x"));
    assert_non_null(status_get(&status, "container/hostk8s-registry"));
}

static void test_change_and_since(void **state)
{
    (void)state;
    static const struct {
        enum ready ready;
        enum reason reason;
        const char *message;
        bool changed;
        int64_t since_s; // set at 100, 200, …
    } steps[] = {
        {READY_FALSE, REASON_ERROR, "one", true, 100},
        {READY_FALSE, REASON_ERROR, "one", false, 100},
        {READY_FALSE, REASON_ERROR, "two", true, 100}, // another wording of the same
        {READY_UNKNOWN, REASON_ERROR, "two", true, 400},
        {READY_UNKNOWN, REASON_FORBIDDEN, "two", true, 500},
        {READY_TRUE, REASON_CONVERGED, "", true, 600},
    };
    _cleanup_status_ struct status status = {0};
    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        struct status_before before = {0};
        assert_int_equal(set_one(&status, "node/a", steps[i].ready, steps[i].reason,
                                 steps[i].message, 100 * (int64_t)(i + 1), &before),
                         steps[i].changed);
        assert_int_equal(status.entries[0].since_s, steps[i].since_s);
        assert_string_equal(status.entries[0].condition.message, steps[i].message);
        assert_int_equal(status.ready, steps[i].ready == READY_TRUE);
        if (steps[i].changed) {
            assert_int_equal(before.known, i > 0);
        }
        if (steps[i].changed && i > 0) {
            assert_int_equal(before.ready, steps[i - 1].ready);
            assert_int_equal(before.reason, steps[i - 1].reason);
        }
    }
}

static void line_is(const struct status *status, const char *expected)
{
    char line[128];
    status_line(status, line, sizeof(line));
    assert_string_equal(line, expected);
}

static void test_line(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    struct status_before before;
    line_is(&status, "0/0 ready");
    set_ready(&status, "container/r");
    set_ready(&status, "node/b");
    line_is(&status, "2/2 ready");
    (void)set_one(&status, "node/b", READY_FALSE, REASON_NODE_NOT_RUNNING, "x", 1, &before);
    (void)set_one(&status, "node/c", READY_UNKNOWN, REASON_ERROR, "x", 1, &before);
    line_is(&status, "1/3 ready: node/b NodeNotRunning");
    (void)set_one(&status, "node/a\n\x01", READY_UNKNOWN, REASON_ERROR, "x", 1, &before);
    line_is(&status, "1/4 ready: node/a ? Error");
    assert_true(status_remove(&status, "node/b"));
    assert_int_equal(status.ready, 1);
}

static void test_json(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {.passes = 12, .pass_ms = 34, .pass_cpu_us = 1500};
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    struct status_before before;
    assert_int_equal(status_print_json(&status, 4711, "/a\xff", &text), 0);
    assert_string_equal(
        buf_str(&text),
        "{\"version\": \"" PROGRAM_VERSION "\", \"pid\": 4711, \"config\": \"/a?\", \"ready\": 0, "
        "\"total\": 0, \"summary\": \"0/0 ready\", \"pass\": {\"count\": 12, \"lastMs\": 34, "
        "\"lastCpuMs\": 1.5}, \"resources\": [\n]}\n");

    set_ready(&status, "container/r");
    const struct condition kube = {.resource = "kube/a/Namespace/x",
                                   .cluster = "a",
                                   .ready = READY_FALSE,
                                   .reason = REASON_FORBIDDEN,
                                   .message = "no"};
    (void)status_set(&status, &kube, 1700000000, &before);
    buf_truncate(&text, 0);
    assert_int_equal(status_print_json(&status, 1, "/c", &text), 0);
    const char *resources = strstr(buf_str(&text), "\"resources\"");
    assert_string_equal(
        resources,
        "\"resources\": [\n"
        "{\"resource\": \"container/r\", \"ready\": \"True\", \"reason\": \"Converged\", "
        "\"since\": \"1970-01-01T00:16:40Z\", \"message\": \"\"},\n"
        "{\"resource\": \"kube/a/Namespace/x\", \"ready\": \"False\", \"reason\": \"Forbidden\", "
        "\"since\": \"2023-11-14T22:13:20Z\", \"message\": \"no\", \"cluster\": \"a\"}\n"
        "]}\n");

    struct buf small = BUF_INIT(64);
    assert_int_equal(status_print_json(&status, 1, "/c", &small), -EFBIG);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_change_and_since),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
