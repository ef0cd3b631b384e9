// Which clusters there are, and when one is due.
#include "lib/kinds/object/object.h"

#include "lib/base/str.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void on_key(void *ctx, const char *name, const char *cluster)
{
    char **keys = ctx;
    assert_string_equal(name, cluster);
    char *longer = str_printf("%s%s ", *keys, name);
    free(*keys);
    *keys = longer;
}

static void keys_one(const char *const patterns[], bool engine_there, bool desired,
                     const char *expected)
{
    _cleanup_(config_freep) struct config *config = sample_config();
    strv_done(&config->clusters);
    config->clusters = (struct strv){0};
    for (; *patterns != NULL; patterns++) {
        strv_add(&config->clusters, *patterns);
    }
    struct engine_node nodes[] = {{.name = "a-1", .cluster = "a"},
                                  {.name = "a-2", .cluster = "a"},
                                  {.name = "b-1", .cluster = "b"}};
    struct engine_api apis[] = {{.cluster = "a"}, {.cluster = "c"}};
    const struct engine engine = {.nodes = nodes, .node_count = 3, .apis = apis, .api_count = 2};
    _cleanup_free_ char *keys = str_dup("");
    object_kind.keys_of(config, engine_there ? &engine : NULL, desired, on_key, &keys);
    assert_true(object_kind.exists(&engine, "b") && object_kind.exists(&engine, "c"));
    assert_false(object_kind.exists(&engine, "z"));
    assert_string_equal(keys, expected);
}

static void test_keys(void **state)
{
    (void)state;
    static const char *const all[] = {"*", NULL};
    static const char *const some[] = {"a", "z", "b?", NULL};
    static const char *const none[] = {NULL};
    keys_one(all, true, true, "a a b a c ");
    keys_one(all, true, false, "a a b a c ");
    keys_one(all, false, true, "");
    keys_one(some, true, true, "a a a a z ");
    keys_one(some, true, false, "a a a ");
    keys_one(some, false, true, "a z ");
    keys_one(none, true, true, "");
}

static void due_one(const struct engine *before, const struct engine *after, uint64_t expected)
{
    assert_true(object_kind.due_in(before, after, "a") == expected);
    uint64_t back = object_kind.due_in(after, before, "a");
    assert_true((back == KIND_NEVER) == (expected == KIND_NEVER));
}

static void test_due(void **state)
{
    (void)state;
    struct engine_node nodes[] = {
        {.id = "1", .name = "a-1", .cluster = "a", .running = true, .status = "running"}};
    struct engine_node stopped[] = {
        {.id = "1", .name = "a-1", .cluster = "a", .running = false, .status = "exited"}};
    struct engine_node remade[] = {
        {.id = "2", .name = "a-1", .cluster = "a", .running = true, .status = "running"}};
    struct engine_node more[] = {
        nodes[0], {.id = "3", .name = "a-2", .cluster = "a", .running = true, .status = "running"}};
    struct engine_node others[] = {
        nodes[0], {.id = "3", .name = "b-1", .cluster = "b", .running = true, .status = "running"}};
    struct engine_api api[] = {{.cluster = "a", .host_address = "127.0.0.1", .host_port = 1}};
    struct engine_api other_api[] = {{.cluster = "a", .host_address = "127.0.0.1", .host_port = 2}};
    const struct engine base = {.nodes = nodes,
                                .node_count = 1,
                                .apis = api,
                                .api_count = 1,
                                .registry_ipv4 = "172.18.0.4",
                                .registry_network_id = "n"};
    struct engine after = base;
    due_one(&base, &after, KIND_NEVER);
    after.nodes = others;
    after.node_count = 2;
    due_one(&base, &after, KIND_NEVER);
    after.nodes = more;
    due_one(&base, &after, 0);
    after = base;
    after.nodes = stopped;
    due_one(&base, &after, 0);
    after.nodes = remade;
    due_one(&base, &after, 0);
    after = base;
    after.apis = other_api;
    due_one(&base, &after, 0);
    after.api_count = 0;
    due_one(&base, &after, 0);
    after = base;
    after.registry_ipv4 = "172.18.0.5";
    due_one(&base, &after, 0);
    after = base;
    after.registry_ipv6 = "fc00::4";
    due_one(&base, &after, 0);
    after = base;
    after.registry_network_id = "m";
    due_one(&base, &after, 0);
    // Lost, it has time to come back.
    after = base;
    after.registry_ipv4 = NULL;
    due_one(&base, &after, 2000);
    after.node_count = 0;
    due_one(&base, &after, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
