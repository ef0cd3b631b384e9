// What an observation asks for and brings, over a scripted engine.
#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "tests/support/container_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RECORDED "engine-28.5.2/list.json", "engine-28.5.2/inspect.json"
#define IMAGE "200 {'Id': 'sha256:1'}"

static void assert_requests(const struct container_rig *rig, size_t first, const char *expected)
{
    char paths[4096] = "";
    for (size_t i = first; i < fake_transport_count(rig->fake); i++) {
        const struct fake_request *request = fake_transport_request(rig->fake, i);
        size_t length = strlen(paths);
        (void)snprintf(paths + length, sizeof(paths) - length, "%s\n", request->path);
    }
    assert_string_equal(paths, expected);
}

static void docker_is_observed(void **state)
{
    struct container_rig *rig = *state;
    sample_set(&rig->config->registry.image, "registry:3");
    ANSWER(rig, "ping", RECORDED, "404", "200"); // the other one is gone meanwhile
    container_rig_observe(rig);
    assert_requests(
        rig, 0,
        "/_ping\n/v1.41/info\n/v1.41/containers/json?all=1\n"
        "/v1.41/containers/282f564e9b7ca06ad9ba6a5430b5226b6e3fdcf8d6dbddcf06ed730eeb15f1af/json\n"
        "/v1.41/containers/13fc6292fdaa5640e6577ce0246bf9feba6be05418167365facea9412e59738e/json\n"
        "/v2/\n");
    const struct fake_request *asked = fake_transport_last(rig->fake);
    assert_int_equal(asked->timeout_ms, 2000);
    assert_string_equal(fake_transport_endpoint(rig->fake, asked->endpoint)->base,
                        "http://127.0.0.1:5002");
    const struct current *current = rig->current;
    assert_int_equal(current->container_count, 1);
    assert_true(current->network_present);
    assert_true(current->facts[0].image_present);
    assert_int_equal(current->facts[0].probe, PROBE_ANSWERS);
    assert_int_equal(current->facts[0].storage.state, STORAGE_USABLE);
    const struct engine *engine = container_kind.engine_of(rig->memory);
    assert_int_equal(engine->node_count, 2);
    assert_string_equal(engine->registry_ipv4, "172.18.0.4");
    assert_string_equal(engine->registry_ipv6, "fc00:f853:ccd:e793::4");
    assert_int_equal(strlen(engine->registry_network_id), 64);
    assert_int_equal(engine_api(engine, "hostk8s")->host_port, 35551);
    assert_true(engine->now_s > 0);
}

// Who waits for the engine waits neither for its registry nor for a cache's upstream.
static void the_engine_is_found_before_registries_answer(void **state)
{
    struct container_rig *rig = *state;
    container_rig_configure(rig, "registry: {image: 'registry:3'}\ncaches: [up.example]");
    ANSWER(rig, "ping", RECORDED, "404", IMAGE);
    container_rig_begin_observation(rig);
    assert_null(container_kind.engine_of(rig->memory));
    container_rig_run(rig);
    assert_int_equal(rig->ended, 0);
    assert_int_equal(fake_transport_under_way(rig->fake), 2);
    assert_string_equal(container_kind.engine_of(rig->memory)->registry_ipv4, "172.18.0.4");
    ANSWER(rig, "200", "401");
    container_rig_run(rig);
    assert_int_equal(rig->ended, 1);
}

static void podman_is_observed(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "ping", "podman-4.3.1/list.json", "podman-4.3.1/inspect.json",
           "podman-4.3.1/network.json", IMAGE);
    container_rig_observe(rig);
    const struct container *container = current_container(rig->current, "hostk8s-registry");
    assert_non_null(container);
    assert_int_equal(container->state, CONTAINER_CREATED);
    assert_true(rig->current->network_present);
    assert_non_null(rig->current->network_id);
    assert_true(rig->current->facts[0].image_present);
    assert_null(rig->current->facts[0].port_holder); // podman lists ports of what does not run
    assert_int_equal(rig->current->facts[0].probe, PROBE_NONE);

    // It is as this program's former version made it: nothing of it differs.
    struct plan plan = {0};
    sample_set(&rig->config->registry.storage, "/home/dev/.local/share/hostk8s/registry");
    container_specs_done(&rig->current->specs);
    container_specs_make(rig->config, &rig->current->specs);
    container_kind.plan(&rig->input, rig->current, &plan);
    assert_int_equal(plan.action_count, 1);
    assert_int_equal(plan.actions[0]->op, CONTAINER_OP_START);
    plan_done(&plan);
}

