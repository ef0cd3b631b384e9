#include "lib/reconcile/status.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define _cleanup_status_ _cleanup_(status_done)

static bool set_one(struct status *status, const char *resource, enum ready ready,
                    enum reason reason, const char *message, int64_t now_s,
                    struct condition *ret_before)
{
    char resource_copy[64];
    char message_copy[64];
    (void)snprintf(resource_copy, sizeof(resource_copy), "%s", resource);
    (void)snprintf(message_copy, sizeof(message_copy), "%s", message);
    struct condition before = {0};
    bool changed = false;
    assert_int_equal(status_set(status,
                                &(struct condition){.resource = resource_copy,
                                                    .ready = ready,
                                                    .reason = reason,
                                                    .message = message_copy},
                                now_s, &changed, &before),
                     0);
    if (ret_before != NULL) {
        *ret_before = before;
    } else {
        condition_done(&before);
    }
    return changed;
}

static void set_true(struct status *status, const char *resource)
{
    assert_true(set_one(status, resource, READY_TRUE, REASON_CONVERGED, "", 1000, NULL));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "container/hostk8s-registry",
        "network/kind/hostk8s-registry",
        "node/hostk8s-control-plane",
        "node/hostk8s-worker",
        "kube/a/Namespace/hostk8s",
        "kube/hostk8s/ConfigMap/kube-public/local-registry-hosting",
        "other/x",
    };
    _cleanup_status_ struct status status = {0};
    for (size_t i = ELEMENTS(sorted); i-- > 0;) {
        set_true(&status, sorted[i]);
    }
    assert_int_equal(status.count, ELEMENTS(sorted));
    for (size_t i = 0; i < ELEMENTS(sorted); i++) {
        assert_string_equal(status.entries[i].condition.resource, sorted[i]);
    }
    assert_true(status_remove(&status, "node/hostk8s-worker"));
    assert_false(status_remove(&status, "node/hostk8s-worker"));
    assert_null(status_get(&status, "node/hostk8s-worker"));
    assert_non_null(status_get(&status, "other/x"));
    assert_int_equal(status.count, ELEMENTS(sorted) - 1);
}

static void test_change_and_since(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    struct condition before = {0};
    assert_true(set_one(&status, "node/a", READY_FALSE, REASON_ERROR, "one", 100, &before));
    assert_null(before.resource);
    assert_false(set_one(&status, "node/a", READY_FALSE, REASON_ERROR, "one", 200, &before));

    assert_true(set_one(&status, "node/a", READY_FALSE, REASON_ERROR, "two", 300, &before));
    assert_string_equal(before.message, "one");
    condition_done(&before);
    assert_int_equal(status_get(&status, "node/a")->since_s, 100);

    assert_true(set_one(&status, "node/a", READY_UNKNOWN, REASON_ERROR, "two", 400, &before));
    assert_int_equal(before.ready, READY_FALSE);
    condition_done(&before);
    assert_int_equal(status_get(&status, "node/a")->since_s, 400);

    assert_true(set_one(&status, "node/a", READY_UNKNOWN, REASON_FORBIDDEN, "two", 500, &before));
    assert_int_equal(before.reason, REASON_ERROR);
    condition_done(&before);
    assert_int_equal(status_get(&status, "node/a")->since_s, 500);
}

static void test_message_is_printable(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    assert_true(
        set_one(&status, "node/a", READY_FALSE, REASON_ERROR, "a\nb\x01 \xc3\xa9 \xc3", 1, NULL));
    assert_string_equal(status_get(&status, "node/a")->condition.message, "a b? \xc3\xa9 ?");
}

static void line_one(const struct status *status, const char *expected)
{
    char line[128];
    status_line(status, line, sizeof(line));
    assert_string_equal(line, expected);
}

static void test_line(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    line_one(&status, "0/0 ready");
    set_true(&status, "container/r");
    line_one(&status, "1/1 ready");
    (void)set_one(&status, "node/w", READY_FALSE, REASON_NODE_NOT_RUNNING, "secret", 1, NULL);
    (void)set_one(&status, "kube/c/x", READY_UNKNOWN, REASON_API_UNREACHABLE, "", 1, NULL);
    line_one(&status, "1/3 ready: node/w NodeNotRunning");
    assert_int_equal(status.ready, 1);
    char tiny[8];
    status_line(&status, tiny, sizeof(tiny));
    assert_string_equal(tiny, "1/3 rea");
}

