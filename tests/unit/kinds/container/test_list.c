// The list of containers, as recorded from engines and broken.
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// For what the configuration is by now.
static const struct current *list(struct container_rig *rig, const char *text)
{
    json_auto_t *json = json_of(text);
    current_free(rig->current);
    rig->current = current_new(rig->config);
    assert_int_equal(current_add_list(rig->current, json, NULL), 0);
    return rig->current;
}

static const struct current *list_items(struct container_rig *rig, const char *const *items,
                                        size_t count)
{
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&text, "%s%s", i == 0 ? "[" : ", ", items[i]);
    }
    (void)buf_append_str(&text, "]");
    return list(rig, buf_str(&text));
}

static void nodes_of_a_cluster_are_decoded(void **state)
{
    const struct current *current = list(*state, "engine/containers.json");
    const struct engine *engine = current->engine;
    assert_int_equal(engine->node_count, 2);
    const struct engine_node *node = engine_node(engine, "kube-worker");
    assert_int_equal(node->role, NODE_WORKER);
    assert_true(node->running);
    assert_string_equal(node->status, "running");
    assert_string_equal(engine_api(engine, "kube")->host_address, "127.0.0.1");
    assert_int_equal(engine_api(engine, "kube")->host_port, 32768);
    assert_int_equal(current->id_count, 1);
}

#define ITEM(name, cluster, role, ports)                                                           \
    "{'Id': 'id-" name "', 'Names': ['/link/alias', '/" name                                       \
    "'], 'State': 'exited', 'Labels': {'" KIND_LABEL_CLUSTER "': '" cluster "', '" KIND_LABEL_ROLE \
    "': '" role "'}, 'Ports': [{'PrivatePort': 6443, 'Type': 'tcp'}" ports "]}"
#define PORT_OF(address, inside, outside, type)                                                    \
    ", {'IP': '" address "', 'PrivatePort': " inside ", 'PublicPort': " outside ", 'Type': '" type \
    "'}"
#define PORT(address, outside) PORT_OF(address, "6443", outside, "tcp")
#define PLANE "control-plane"
#define BALANCER "external-load-balancer"

static void api_is_where_it_is_published(void **state)
{
    static const char *const items[] = {
        "{}",
        "1",
        "{'Names': ['/x'], 'Labels': {'" KIND_LABEL_CLUSTER "': 'a'}}", // no id
        ITEM("a-cp2", "a", PLANE, PORT("127.0.0.1", "2")),
        ITEM("a-cp", "a", PLANE, PORT("127.0.0.1", "1")),
        ITEM("a-lb", "a", BALANCER, PORT("::", "3") PORT("0.0.0.0", "4") PORT("0.0.0.0", "9")),
        ITEM("b-cp2", "b", PLANE, PORT("::1", "6")),
        ITEM("b-cp1", "b", PLANE, PORT("::1", "5") PORT("::2", "7")),
        ITEM("c-cp", "c", PLANE, PORT_OF("::1", "80", "5", "tcp") PORT("::1", "65536")),
        ITEM("c-cp2", "c", PLANE, PORT_OF("::1", "6443", "5", "udp") PORT("::1", "0")),
        ITEM("c-lb", "c", BALANCER, PORT("example.org/", "5") PORT("user@127.0.0.1", "5")),
        ITEM("c-x", "c", "unheard-of", PORT("::1", "5")),
        ITEM("e-cp", "e", PLANE, PORT("", "65535")),
        // kind's own since 0.32 is Envoy, whose image exposes a port of its own.
        ITEM("f-lb", "f", BALANCER,
             ", {'PrivatePort': 10000, 'Type': 'tcp'}" PORT("127.0.0.1", "33333")),
    };
    const struct engine *engine = list_items(*state, items, ELEMENTS(items))->engine;
    assert_int_equal(engine->node_count, 7);
    assert_string_equal(engine->nodes[0].name, "a-cp");
    assert_false(engine->nodes[0].running);
    assert_int_equal(engine->nodes[0].role, NODE_CONTROL_PLANE);
    assert_int_equal(engine->api_count, 4);
    assert_string_equal(engine_api(engine, "a")->host_address, "0.0.0.0");
    assert_int_equal(engine_api(engine, "a")->host_port, 4);
    assert_string_equal(engine_api(engine, "b")->host_address, "::1");
    assert_int_equal(engine_api(engine, "b")->host_port, 5);
    assert_int_equal(engine_api(engine, "e")->host_port, 65535);
    assert_int_equal(engine_api(engine, "f")->host_port, 33333);
}

