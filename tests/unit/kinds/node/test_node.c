// The kind's row: which keys there are, when they are due, and what is said of a failure.
#include "lib/kinds/node/node.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "tests/support/node_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>

static void on_key(void *ctx, const char *name, const char *cluster)
{
    (void)buf_printf(ctx, "%s of %s\n", name, cluster);
}

static void assert_keys(const struct config *config, const struct engine *engine, bool desired,
                        const char *expected)
{
    _cleanup_buf_ struct buf keys = BUF_INIT(4096);
    node_kind.keys_of(config, engine, desired, on_key, &keys);
    assert_string_equal(buf_str(&keys), expected);
}

static void test_keys(void **state)
{
    struct node_rig *rig = *state;
    struct engine *engine = rig->engine;
    struct engine_node *node = ARENA_GROW(&engine->arena, engine->nodes, engine->node_count);
    *node = (struct engine_node){.name = "kind-worker", .cluster = "kind"};
    assert_keys(rig->config, engine, true, "hostk8s-worker of hostk8s\n");
    assert_keys(rig->config, engine, false, "hostk8s-worker of hostk8s\n");
    sample_set(&rig->config->clusters.items[0], "k*");
    assert_keys(rig->config, engine, true, "kind-worker of kind\n");
    assert_keys(rig->config, NULL, true, "");
    assert_true(node_kind.exists(engine, "kind-worker"));
    assert_false(node_kind.exists(engine, "kind-worker2"));
}

#define NODE(...)                                                                                  \
    {                                                                                              \
        .id = "n1", .name = TEST_NODE, .cluster = "hostk8s", .running = true, .status = "running", \
        ##__VA_ARGS__                                                                              \
    }

static void test_due(void **state)
{
    (void)state;
    struct engine_node node = NODE();
    static const struct {
        struct engine_node node;
        uint64_t due_ms;
    } cases[] = {
        {NODE(.address = "172.18.0.2", .stopped_s = 7), KIND_NEVER},
        {{.id = "n2", .name = TEST_NODE, .running = true, .status = "running"}, 0},
        {{.id = "n1", .name = TEST_NODE, .running = false, .status = "running"}, 0},
        {{.id = "n1", .name = TEST_NODE, .running = true, .status = "paused"}, 0},
        {{.name = "another"}, 0},
    };
    struct engine before = {.nodes = &node, .node_count = 1};
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct engine_node other = cases[i].node;
        struct engine after = {.nodes = &other, .node_count = 1};
        assert_true(node_kind.due_in(&before, &after, TEST_NODE) == cases[i].due_ms);
        assert_true(node_kind.due_in(&after, &before, TEST_NODE) == cases[i].due_ms);
        assert_true(node_kind.due_in(&before, &after, "z") == KIND_NEVER);
    }
}

static void test_resources(void **state)
{
    struct node_rig *rig = *state;
    struct plan plan = {0};
    const struct condition condition = {
        .cluster = "hostk8s",
        .ready = READY_UNKNOWN,
        .reason = REASON_ENGINE_UNREACHABLE,
        .message = "100% gone",
    };
    node_kind.resources(&rig->input, &condition, &plan);
    assert_node_plan(&plan, "node/hostk8s-worker Unknown EngineUnreachable: 100% gone\n");
    plan_done(&plan);
}

#define MOVING "the node is just starting, or going; it is looked at again"
#define START "the node is not running; start it with `docker start hostk8s-worker`"
#define DESKTOP "the node is not running; start Kubernetes in Docker Desktop's settings"

static const struct {
    enum error_kind kind;
    int code;
    int status;
    struct engine_node node; // at second 100
    enum reason reason;
    const char *message;
} failures[] = {
    // It is not running, since when; another answer than the engine's list has led to expect.
    {ERROR_CONFLICT,
     EHOSTDOWN,
     0,
     {.name = TEST_NODE, .cluster = "a", .stopped_s = 90},
     REASON_NODE_NOT_RUNNING,
     START},
    {ERROR_CONFLICT,
     EHOSTDOWN,
     0,
     {.name = TEST_NODE, .cluster = "a"},
     REASON_NODE_NOT_RUNNING,
     START},
    {ERROR_CONFLICT,
     EHOSTDOWN,
     0,
     {.name = TEST_NODE, .cluster = "a", .stopped_s = 99},
     REASON_CONVERGING,
     MOVING},
    {ERROR_CONFLICT,
     EHOSTDOWN,
     0,
     {.name = TEST_NODE, .cluster = "a", .created_s = 100},
     REASON_CONVERGING,
     MOVING},
    {ERROR_CONFLICT, EIO, 404, NODE(), REASON_CONVERGING, MOVING},
    {ERROR_CONFLICT, EHOSTDOWN, 0, {.name = "another"}, REASON_CONVERGING, MOVING},
    {ERROR_CONFLICT,
     EHOSTDOWN,
     0,
     {.name = TEST_NODE, .cluster = "desktop"},
     REASON_NODE_NOT_RUNNING,
     DESKTOP},
    {ERROR_PERMANENT, EIO, 403, NODE(), REASON_PERMISSION_DENIED,
     "why; let docker.host's engine allow the request"},
    {ERROR_TRANSIENT, ECONNREFUSED, 0, NODE(), REASON_ENGINE_UNREACHABLE,
     "why; start the Docker Engine or change docker.host"},
    {ERROR_TRANSIENT, EIO, 500, NODE(), REASON_ERROR, "why"},
    {ERROR_PERMANENT, EIO, 0, NODE(), REASON_ERROR, "why"},
};

static void test_explain(void **state)
{
    struct node_rig *rig = *state;
    rig->engine->now_s = 100;
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        struct error error = {0};
        char message[ERROR_TEXT_MAX];
        *rig->node = failures[i].node;
        (void)error_set(&error, failures[i].kind, failures[i].code, "why");
        error.status = failures[i].status;
        assert_int_equal(node_kind.explain(&rig->input, NULL, &error, message, sizeof(message)),
                         failures[i].reason);
        assert_string_equal(message, failures[i].message);
    }
}

// What the edit of config.toml itself says, and what the engine says of it.
static void test_explain_repair(void **state)
{
    struct node_rig *rig = *state;
    const struct action repair = {.op = NODE_CONFIG_REPAIR};
    struct error error = {0};
    char message[ERROR_TEXT_MAX];
    (void)error_set(&error, ERROR_PERMANENT, EIO, "why");
    assert_int_equal(node_kind.explain(&rig->input, &repair, &error, message, sizeof(message)),
                     REASON_CONFIG_PATH_DISABLED);
    assert_string_equal(message, "why");
    error.status = 400;
    assert_int_equal(node_kind.explain(&rig->input, &repair, &error, message, sizeof(message)),
                     REASON_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(test_keys),           NODE_TEST(test_due),
        NODE_TEST(test_resources),      NODE_TEST(test_explain),
        NODE_TEST(test_explain_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
