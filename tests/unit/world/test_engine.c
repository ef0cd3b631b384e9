// Decoders of the engine's answers, on answers recorded from an engine and on broken ones.
#include "lib/world/engine.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *fixture(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), TEST_DATA "/fixtures/engine/%s", name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

static void decode_fixture(const char *name, struct world_container *container)
{
    json_auto_t *json = fixture(name);
    assert_int_equal(world_container_decode(json, container, NULL), 0);
}

static void running_registry_is_decoded(void **unused)
{
    (void)unused;
    struct world_container container;
    decode_fixture("registry_running.json", &container);
    assert_string_equal(container.name, "hostk8s-registry");
    assert_string_equal(container.image, "registry:2");
    assert_int_equal(container.state, CONTAINER_RUNNING);
    assert_null(container.state_error);
    assert_int_equal(container.started_s, 1795386138);
    assert_string_equal(container.restart_policy, "always");
    assert_string_equal(container.storage, "/home/dev/.local/share/hostk8s/registry");
    assert_string_equal(strmap_get(&container.labels, WORLD_LABEL_OWNER), "hostk8s-registry");
    assert_string_equal(strmap_get(&container.environment, "REGISTRY_STORAGE_DELETE_ENABLED"),
                        "true");
    assert_int_equal(container.binding_count, 1);
    assert_string_equal(container.bindings[0].container_port, WORLD_REGISTRY_PORT_KEY);
    assert_string_equal(container.bindings[0].host_address, "127.0.0.1");
    assert_string_equal(container.bindings[0].host_port, "5002");

    const struct world_endpoint *endpoint = world_container_endpoint(&container, "kind");
    assert_non_null(endpoint);
    assert_int_equal(strlen(endpoint->network_id), 64);
    assert_string_equal(endpoint->ipv4, "172.18.0.4");
    assert_null(endpoint->ipv6);
    assert_true(strv_contains(&endpoint->aliases, "hostk8s-registry"));
    assert_null(world_container_endpoint(&container, "other"));
    world_container_done(&container);
}

static void other_states_are_decoded(void **unused)
{
    (void)unused;
    struct world_container container;
    decode_fixture("registry_created.json", &container);
    assert_int_equal(container.state, CONTAINER_CREATED);
    assert_int_equal(container.started_s, 0);
    world_container_done(&container);

    decode_fixture("registry_port_taken.json", &container);
    assert_int_equal(container.state, CONTAINER_CREATED);
    assert_int_equal(container.exit_code, 128);
    assert_non_null(strstr(container.state_error, "address already in use"));
    world_container_done(&container);

    decode_fixture("registry_stopped.json", &container);
    assert_int_equal(container.state, CONTAINER_EXITED);
    assert_int_equal(container.binding_count, 1);
    world_container_done(&container);
}

static void odd_answers_are_tolerated(void **unused)
{
    (void)unused;
    json_auto_t *json = parse(
        "{\"Id\":\"1\",\"Name\":\"bare\",\"State\":{\"Status\":\"new\",\"StartedAt\":\"soon\"},"
        "\"Config\":{\"Env\":[1,\"NOVALUE\",\"A=b=c\"],\"Labels\":{\"a\":1,\"b\":\"c\"}},"
        "\"HostConfig\":{\"PortBindings\":{\"5000/tcp\":null,\"80/tcp\":[{\"HostPort\":\"1\"}]}},"
        "\"Mounts\":[{\"Type\":\"volume\",\"Destination\":\"/var/lib/registry\",\"Source\":\"x\"}],"
        "\"NetworkSettings\":{\"Networks\":{\"n\":null,\"m\":{\"Aliases\":[null,\"x\"],"
        "\"IPAddress\":\"10.0.0\",\"GlobalIPv6Address\":\"fc00::2\"}}}}");
    struct world_container container;
    assert_int_equal(world_container_decode(json, &container, NULL), 0);
    assert_string_equal(container.name, "bare");
    assert_int_equal(container.state, CONTAINER_UNKNOWN);
    assert_int_equal(container.started_s, 0);
    assert_string_equal(container.restart_policy, "no");
    assert_null(container.storage);
    assert_int_equal(container.environment.count, 1);
    assert_string_equal(strmap_get(&container.environment, "A"), "b=c");
    assert_int_equal(container.labels.count, 1);
    assert_int_equal(container.binding_count, 1);
    assert_string_equal(container.bindings[0].host_address, "");
    assert_int_equal(container.endpoint_count, 2);
    assert_string_equal(world_container_endpoint(&container, "m")->ipv6, "fc00::2");
    assert_null(world_container_endpoint(&container, "m")->ipv4);
    assert_int_equal(world_container_endpoint(&container, "m")->aliases.count, 1);
    assert_string_equal(world_container_endpoint(&container, "n")->network_id, "");
    world_container_done(&container);
}