static void what_is_being_removed_is_no_node(void **state)
{
    static const struct {
        const char *status;
        bool is_node;
    } cases[] = {
        {"created", true}, {"running", true},   {"paused", true}, {"restarting", true},
        {"exited", true},  {"removing", false}, {"dead", false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text =
            str_printf("[{'Id': '1', 'Names': ['/a'], 'State': '%s', 'Created': 1700000000, "
                       "'Labels': {'" KIND_LABEL_CLUSTER "': 'a', '" KIND_LABEL_ROLE
                       "': 'control-plane'}, 'Ports': ["
                       "{}" PORT("127.0.0.1", "5") "]}]",
                       cases[i].status);
        const struct engine *engine = list(*state, text)->engine;
        assert_int_equal(engine->node_count, cases[i].is_node);
        assert_int_equal(engine->api_count, cases[i].is_node);
        if (cases[i].is_node) {
            assert_int_equal(engine->nodes[0].created_s, 1700000000);
        }
    }
}

// Neither kind nor an engine gives such names, ids and addresses: nothing of these may become a
// part of a resource's name, of a request or of a URL.
static void what_is_no_name_is_left_out(void **state)
{
    static const char *const bad[] = {"../../x",   "..",    "a/b",  "%s%n", "a\\nb", "\\u001b[2J",
                                      "\\u009b2J", "$(id)", "`id`", "-d",   ""};
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        for (unsigned part = 0; part < 3; part++) {
            const char *parts[] = {"a", "a", "a"};
            parts[part] = bad[i];
            _cleanup_free_ char *text = str_printf(
                "[{'Id': '%s', 'Names': ['/%s'], 'Labels': {'" KIND_LABEL_CLUSTER
                "': '%s', '" KIND_LABEL_ROLE "': 'control-plane', '" CONTAINER_LABEL_OWNER
                "': 'x'}, 'Ports': [{'IP': '127.0.0.1', 'PrivatePort': 6443, 'PublicPort': 5,"
                "'Type': 'tcp'}]}]",
                parts[0], parts[1], parts[2]);
            const struct current *current = list(*state, text);
            assert_int_equal(current->engine->node_count, 0);
            assert_int_equal(current->engine->api_count, 0);
            assert_int_equal(current->id_count, part == 2 ? 1 : 0);
        }
    }
}

static void registry_is_found_by_name_and_label(void **state)
{
    const struct current *current =
        list(*state, "[{'Id': '1', 'Names': ['/hostk8s-registry']}, {'Id': '2', 'Names': "
                     "['/hostk8s-registry-previous']}, {'Id': '3', 'Names': ['/x'], 'Labels': {"
                     "'" CONTAINER_LABEL_OWNER "': 'y'}}, {'Id': '4', 'Names': ['/hostk8s']},"
                     "{'Names': ['/hostk8s-registry']}, {'Id': '5', 'Names': null}]");
    assert_int_equal(current->id_count, 3);
    assert_string_equal(current->ids[0], "1");
    assert_string_equal(current->ids[1], "2");
    assert_string_equal(current->ids[2], "3");
}

static void running_registry_shows_image_and_network(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *fixture;
        const char *image;
        const char *network;
        bool image_present;
        bool network_present;
    } cases[] = {
        {"engine/containers.json", "registry:2", "kind", true, true},
        {"engine/containers.json", "docker.io/registry:2", "kind", true, true},
        {"engine/containers.json", "registry:3", "kind", false, true},
        {"engine/containers.json", "registry:2", "other", true, false},
        {"engine/containers_stopped.json", "registry:2", "kind", false, true}, // the nodes run
        {"engine/containers_stopped.json", "registry:2", "bridge", false, false},
        {"podman-4.3.1/list.json", "registry:2", "podman", false, false}, // created alone
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        sample_set(&rig->config->registry.image, cases[i].image);
        sample_set(&rig->config->network, cases[i].network);
        const struct current *current = list(rig, cases[i].fixture);
        assert_int_equal(current->facts[0].image_present, cases[i].image_present);
        assert_int_equal(current->network_present, cases[i].network_present);
        assert_int_equal(str_empty(current->network_id), !cases[i].network_present);
    }
}