static char *written(struct status *status, const char *config_file)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_equal(status_write_json(status, 42, config_file, stream), 0);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void test_json(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {.passes = 3, .pass_ms = 12, .pass_cpu_us = 1500};
    set_true(&status, "container/r");
    bool changed = false;
    struct condition before = {0};
    char resource[] = "kube/c/Namespace/hostk8s";
    char cluster[] = "c";
    char message[] = "say \"what\"";
    assert_int_equal(status_set(&status,
                                &(struct condition){.resource = resource,
                                                    .cluster = cluster,
                                                    .ready = READY_FALSE,
                                                    .reason = REASON_FORBIDDEN,
                                                    .message = message},
                                1767225600, &changed, &before),
                     0);

    _cleanup_free_ char *text = written(&status, "/etc/a\xff.yaml");
    json_auto_t *json = json_loads(text, 0, NULL);
    json_auto_t *expected = json_pack(
        "{s:s, s:i, s:s, s:i, s:i, s:s, s:{s:i, s:i, s:f}, s:[{s:s, s:s, s:s, s:s, s:s}, {s:s, "
        "s:s, s:s, s:s, s:s, s:s}]}",
        "version", PROGRAM_VERSION, "pid", 42, "config", "/etc/a?.yaml", "ready", 1, "total", 2,
        "summary", "1/2 ready: kube/c/Namespace/hostk8s Forbidden", "pass", "count", 3, "lastMs",
        12, "lastCpuMs", 1.5, "resources", "resource", "container/r", "ready", "True", "reason",
        "Converged", "since", "1970-01-01T00:16:40Z", "message", "", "resource", resource,
        "cluster", "c", "ready", "False", "reason", "Forbidden", "since", "2026-01-01T00:00:00Z",
        "message", message);
    assert_non_null(expected);
    assert_true(json_equal(json, expected));
    assert_true(str_ends_with(text, "\n"));
}

// What is kept of the last writing is what is there.
static void test_json_again(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    set_true(&status, "node/a");
    set_true(&status, "node/b");
    set_true(&status, "node/c");
    free(written(&status, "/c"));
    assert_true(set_one(&status, "node/b", READY_FALSE, REASON_ERROR, "one", 2000, NULL));
    assert_true(status_remove(&status, "node/c"));
    set_true(&status, "node/d");
    _cleanup_free_ char *text = written(&status, "/c");

    _cleanup_status_ struct status fresh = {0};
    set_true(&fresh, "node/a");
    assert_true(set_one(&fresh, "node/b", READY_FALSE, REASON_ERROR, "one", 2000, NULL));
    set_true(&fresh, "node/d");
    _cleanup_free_ char *expected = written(&fresh, "/c");
    assert_string_equal(text, expected);
    assert_int_equal(status.ready, 2);
    assert_int_equal(fresh.ready, 2);
}

// Whatever came, changed and went between two writings.
static void test_json_after_anything(void **state)
{
    (void)state;
    static const char *const messages[] = {"", "x", "some longer message"};
    struct random random = {.state = 1};
    for (int round = 0; round < 200; round++) {
        _cleanup_status_ struct status status = {0};
        _cleanup_status_ struct status fresh = {0};
        for (int step = 0; step < 40; step++) {
            char resource[sizeof("node/00")];
            (void)snprintf(resource, sizeof(resource), "node/%u", random_below(&random, 12));
            const char *message = RANDOM_PICK(&random, messages);
            if (random_chance(&random, 30)) {
                assert_int_equal(status_remove(&status, resource), status_remove(&fresh, resource));
            } else {
                (void)set_one(&status, resource, READY_FALSE, REASON_ERROR, message, step, NULL);
                (void)set_one(&fresh, resource, READY_FALSE, REASON_ERROR, message, step, NULL);
            }
            if (random_chance(&random, 40)) {
                free(written(&status, "/c"));
            }
        }
        _cleanup_free_ char *text = written(&status, "/c");
        _cleanup_free_ char *expected = written(&fresh, "/c");
        assert_string_equal(text, expected);
    }
}

static void test_json_odd(void **state)
{
    (void)state;
    _cleanup_status_ struct status status = {0};
    set_true(&status, "container/r");
    FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    assert_int_equal(status_write_json(&status, 1, "/c", full), -ENOSPC);
    (void)fclose(full);

    set_true(&status, "node/a");
    status.entries[1].since_s = INT64_MAX; // no year that strftime could write
    _cleanup_free_ char *text = written(&status, "/c");
    assert_non_null(strstr(text, "\"since\": \"\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_change_and_since),
        cmocka_unit_test(test_message_is_printable),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_again),
        cmocka_unit_test(test_json_after_anything),
        cmocka_unit_test(test_json_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