static void no_container_is_refused(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "1",
                                        "{\"Id\":\"1\"}",
                                        "{\"Name\":\"/a\"}",
                                        "{\"Id\":\"1\",\"Name\":\"/\"}",
                                        "{\"Id\":\"1\",\"Name\":\"/../a\"}",
                                        "{\"Id\":\"1/..\",\"Name\":\"/a\"}",
                                        "{\"Id\":\"1\",\"Name\":\"/a\\u001b[31m\"}"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        json_auto_t *json = parse(texts[i]);
        struct world_container container;
        struct error err;
        assert_int_equal(world_container_decode(json, &container, &err), -EBADMSG);
        assert_string_equal(err.text, "the engine's answer is no container");
    }
}

static struct world_engine *decode_nodes(json_t *list)
{
    struct world_engine *engine = calloc(1, sizeof(*engine));
    assert_non_null(engine);
    assert_int_equal(world_engine_decode_nodes(list, engine, NULL), 0);
    return engine;
}

static void nodes_of_a_cluster_are_decoded(void **unused)
{
    (void)unused;
    json_auto_t *list = fixture("containers.json");
    _cleanup_(world_engine_freep) struct world_engine *engine = decode_nodes(list);
    assert_int_equal(engine->node_count, 2);
    assert_string_equal(engine->nodes[0].name, "kube-control-plane");
    assert_string_equal(engine->nodes[1].name, "kube-worker");
    const struct world_node *node = world_engine_node(engine, "kube-worker");
    assert_int_equal(node->role, NODE_WORKER);
    assert_string_equal(node->cluster, "kube");
    assert_true(node->running);
    assert_string_equal(node->status, "running");
    assert_null(world_engine_node(engine, "hostk8s-registry"));
    assert_int_equal(engine->api_count, 1);
    assert_string_equal(world_engine_api(engine, "kube")->host_address, "127.0.0.1");
    assert_int_equal(world_engine_api(engine, "kube")->host_port, 32768);
    assert_null(world_engine_api(engine, "other"));
    assert_null(world_engine_container(engine, "hostk8s-registry"));
}

#define KIND_WORKER(cluster)                                                                       \
    "{\"" WORLD_LABEL_KIND_CLUSTER "\":\"" cluster "\",\"" WORLD_LABEL_KIND_ROLE "\":\"worker\"}"

struct port {
    const char *address;
    int inside;
    int outside;
    const char *type;
};

