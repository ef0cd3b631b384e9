#include "lib/kinds/engine.h"

#include "lib/base/alloc.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct engine_node nodes[] = {
    {.name = "a-control-plane", .cluster = "a", .role = NODE_CONTROL_PLANE},
    {.name = "a-control-plane2", .cluster = "a", .role = NODE_CONTROL_PLANE},
    {.name = "a-worker", .cluster = "a", .role = NODE_WORKER},
    {.name = "b-worker", .cluster = "b", .role = NODE_WORKER},
};
static struct engine_api apis[] = {
    {.cluster = "a", .host_address = "127.0.0.1", .host_port = 6443},
    {.cluster = "c", .host_address = "0.0.0.0", .host_port = 7443},
};
static const struct engine engine = {
    .nodes = nodes, .node_count = ELEMENTS(nodes), .apis = apis, .api_count = ELEMENTS(apis)};
static const struct engine empty;

static void test_nodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(nodes); i++) {
        assert_ptr_equal(engine_node(&engine, nodes[i].name), &nodes[i]);
    }
    assert_null(engine_node(&engine, "a"));
    assert_null(engine_node(&engine, "z"));
    assert_null(engine_node(&empty, "a-worker"));
    assert_ptr_equal(engine_first_control_plane(&engine, "a"), &nodes[0]);
    assert_null(engine_first_control_plane(&engine, "b"));
    assert_null(engine_first_control_plane(&empty, "a"));
}

static void test_clusters(void **state)
{
    (void)state;
    assert_ptr_equal(engine_api(&engine, "c"), &apis[1]);
    assert_null(engine_api(&engine, "b"));
    assert_true(engine_has_cluster(&engine, "a"));
    assert_true(engine_has_cluster(&engine, "b")); // a node alone
    assert_true(engine_has_cluster(&engine, "c")); // a load balancer alone
    assert_false(engine_has_cluster(&engine, "d"));
    assert_false(engine_has_cluster(&empty, "a"));
}

static void test_new_and_moving(void **state)
{
    (void)state;
    static const struct {
        struct engine_node node;
        int64_t now_s;
        bool moving;
        bool new;
    } cases[] = {
        {{.created_s = 100, .running = true}, 399, false, true},
        {{.created_s = 100, .running = true}, 400, false, false},
        {{.created_s = 100}, 102, true, false},
        {{.created_s = 100}, 103, false, false},
        {{.created_s = 100, .stopped_s = 5000}, 5002, true, false},
        {{.created_s = 100, .stopped_s = 5000}, 5003, false, false},
        // Clocks may differ; and nothing is known.
        {{.created_s = 100, .stopped_s = 5000}, 4999, true, false},
        {{.running = true}, 7, false, false},
        {{0}, 2, false, false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct engine_node node = cases[i].node;
        node.cluster = "a";
        const struct engine one = {.nodes = &node, .node_count = 1, .now_s = cases[i].now_s};
        assert_int_equal(engine_node_is_moving(&one, &node), cases[i].moving);
        assert_int_equal(engine_cluster_is_new(&one, "a"), cases[i].new);
        assert_false(engine_cluster_is_new(&one, "b"));
    }
}

static void test_published_host(void **state)
{
    (void)state;
    static const struct {
        const char *docker_host;
        const char *address;
        const char *host;
    } cases[] = {
        {"unix:///var/run/docker.sock", "127.0.0.1", "127.0.0.1"},
        {"unix:///var/run/docker.sock", "0.0.0.0", "127.0.0.1"},
        {"unix:///var/run/docker.sock", "", "127.0.0.1"},
        {"unix:///var/run/docker.sock", "::", "[::1]"},
        {"unix:///var/run/docker.sock", "fd00::1", "[fd00::1]"},
        {"tcp://far.example:2376", "0.0.0.0", "far.example"},
        {"tcp://[fd00::2]:2376", "127.0.0.1", "[fd00::2]"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char host[ENGINE_HOST_SIZE];
        engine_published_host(cases[i].docker_host, cases[i].address, host, sizeof(host));
        assert_string_equal(host, cases[i].host);
    }
}

#define ID(digit) digit "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names_for_ids(void **state)
{
    (void)state;
    struct engine_node named[] = {{.id = ID("0"), .name = "hostk8s-worker"},
                                  {.id = "n2", .name = "b"},
                                  {.id = ID("1"), .name = ID("node-")},
                                  {.id = ID("2"), .name = ID("a")}};
    const struct engine known = {.nodes = named, .node_count = ELEMENTS(named)};
    struct error err = {
        .text = "read /etc in container " ID("0") ": " ID("f") " dead beef " ID("0") "0 n2"};
    engine_name_ids(&known, &err);
    assert_string_equal(
        err.text, "read /etc in container hostk8s-worker: f123456789ab dead beef " ID("0") "0 n2");
    struct error long_names = {.text = ID("1") " " ID("2")}; // a longer one has no room
    engine_name_ids(&known, &long_names);
    assert_string_equal(long_names.text, "1123456789ab " ID("a"));
    struct error unknown = {.text = ID("0")};
    engine_name_ids(NULL, &unknown);
    assert_string_equal(unknown.text, "0123456789ab");
}

// The sanitizers tell when it goes too late or too early.
static void test_references(void **state)
{
    (void)state;
    struct engine *owned = xcalloc(1, sizeof(*owned));
    (void)arena_printf(&owned->arena, "a string of its own");
    assert_ptr_equal(engine_ref(owned), owned);
    assert_ptr_equal(engine_ref(owned), owned);
    engine_unref(owned);
    assert_int_equal(owned->refs, 1);
    engine_unref(owned);
    assert_null(engine_ref(NULL));
    engine_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),          cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_new_and_moving), cmocka_unit_test(test_published_host),
        cmocka_unit_test(test_names_for_ids),  cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
