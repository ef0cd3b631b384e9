// What is said of a cluster that could not be observed, by what the engine has told of it.
#include "lib/base/str.h"
#include "lib/kinds/object/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct action create = {.op = 0};

// The control plane was made a minute ago: what is not there yet may come.
static void test_new_cluster(void **state)
{
    (void)state;
    static const struct {
        const struct action *action;
        enum error_kind kind;
        int code;
        int status;
        bool converges;
    } cases[] = {
        {NULL, ERROR_TRANSIENT, EREMOTEIO, 404, true}, // of admin.conf
        {NULL, ERROR_TRANSIENT, ECONNREFUSED, 0, true},
        {NULL, ERROR_TRANSIENT, EREMOTEIO, 503, true},
        {NULL, ERROR_PERMANENT, EREMOTEIO, 403, true},
        {NULL, ERROR_PERMANENT, EREMOTEIO, 422, false},
        {NULL, ERROR_TRANSIENT, EMFILE, 0, false},
        {&create, ERROR_TRANSIENT, EREMOTEIO, 503, false},
    };
    struct engine_node node = {
        .cluster = "dev", .role = NODE_CONTROL_PLANE, .running = true, .created_s = 1000};
    struct engine engine = {.nodes = &node, .node_count = 1};
    const struct input input = {.name = "dev", .engine = &engine};
    for (size_t i = 0; i < 2 * ELEMENTS(cases); i++) {
        char message[600];
        struct error error = {0};
        bool is_old = i >= ELEMENTS(cases);
        size_t row = i % ELEMENTS(cases);
        engine.now_s = is_old ? 2000 : 1060;
        (void)error_set(&error, cases[row].kind, cases[row].code, "it failed");
        error.status = cases[row].status;
        enum reason reason =
            object_explain(&input, cases[row].action, &error, message, sizeof(message));
        bool converges = cases[row].converges && !is_old;
        assert_int_equal(reason == REASON_CONVERGING, converges);
        assert_int_equal(
            str_equal(message, "cluster dev is being made; its API server does not answer yet"),
            converges);
    }
}

static void test_desktop(void **state)
{
    (void)state;
    const struct input input = {.name = "desktop"};
    struct error error = {0};
    char message[600];
    (void)error_set(&error, ERROR_PERMANENT, ENOENT, "no kind cluster desktop on this engine");
    assert_int_equal(object_explain(&input, NULL, &error, message, sizeof(message)),
                     REASON_CLUSTER_NOT_FOUND);
    assert_string_equal(message, "no kind cluster desktop on this engine; turn on Kubernetes by "
                                 "kind, and Show system containers, in Docker Desktop's settings, "
                                 "or change clusters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_cluster),
        cmocka_unit_test(test_desktop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
