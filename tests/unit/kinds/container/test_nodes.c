// Which of the listed containers are nodes: by their state, and by their role.
#include "lib/base/str.h"
#include "lib/kinds/container/current.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NODE                                                                                       \
    "[{\"Id\": \"1\", \"Names\": [\"/a\"], \"State\": \"%s\", \"Created\": 1700000000, "           \
    "\"Labels\": {\"" KIND_LABEL_CLUSTER "\": \"a\", \"" KIND_LABEL_ROLE "\": \"control-plane\"}," \
    "\"Ports\": [{\"IP\": \"127.0.0.1\", \"PrivatePort\": 6443, \"PublicPort\": 5, "               \
    "\"Type\": \"tcp\"}]}]"

static const struct {
    const char *status;
    bool is_node;
} states[] = {
    {"created", true}, {"running", true},   {"paused", true}, {"restarting", true},
    {"exited", true},  {"removing", false}, {"dead", false},
};

static void test_states(void **state)
{
    (void)state;
    struct config *config = sample_config();
    for (size_t i = 0; i < ELEMENTS(states); i++) {
        struct current *current = current_new(config);
        _cleanup_free_ char *text = str_printf(NODE, states[i].status);
        json_auto_t *list = json_loads(text, 0, NULL);
        assert_int_equal(current_add_list(current, list, NULL), 0);
        const struct engine *engine = current->engine;
        assert_int_equal(engine->node_count, states[i].is_node);
        assert_int_equal(engine->api_count, states[i].is_node);
        assert_true(!states[i].is_node || engine->nodes[0].created_s == 1700000000);
        current_free(current);
    }
    config_free(config);
}

// kind's load balancer since 0.32 is Envoy, whose image exposes a port of its own.
static void test_load_balancer(void **state)
{
    (void)state;
    struct config *config = sample_config();
    struct current *current = current_new(config);
    json_auto_t *list = json_loads(
        "[{\"Id\": \"1\", \"Names\": [\"/a-external-load-balancer\"], \"State\": \"running\", "
        "\"Image\": \"docker.io/envoyproxy/envoy:v1.36.2\", \"Labels\": {\"" KIND_LABEL_CLUSTER
        "\": \"a\", \"" KIND_LABEL_ROLE "\": \"external-load-balancer\"}, \"Ports\": ["
        "{\"PrivatePort\": 10000, \"Type\": \"tcp\"}, {\"IP\": \"127.0.0.1\", "
        "\"PrivatePort\": 6443, \"PublicPort\": 33333, \"Type\": \"tcp\"}]}]",
        0, NULL);
    assert_int_equal(current_add_list(current, list, NULL), 0);
    assert_int_equal(current->engine->node_count, 0);
    assert_int_equal(current->engine->api_count, 1);
    assert_int_equal(engine_api(current->engine, "a")->host_port, 33333);
    current_free(current);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_load_balancer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
