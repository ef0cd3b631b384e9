// What the engine's answers tell of the registry's container: what is mounted where, and who has
// its port.
#include "lib/world/engine.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void mounts_are_told_apart(void **unused)
{
    (void)unused;
    static const struct {
        const char *mounts;
        const char *storage;
        bool is_volume;
        const char *other;
    } cases[] = {
        {"[]", NULL, false, NULL},
        {"[{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/var/lib/registry\"}]", "/a",
         false, NULL},
        {"[{\"Type\":\"volume\",\"Name\":\"v\",\"Source\":\"/var/lib/docker/volumes/v/_data\","
         "\"Destination\":\"/var/lib/registry\"}]",
         NULL, true, NULL},
        {"[{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/var/lib/registry\"},"
         "{\"Type\":\"bind\",\"Source\":\"/b\",\"Destination\":\"/auth\"}]",
         "/a", false, "/auth"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text =
            str_printf("{\"Id\":\"1\",\"Name\":\"/r\",\"Mounts\":%s}", cases[i].mounts);
        json_auto_t *json = parse(text);
        struct world_container container;
        assert_int_equal(world_container_decode(json, &container, NULL), 0);
        assert_true(str_equal(container.storage, cases[i].storage));
        assert_int_equal(container.storage_is_volume, cases[i].is_volume);
        assert_true(str_equal(container.other_mount, cases[i].other));
        world_container_done(&container);
    }
}

static void port_holder_is_found(void **unused)
{
    (void)unused;
    static const struct {
        const char *address;
        uint16_t port;
        const char *holder;
    } cases[] = {
        {"127.0.0.1", 5002, "a"}, {"127.0.0.1", 5003, "b"}, {"10.0.0.1", 5002, NULL},
        {"10.0.0.1", 5003, "b"},  {"0.0.0.0", 5002, "a"},   {"127.0.0.1", 53, NULL},
    };
    json_auto_t *list = parse("["
                              "{\"Names\":[\"/a\"],\"Ports\":[{\"PrivatePort\":1,\"Type\":\"tcp\"},"
                              "{\"IP\":\"127.0.0.1\",\"PublicPort\":5002,\"Type\":\"tcp\"}]},"
                              "{\"Names\":[\"/b\"],\"Ports\":["
                              "{\"IP\":\"0.0.0.0\",\"PublicPort\":5003,\"Type\":\"tcp\"},"
                              "{\"IP\":\"0.0.0.0\",\"PublicPort\":53,\"Type\":\"udp\"}]}]");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct world_engine *engine = calloc(1, sizeof(*engine));
        assert_non_null(engine);
        assert_int_equal(
            world_engine_find_port_holder(list, cases[i].address, cases[i].port, engine), 0);
        assert_true(str_equal(engine->port_holder, cases[i].holder));
        world_engine_free(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_are_told_apart),
        cmocka_unit_test(port_holder_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