static void nothing_is_observed(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "ping", "200 []", "404", "404");
    container_rig_observe(rig);
    assert_requests(rig, 0,
                    "/_ping\n/v1.41/info\n/v1.41/containers/json?all=1\n/v1.41/networks/kind\n"
                    "/v1.41/images/registry%3A2/json\n");
    assert_false(rig->current->network_present);
    assert_false(rig->current->facts[0].image_present);
    assert_int_equal(rig->current->facts[0].storage.state, STORAGE_USABLE);
    assert_null(rig->current->engine->registry_ipv4);
}

static void probes_tell_who_answers(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *answer; // NULL: none
        enum probe probe;
    } cases[] = {{"404", PROBE_ANSWERS},
                 {"499", PROBE_ANSWERS},
                 {"500", PROBE_SILENT},
                 {NULL, PROBE_SILENT}};
    ANSWER(rig, "ping");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        ANSWER(rig, RECORDED, "404", IMAGE);
        if (cases[i].answer != NULL) {
            container_rig_answer(rig, cases[i].answer);
        } else {
            fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
        }
        container_rig_observe(rig);
        assert_int_equal(rig->current->facts[0].probe, cases[i].probe);
        assert_int_equal(fake_transport_clients(rig->fake), 1); // the engine's
    }
    // What is wrong with this process says nothing about the registry.
    ANSWER(rig, RECORDED, "404", IMAGE);
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, EMFILE, "too many open files");
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, EMFILE);
}

// Where it is not published as it was made, another answer would be taken for its own.
static void only_what_is_published_there_is_asked(void **state)
{
    struct container_rig *rig = *state;
    struct container_specs specs;
    container_specs_make(rig->config, &specs);
    static const struct {
        const char *mode;
        const char *address;
        const char *port;
        bool asked;
    } cases[] = {
        {"bridge", "127.0.0.1", "5002", true}, {"bridge", "", "5002", true},
        {"bridge", "0.0.0.0", "5002", true},   {"bridge", "10.0.0.1", "5002", false},
        {"bridge", "", "5999", false},         {"host", "127.0.0.1", "5002", false},
    };
    ANSWER(rig, "ping");
    for (size_t i = 0; i < 2 * ELEMENTS(cases); i++) {
        bool made_from = i < ELEMENTS(cases); // this spec: else it is asked in any case
        size_t n = i % ELEMENTS(cases);
        _cleanup_free_ char *inspect = str_printf(
            "200 {'Id': 'a', 'Name': '/hostk8s-registry', 'State': {'Status': 'running'},"
            "'Config': {'Labels': {'" CONTAINER_LABEL_SPEC "': '%s'}}, 'HostConfig': {"
            "'NetworkMode': '%s', 'PortBindings': {'" CONTAINER_PORT
            "': [{'HostIp': '%s', 'HostPort': '%s'}]}}}",
            made_from ? specs.items[0].digest : "x", cases[n].mode, cases[n].address,
            cases[n].port);
        ANSWER(rig, "200 [{'Id': 'a', 'Names': ['/hostk8s-registry'], 'State': 'running'}]",
               inspect, "404", "404");
        if (cases[n].asked || !made_from) {
            ANSWER(rig, "200");
        }
        container_rig_observe(rig);
        assert_int_equal(rig->current->facts[0].probe,
                         cases[n].asked || !made_from ? PROBE_ANSWERS : PROBE_NONE);
    }
    container_specs_done(&specs);
}

static void remote_engine_is_asked_for_nothing_of_this_machine(void **state)
{
    struct container_rig *rig = *state;
    sample_set(&rig->config->docker.host, "tcp://10.0.0.1:2375");
    sample_set(&rig->config->registry.storage, "/missing/on/this/machine");
    ANSWER(rig, "ping", RECORDED, "404", IMAGE);
    container_rig_observe(rig);
    assert_int_equal(rig->current->facts[0].storage.state, STORAGE_USABLE);
    assert_int_equal(rig->current->facts[0].probe, PROBE_NONE);
}