#define PUBLISHED(name, state, ports)                                                              \
    "{'Id': '1', 'Names': ['/" name "'], 'State': '" state                                         \
    "', 'Ports': [{'PrivatePort': 1, 'Type': 'tcp'}" ports "]}"

static void holder_of_the_port_is_found(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *address;
        uint16_t port;
        const char *holder;
    } cases[] = {
        {"127.0.0.1", 5002, "a"},  {"127.0.0.1", 5003, "b"},  {"10.0.0.1", 5002, NULL},
        {"10.0.0.1", 5003, "b"},   {"0.0.0.0", 5002, "a"},    {"::", 5002, "a"},
        {"127.0.0.1", 53, NULL},   {"127.0.0.1", 5004, NULL}, // its own
        {"127.0.0.1", 5005, NULL},
    };
    static const char *const items[] = {
        PUBLISHED("hostk8s-registry", "running", PORT("127.0.0.1", "5004")),
        PUBLISHED("hostk8s-registry-previous", "running", PORT("127.0.0.1", "5005")),
        PUBLISHED("c", "created", PORT("127.0.0.1", "5002")),
        PUBLISHED("a", "running", PORT("127.0.0.1", "5002")),
        PUBLISHED("b", "running", PORT("0.0.0.0", "5003") PORT_OF("0.0.0.0", "53", "53", "udp")),
        PUBLISHED("d", "running", PORT("0.0.0.0", "5003")),
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        sample_set(&rig->config->registry.listen_address, cases[i].address);
        rig->config->registry.listen_port = cases[i].port;
        const struct current *current = list_items(rig, items, ELEMENTS(items));
        assert_true(str_equal(current->facts[0].port_holder, cases[i].holder));
    }
}

// So many containers, and so many of them of ours.
static json_t *list_of(int count, int own)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *container =
            i >= own ? json_object()
                     : json_pack("{s:o, s:[o], s:{s:s}}", "Id", json_sprintf("id-%d", i), "Names",
                                 json_sprintf("/c%d", i), "Labels", CONTAINER_LABEL_OWNER, "x");
        json_array_append_new(list, container);
    }
    return list;
}

static void no_list_is_refused(void **state)
{
    struct container_rig *rig = *state;
    struct error err;
    assert_int_equal(current_add_list(rig->current, NULL, &err), -EBADMSG);
    assert_string_equal(err.text, "the engine's answer is no list of containers");
}

static void longest_list_is_taken(void **state)
{
    struct container_rig *rig = *state;
    json_auto_t *list = list_of(10000, 32);
    assert_int_equal(current_add_list(rig->current, list, NULL), 0);
}

static void longer_list_is_refused(void **state)
{
    struct container_rig *rig = *state;
    json_auto_t *own = list_of(33, 33);
    json_auto_t *all = list_of(10001, 0);
    struct error err;
    assert_int_equal(current_add_list(rig->current, own, &err), -E2BIG);
    assert_string_equal(err.text, "33 containers carry the label " CONTAINER_LABEL_OWNER
                                  "; remove those that are not needed");
    assert_int_equal(current_add_list(rig->current, all, &err), -E2BIG);
    assert_string_equal(err.text, "the engine has more than 10000 containers");
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, container_rig_begin, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_of_a_cluster_are_decoded),
        TEST(api_is_where_it_is_published),
        TEST(what_is_being_removed_is_no_node),
        TEST(what_is_no_name_is_left_out),
        TEST(registry_is_found_by_name_and_label),
        TEST(running_registry_shows_image_and_network),
        TEST(holder_of_the_port_is_found),
        TEST(no_list_is_refused),
        TEST(longest_list_is_taken),
        TEST(longer_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