static const struct {
    const char *name;
    const char *cluster;
    const char *role;
    struct port ports[3];
} listed[] = {
    {"a-cp2", "a", "control-plane", {{"127.0.0.1", 6443, 2, "tcp"}}},
    {"a-cp", "a", "control-plane", {{"127.0.0.1", 6443, 1, "tcp"}}},
    {"a-lb", "a", "external-load-balancer", {{"::", 6443, 3, "tcp"}, {"0.0.0.0", 6443, 4, "tcp"}}},
    {"b-cp2", "b", "control-plane", {{"::1", 6443, 6, "tcp"}}},
    {"b-cp1", "b", "control-plane", {{"::1", 6443, 5, "tcp"}, {"::2", 6443, 7, "tcp"}}},
    {"c-cp",
     "c",
     "control-plane",
     {{"::1", 80, 5, "tcp"}, {"::1", 6443, 5, "udp"}, {"::1", 6443, 99999, "tcp"}}},
    {"c-x", "c", "unheard-of", {{"::1", 6443, 5, "tcp"}}},
    // Neither kind nor the engine gives such names and addresses: nothing of the kind is a node.
    {"../../x", "d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"..", "d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-%s%n", "d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-\x1b[2J", "d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-\xc2\x9b"
     "2J",
     "d",
     "control-plane",
     {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-$(id)", "d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-cp", "d/../e", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-cp", "d\n", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-cp", "-d", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-cp", "", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"d-cp", "d`id`", "control-plane", {{"127.0.0.1", 6443, 5, "tcp"}}},
    {"c-lb",
     "c",
     "external-load-balancer",
     {{"example.org/", 6443, 5, "tcp"}, {"user@127.0.0.1", 6443, 5, "tcp"}}},
};

static json_t *listed_item(size_t i)
{
    json_t *item =
        json_pack("{s:s+, s:[s, s+], s:s, s:{s:s, s:s}, s:[{s:i, s:s}]}", "Id", "id-",
                  listed[i].name, "Names", "/link/alias", "/", listed[i].name, "State", "exited",
                  "Labels", WORLD_LABEL_KIND_CLUSTER, listed[i].cluster, WORLD_LABEL_KIND_ROLE,
                  listed[i].role, "Ports", "PrivatePort", 6443, "Type", "tcp");
    assert_non_null(item);
    for (size_t j = 0; j < ELEMENTS(listed[i].ports) && listed[i].ports[j].type != NULL; j++) {
        const struct port *port = &listed[i].ports[j];
        json_t *added = json_pack("{s:s, s:i, s:i, s:s}", "IP", port->address, "PrivatePort",
                                  port->inside, "PublicPort", port->outside, "Type", port->type);
        assert_int_equal(json_array_append_new(json_object_get(item, "Ports"), added), 0);
    }
    return item;
}

static void api_is_where_it_is_published(void **unused)
{
    (void)unused;
    json_auto_t *list =
        parse("[{},1,{\"Names\":[\"/x\"],\"Labels\":{\"io.x-k8s.kind.cluster\":\"a\"}}]");
    for (size_t i = 0; i < ELEMENTS(listed); i++) {
        assert_int_equal(json_array_append_new(list, listed_item(i)), 0);
    }
    _cleanup_(world_engine_freep) struct world_engine *engine = decode_nodes(list);
    assert_int_equal(engine->node_count, 5);
    assert_string_equal(engine->nodes[0].name, "a-cp");
    assert_false(engine->nodes[0].running);
    assert_int_equal(engine->nodes[0].role, NODE_CONTROL_PLANE);
    assert_int_equal(engine->api_count, 2);
    assert_string_equal(world_engine_api(engine, "a")->host_address, "0.0.0.0");
    assert_int_equal(world_engine_api(engine, "a")->host_port, 4);
    assert_string_equal(world_engine_api(engine, "b")->host_address, "::1");
    assert_int_equal(world_engine_api(engine, "b")->host_port, 5);
}

// Nothing of these may become a part of a resource's name, of a request or of a URL.
static void what_is_no_name_is_left_out(void **unused)
{
    (void)unused;
    json_auto_t *list = parse("[{\"Id\":\"1\",\"Names\":[\"/../../x\"],\"Labels\":" KIND_WORKER(
        "a") "},"
             "{\"Id\":\"2\",\"Names\":[\"/a\\nb\"],\"Labels\":" KIND_WORKER(
                 "a") "},"
                      "{\"Id\":\"../3\",\"Names\":[\"/c\"],\"Labels\":" KIND_WORKER(
                          "a") "},"
                               "{\"Id\":\"4\",\"Names\":[\"/d\"],\"Labels\":" KIND_WORKER(
                                   "a\\nb") "},"
                                            "{\"Id\":\"5\",\"Names\":[\"/"
                                            "e\"],\"Labels\":" KIND_WORKER(
                                                "$(a)") "},"
                                                        "{\"Id\":\"6\",\"Names\":[\"/"
                                                        "f\"],\"Labels\":" KIND_WORKER(
                                                            "a") "},"
                                                                 "{\"Id\":\"7/..\",\"Names\":[\"/"
                                                                 "r\"]}]");
    json_auto_t *balancer = listed_item(2);
    for (size_t i = 0; i < 2; i++) {
        json_t *port = json_array_get(json_object_get(balancer, "Ports"), i + 1);
        assert_int_equal(json_object_set_new(port, "IP", json_string("example.com/#")), 0);
    }
    assert_int_equal(json_array_append(list, balancer), 0);
    _cleanup_(world_engine_freep) struct world_engine *engine = decode_nodes(list);
    assert_int_equal(engine->node_count, 1);
    assert_string_equal(engine->nodes[0].name, "f");
    assert_int_equal(engine->api_count, 0);
    _cleanup_(strv_done) struct strv ids = {0};
    assert_int_equal(world_engine_registry_ids(list, "r", &ids, NULL), 0);
    assert_int_equal(ids.count, 0);
}

static void registry_is_found_by_name_and_label(void **unused)
{
    (void)unused;
    json_auto_t *list = parse("[{\"Id\":\"1\",\"Names\":[\"/r\"]},{\"Id\":\"2\",\"Names\":[\"/r-"
                              "previous\"]},{\"Id\":\"3\",\"Names\":[\"/x\"],\"Labels\":{\"" //
                              WORLD_LABEL_OWNER "\":\"y\"}},{\"Id\":\"4\",\"Names\":[\"/r2\"]},"
                              "{\"Names\":[\"/r\"]},{\"Id\":\"5\",\"Names\":null}]");
    _cleanup_(strv_done) struct strv ids = {0};
    assert_int_equal(world_engine_registry_ids(list, "r", &ids, NULL), 0);
    assert_int_equal(ids.count, 3);
    assert_string_equal(ids.items[0], "1");
    assert_string_equal(ids.items[1], "2");
    assert_string_equal(ids.items[2], "3");
}

static void running_registry_shows_image_and_network(void **unused)
{
    (void)unused;
    static const struct {
        const char *fixture;
        const char *image;
        const char *network;
        bool image_present;
        bool network_present;
    } cases[] = {
        {"containers.json", "registry:2", "kind", true, true},
        {"containers.json", "registry:3", "kind", false, true},
        {"containers.json", "registry:2", "other", true, false},
        {"containers_stopped.json", "registry:2", "kind", false, true}, // the nodes run
        {"containers_stopped.json", "registry:2", "bridge", false, false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        json_auto_t *list = fixture(cases[i].fixture);
        _cleanup_(world_engine_freep) struct world_engine *engine = calloc(1, sizeof(*engine));
        assert_non_null(engine);
        assert_int_equal(
            world_engine_infer(list, "hostk8s-registry", cases[i].image, cases[i].network, engine),
            0);
        assert_int_equal(engine->image_present, cases[i].image_present);
        assert_int_equal(engine->network_present, cases[i].network_present);
        assert_int_equal(str_empty(engine->network_id), !cases[i].network_present);
    }
}

static void secrets_are_hidden_in_its_error(void **unused)
{
    (void)unused;
    json_auto_t *json = parse("{\"Id\":\"1\",\"Name\":\"/"
                              "r\",\"Config\":{\"Env\":[\"A=hunter2\",\"B=swordfish\"],\"Labels\":{"
                              "\"" WORLD_LABEL_ENVIRONMENT
                              "\":\"A,C\"}},\"State\":{\"Error\":\"hunter2 or swordfish\"}}");
    struct world_container container;
    assert_int_equal(world_container_decode(json, &container, NULL), 0);
    assert_string_equal(container.state_error, "*** or swordfish");
    world_container_done(&container);
}

static void no_list_is_refused(void **unused)
{
    (void)unused;
    json_auto_t *object = json_object();
    struct world_engine engine = {0};
    struct strv ids = {0};
    struct error err;
    assert_int_equal(world_engine_decode_nodes(object, &engine, &err), -EBADMSG);
    assert_string_equal(err.text, "the engine's answer is no list of containers");
    assert_int_equal(world_engine_registry_ids(NULL, "r", &ids, &err), -EBADMSG);
    world_engine_free(NULL);
}

static void oversized_answers_are_refused(void **unused)
{
    (void)unused;
    json_auto_t *list = json_array();
    json_auto_t *labels = json_object();
    for (int i = 0; i <= 10000; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(json_array_append_new(list, json_object()), 0);
        assert_int_equal(json_object_set_new(labels, key, json_string("v")), 0);
    }
    struct error err;
    struct world_engine engine = {0};
    struct strv ids = {0};
    assert_int_equal(world_engine_decode_nodes(list, &engine, &err), -E2BIG);
    assert_string_equal(err.text, "the engine has more than 10000 containers");
    assert_int_equal(world_engine_registry_ids(list, "r", &ids, &err), -E2BIG);

    struct world_container container;
    json_auto_t *labelled =
        json_pack("{s:s, s:s, s:{s:O}}", "Id", "1", "Name", "/a", "Config", "Labels", labels);
    assert_int_equal(world_container_decode(labelled, &container, &err), -E2BIG);
    assert_string_equal(err.text,
                        "container a has more than 4096 labels, variables, ports or networks");
    json_auto_t *varied =
        json_pack("{s:s, s:s, s:{s:O}}", "Id", "1", "Name", "/a", "Config", "Env", list);
    assert_int_equal(world_container_decode(varied, &container, &err), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_registry_is_decoded),
        cmocka_unit_test(other_states_are_decoded),
        cmocka_unit_test(odd_answers_are_tolerated),
        cmocka_unit_test(no_container_is_refused),
        cmocka_unit_test(nodes_of_a_cluster_are_decoded),
        cmocka_unit_test(api_is_where_it_is_published),
        cmocka_unit_test(what_is_no_name_is_left_out),
        cmocka_unit_test(registry_is_found_by_name_and_label),
        cmocka_unit_test(running_registry_shows_image_and_network),
        cmocka_unit_test(secrets_are_hidden_in_its_error),
        cmocka_unit_test(no_list_is_refused),
        cmocka_unit_test(oversized_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