static void storage_is_looked_at(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *path = str_printf("%s/missing", rig->directory);
    sample_set(&rig->config->registry.storage, path);
    ANSWER(rig, "ping", "200 []", "404", "404");
    container_rig_observe(rig);
    assert_int_equal(rig->current->facts[0].storage.state, STORAGE_MISSING);
}

static void answers_that_are_refused(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "500 {'message': 'no'}");
    container_rig_observe(rig);
    assert_int_equal(rig->error.status, 500);
    ANSWER(rig, "ping", "500 {'message': 'no'}");
    container_rig_observe(rig);
    assert_int_equal(rig->error.status, 500);
    ANSWER(rig, "200 []", "500 {'message': 'no network'}", "500 {'message': 'no image'}");
    container_rig_observe(rig);
    assert_non_null(strstr(rig->error.text, "no network")); // the first one is told

    // One request fails, the others are waited for.
    ANSWER(rig, "engine-28.5.2/list.json", "500 {'message': 'no container'}",
           "200 {'Id': '1', 'Name': '/../a'}", IMAGE);
    container_rig_observe(rig);
    assert_non_null(strstr(rig->error.text, "no container"));
    assert_int_equal(fake_transport_under_way(rig->fake), 0);
    ANSWER(rig, "engine-28.5.2/list.json", "404", "200 {'Id': '1', 'Name': '/../a'}", IMAGE);
    container_rig_observe(rig);
    assert_non_null(strstr(rig->error.text, "is no container"));

    fake_transport_refuse(rig->fake, 1, EMFILE);
    struct error err = {0};
    assert_int_equal(container_kind.observe(&rig->io, &rig->memory, &rig->input, NULL, NULL, &err),
                     -EMFILE);
    assert_int_equal(err.code, EMFILE);
    assert_int_equal(scripted_worker_run(rig->worker), 0);
}

// ---- nodes that do not run ----

static const char worker_list[] =
    "200 [{'Id': 'w', 'Names': ['/hostk8s-worker'], 'State': 'exited', 'Labels': {"
    "'io.x-k8s.kind.cluster': 'hostk8s', 'io.x-k8s.kind.role': 'worker'}}]";

static void answer_worker(struct container_rig *rig, const char *finished)
{
    _cleanup_free_ char *inspect =
        str_printf("200 {'Id': 'w', 'State': {'FinishedAt': '%s'}}", finished);
    ANSWER(rig, worker_list, inspect, "404", "404");
}

static void answer_address(struct container_rig *rig, const char *text)
{
    char path[] = "old-ipv4";
    struct docker_file file = {.path = path, .content = (char *)text, .length = strlen(text)};
    struct buf tar = BUF_INIT(1024 * 1024);
    assert_int_equal(docker_tar_write(&file, 1, &tar, NULL), 0);
    fake_transport_answer(
        rig->fake,
        &(struct fake_answer){.status = 200, .body = buf_str(&tar), .length = tar.length});
    buf_done(&tar);
}

static const struct engine_node *worker(const struct container_rig *rig)
{
    assert_non_null(rig->current);
    return engine_node(rig->current->engine, "hostk8s-worker");
}

static void address_of_a_stopped_node_is_read_once_for_each_end(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "ping");
    answer_worker(rig, "2026-11-30T06:00:00+01:00");
    answer_address(rig, "172.18.0.3\n");
    container_rig_observe(rig);
    assert_string_equal(worker(rig)->address, "172.18.0.3");
    assert_int_equal(worker(rig)->stopped_s, 1796014800); // 05:00 UTC

    size_t before = fake_transport_count(rig->fake);
    answer_worker(rig, "2026-11-30T05:00:00Z");
    container_rig_observe(rig);
    assert_string_equal(worker(rig)->address, "172.18.0.3");
    assert_requests(rig, before,
                    "/v1.41/containers/json?all=1\n/v1.41/containers/w/json\n"
                    "/v1.41/networks/kind\n/v1.41/images/registry%3A2/json\n");

    answer_worker(rig, "2026-11-30T05:00:01Z");
    answer_address(rig, "no address");
    container_rig_observe(rig);
    assert_null(worker(rig)->address);

    // What cannot be found out is left unknown.
    answer_worker(rig, "2026-11-30T05:00:02Z");
    ANSWER(rig, "404");
    container_rig_observe(rig);
    assert_null(worker(rig)->address);
    ANSWER(rig, worker_list, "500", "404", "404");
    container_rig_observe(rig);
    assert_int_equal(worker(rig)->stopped_s, 0);
}

