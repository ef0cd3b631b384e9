#include "lib/reconcile/status.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

#define _cleanup_status_ _cleanup_(status_done)
#define TEXT_MAX 4096

static enum status_change set_one(struct status *status, const char *resource, enum ready ready,
                                  enum reason reason, const char *message, int64_t now_s)
{
    // Of the test's own memory: the status may keep none of it.
    _cleanup_free_ char *own_resource = str_dup(resource);
    _cleanup_free_ char *own_message = str_dup(message);
    const struct condition condition = {
        .resource = own_resource, .ready = ready, .reason = reason, .message = own_message};
    return status_set(status, &condition, now_s, 0);
}

static void set_ready(struct status *status, const char *resource)
{
    assert_int_equal(set_one(status, resource, READY_TRUE, REASON_CONVERGED, "", 1000),
                     STATUS_MOVED);
}

static void test_order(_unused_ void **state)
{
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

static void test_change_and_since(_unused_ void **state)
{
    static const struct {
        enum ready ready;
        enum reason reason;
        const char *message;
        enum status_change change;
        int64_t since_s; // set at 100, 200, …
    } steps[] = {
        {READY_FALSE, REASON_ERROR, "one", STATUS_MOVED, 100},
        {READY_FALSE, REASON_ERROR, "one", STATUS_SAME, 100},
        {READY_FALSE, REASON_ERROR, "two", STATUS_REWORDED, 100},
        {READY_UNKNOWN, REASON_ERROR, "two", STATUS_MOVED, 400},
        {READY_UNKNOWN, REASON_FORBIDDEN, "two", STATUS_MOVED, 500},
        {READY_TRUE, REASON_CONVERGED, "", STATUS_MOVED, 600},
    };
    _cleanup_status_ struct status status = {0};
    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        assert_int_equal(set_one(&status, "node/a", steps[i].ready, steps[i].reason,
                                 steps[i].message, 100 * (int64_t)(i + 1)),
                         steps[i].change);
        assert_int_equal(status.entries[0].since_s, steps[i].since_s);
        assert_string_equal(status.entries[0].condition.message, steps[i].message);
        assert_int_equal(status.ready, steps[i].ready == READY_TRUE);
    }
}

static void line_is(const struct status *status, const char *expected)
{
    char line[128];
    status_line(status, line, sizeof(line));
    assert_string_equal(line, expected);
}

static void test_line(_unused_ void **state)
{
    _cleanup_status_ struct status status = {0};
    line_is(&status, "0/0 ready");
    set_ready(&status, "container/r");
    set_ready(&status, "node/b");
    line_is(&status, "2/2 ready");
    (void)set_one(&status, "node/b", READY_FALSE, REASON_NODE_NOT_RUNNING, "x", 1);
    (void)set_one(&status, "node/c", READY_UNKNOWN, REASON_ERROR, "x", 1);
    line_is(&status, "1/3 ready: node/b NodeNotRunning");
    (void)set_one(&status, "node/a\n\x01", READY_UNKNOWN, REASON_ERROR, "x", 1);
    line_is(&status, "1/4 ready: node/a ? Error");
    assert_true(status_remove(&status, "node/b"));
    assert_int_equal(status.ready, 1);
}

static void test_json(_unused_ void **state)
{
    _cleanup_status_ struct status status = {.passes = 12, .pass_ms = 34, .pass_cpu_us = 1500};
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    assert_int_equal(status_print_json(&status, 4711, "/a\xff", NULL, &text), 0);
    assert_string_equal(
        buf_str(&text),
        "{\"version\": \"" PROGRAM_VERSION
        "\", \"pid\": 4711, \"config\": \"/a?\", \"storage\": [], \"ready\": "
        "0, \"total\": 0, \"summary\": \"0/0 ready\", \"pass\": {\"count\": 12, \"lastMs\": 34, "
        "\"lastCpuMs\": 1.5}, \"resources\": [\n]}\n");

    set_ready(&status, "container/r");
    const struct condition kube = {.resource = "kube/a/Namespace/x",
                                   .cluster = "a",
                                   .ready = READY_FALSE,
                                   .reason = REASON_FORBIDDEN,
                                   .message = "no"};
    (void)status_set(&status, &kube, 1700000000, 0);
    buf_truncate(&text, 0);
    assert_int_equal(status_print_json(&status, 1, "/c", "registry:2: 1.5 MB", &text), 0);
    assert_non_null(strstr(buf_str(&text), ", \"progress\": \"registry:2: 1.5 MB\", "));
    const char *resources = strstr(buf_str(&text), "\"resources\"");
    assert_string_equal(
        resources,
        "\"resources\": [\n"
        "{\"resource\": \"container/r\", \"ready\": \"True\", \"reason\": \"Converged\", "
        "\"since\": \"1970-01-01T00:16:40Z\", \"message\": \"\"},\n"
        "{\"resource\": \"kube/a/Namespace/x\", \"ready\": \"False\", \"reason\": \"Forbidden\", "
        "\"since\": \"2023-11-14T22:13:20Z\", \"message\": \"no\", \"cluster\": \"a\"}\n"
        "]}\n");

    struct engine_storage storage = {"container/r", "/srv/r", 1, 2};
    const struct engine engine = {.storages = &storage,
                                  .storage_count = 1,
                                  .about = {.host = "unix:///s",
                                            .origin = "unix:///s, named by docker.host",
                                            .product = "Podman",
                                            .version = "5.4",
                                            .system = "fedora",
                                            .rootless = true,
                                            .selinux = true}};
    status.engine = &engine;
    buf_truncate(&text, 0);
    assert_int_equal(status_print_json(&status, 1, "/c", NULL, &text), 0);
    assert_non_null(strstr(
        buf_str(&text),
        "\"engine\": {\"host\": \"unix:///s\", \"declared\": false, \"summary\": \"unix:///s, "
        "named by docker.host; "
        "Podman 5.4 on fedora, rootless, SELinux\", \"product\": \"Podman\", \"version\": \"5.4\", "
        "\"system\": \"fedora\", \"rootless\": true, \"userNamespaces\": false, \"selinux\": "
        "true}, \"storage\": [{\"resource\": \"container/r\", \"path\": \"/srv/r\", \"freeBytes\": "
        "1, \"totalBytes\": 2}], \"ready\""));

    struct buf small = BUF_INIT(64);
    assert_int_equal(status_print_json(&status, 1, "/c", "registry:2: 1.5 MB", &small), -EFBIG);
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