static void nodes_of_others_are_not_looked_at(void **state)
{
    struct container_rig *rig = *state;
    strv_done(&rig->config->clusters);
    ANSWER(rig, "ping", worker_list, "404", "404");
    container_rig_observe(rig);
    assert_non_null(worker(rig));
}

static void so_many_nodes_are_looked_at(void **state)
{
    struct container_rig *rig = *state;
    struct buf list = BUF_INIT(64 * 1024);
    (void)buf_append_str(&list, "200 [");
    for (int i = 0; i < 17; i++) {
        (void)buf_printf(&list,
                         "%s{'Id': 'w%d', 'Names': ['/w%d'], 'State': 'exited', 'Labels': {"
                         "'io.x-k8s.kind.cluster': 'hostk8s', 'io.x-k8s.kind.role': 'worker'}}",
                         i == 0 ? "" : ", ", i, i);
    }
    (void)buf_append_str(&list, "]");
    ANSWER(rig, "ping", buf_str(&list));
    for (int i = 0; i < 18; i++) {
        ANSWER(rig, "404");
    }
    container_rig_observe(rig);
    assert_int_equal(rig->current->engine->node_count, 17);
    assert_int_equal(fake_transport_count(rig->fake), 3 + 16 + 2);
    buf_done(&list);
}

// ---- its end ----

// Wherever an observation is, it ends when it is cancelled or the key is forgotten.
static void ends_wherever_it_is(void **state)
{
    struct container_rig *rig = *state;
    for (unsigned steps = 0; steps < 14; steps++) {
        ANSWER(rig, "ping", RECORDED, "404", "404");
        container_rig_begin_observation(rig);
        for (unsigned i = 0; i < steps / 2; i++) {
            assert_true(i == 0 ? scripted_worker_run(rig->worker) == 1
                               : fake_transport_advance(rig->fake));
        }
        assert_int_equal(rig->ended, 0);
        container_kind.cancel(&rig->io, rig->memory, false);
        if (steps % 2 == 1) {
            container_kind.invalidate(&rig->io, &rig->memory);
            assert_null(rig->io.docker);
        }
        container_rig_run(rig);
        assert_int_equal(rig->ended, 1);
        assert_int_equal(rig->error.code, ECANCELED);
        // With a transport of its own for the answers that were left.
        container_kind.invalidate(&rig->io, &rig->memory);
        container_rig_run(rig);
        fake_transport_free(rig->fake);
        rig->fake = fake_transport_new();
        rig->io.transport = fake_transport_http(rig->fake);
    }
}

static void probe_is_cancelled(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "ping", RECORDED, "404", "404");
    container_rig_begin_observation(rig);
    container_rig_run(rig);
    assert_string_equal(fake_transport_last(rig->fake)->path, "/v2/");
    container_kind.invalidate(&rig->io, &rig->memory);
    (void)fake_transport_run(rig->fake);
    assert_int_equal(rig->ended, 1);
    assert_int_equal(rig->error.code, ECANCELED);
}

static void nothing_is_cancelled_where_nothing_is(void **state)
{
    struct container_rig *rig = *state;
    container_kind.cancel(&rig->io, rig->memory, true);
    ANSWER(rig, "ping", "200 []", "404", "404");
    container_rig_observe(rig);
    container_kind.cancel(&rig->io, rig->memory, true);
    ANSWER(rig, "200 []", "404", "404");
    container_rig_observe(rig);
    assert_non_null(rig->current);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, container_rig_begin, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(docker_is_observed),
        TEST(the_engine_is_found_before_registries_answer),
        TEST(podman_is_observed),
        TEST(nothing_is_observed),
        TEST(probes_tell_who_answers),
        TEST(only_what_is_published_there_is_asked),
        TEST(remote_engine_is_asked_for_nothing_of_this_machine),
        TEST(storage_is_looked_at),
        TEST(answers_that_are_refused),
        TEST(address_of_a_stopped_node_is_read_once_for_each_end),
        TEST(nodes_of_others_are_not_looked_at),
        TEST(so_many_nodes_are_looked_at),
        TEST(ends_wherever_it_is),
        TEST(probe_is_cancelled),
        TEST(nothing_is_cancelled_where_nothing_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
