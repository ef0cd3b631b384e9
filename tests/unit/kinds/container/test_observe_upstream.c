// Whom an observation asks about a cache: itself, its upstream, and the file of its password.
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/container_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CACHE "hostk8s-registry-cache-up.example"
static const char list[] = "200 [{'Id': 'a', 'Names': ['/" CACHE "'], 'State': 'running'}]";
#define NOTHING "200 []", "404", "404", "404" // no network, and no image of both
#define MINUTE_MS UINT64_C(60000)

// On the network, and only where that is this machine's own.
static void cache_is_asked_on_its_network(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *gateway;
        const char *address;
        const char *base; // NULL: it is not asked
    } cases[] = {
        {"127.0.0.1", "127.0.0.9", "http://127.0.0.9:5000"},
        {"127.0.0.1", "127.0.0.9", "http://127.0.0.9:5000"},
        {"127.0.0.1", "127.0.0.8", "http://127.0.0.8:5000"},
        {"192.0.2.1", "192.0.2.9", NULL}, // RFC 5737: no machine has it
        {"", "127.0.0.9", NULL},
        {"127.0.0.1", "", NULL},
    };
    container_rig_configure(rig, "caches: [up.example]");
    rig->input.now_ms = 1;
    ANSWER(rig, "ping", NOTHING, "401");
    container_rig_observe(rig);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *inspect = str_printf(
            "200 {'Id': 'a', 'Name': '/" CACHE "', 'State': {'Status': 'running'}, "
            "'NetworkSettings': {'Networks': {'kind': {'IPAddress': '%s', 'Gateway': '%s'}}}}",
            cases[i].address, cases[i].gateway);
        ANSWER(rig, list, inspect, "404", "404", "404");
        if (cases[i].base != NULL) {
            ANSWER(rig, "200");
        }
        container_rig_observe(rig);
        assert_int_equal(rig->current->facts[1].probe,
                         cases[i].base == NULL ? PROBE_NONE : PROBE_ANSWERS);
        const struct fake_request *asked = fake_transport_last(rig->fake);
        assert_true(
            cases[i].base == NULL ||
            str_equal(fake_transport_endpoint(rig->fake, asked->endpoint)->base, cases[i].base));
    }
    assert_int_equal(fake_transport_clients(rig->fake), 1); // the engine's
}

#define LOGIN "caches: [{upstream: up.example, username: me, passwordFile: /missing}]"
#define BASIC "WWW-Authenticate: basic realm=x\r\n"
#define NO_REGISTRY "https://up.example is no registry, its /v2/ answers with "

static void upstream_is_asked(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *config;
        int status;
        const char *headers;
        const char *fault; // NULL: none
    } cases[] = {
        {"caches: [up.example]", 200, "Docker-Distribution-Api-Version: registry/2.0\r\n", NULL},
        {"caches: [up.example]", 200, "Content-Type: application/json\r\n", NULL},
        {"caches: [up.example]", 401, "WWW-Authenticate: Bearer realm=x\r\n", NULL},
        {"caches: [up.example]", 307, "Location: https://other/v2/\r\n", NULL},
        {"caches: [up.example]", 429, NULL, NULL},
        {"caches: [up.example]", 200, "Content-Type: text/html\r\n",
         NO_REGISTRY "200; correct the url in caches"},
        {"caches: [up.example]", 404, NULL, NO_REGISTRY "404; correct the url in caches"},
        {"caches: [up.example]", 503, NULL, "https://up.example/v2/ answers with 503"},
        {"caches: [up.example]", 0, NULL,
         "this machine does not reach https://up.example (no such host)"},
        {"caches: [up.example]", 401, BASIC,
         "https://up.example asks for a login; declare its username and passwordFile in caches"},
        {LOGIN, 401, BASIC,
         "https://up.example asks for a login of type Basic, which registry:2 does not know; set "
         "registry.image: registry:3"},
        {"registry: {image: registry:3}\n" LOGIN, 401, BASIC, NULL},
        {"registry: {image: 'registry:2.8.3'}\ncaches: [up.example]", 401, BASIC,
         "https://up.example asks for a login; declare its username and passwordFile in caches"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        container_kind.invalidate(&rig->io, &rig->memory);
        container_rig_configure(rig, cases[i].config);
        ANSWER(rig, "ping", NOTHING);
        fake_transport_answer(rig->fake,
                              &(struct fake_answer){
                                  .status = cases[i].status,
                                  .headers = cases[i].headers,
                                  .error = {cases[i].status == 0 ? ERROR_TRANSIENT : ERROR_NONE,
                                            ECONNREFUSED, 0, 0, "no such host"},
                              });
        rig->input.now_ms = 1;
        container_rig_observe(rig);
        assert_int_equal(rig->error.kind, ERROR_NONE);
        assert_true(str_equal(rig->current->facts[1].upstream_fault, cases[i].fault));
        // Not again at once, but soon if it is wrong; the answer stands until then.
        ANSWER(rig, NOTHING);
        rig->input.now_ms += cases[i].fault == NULL ? 10 * MINUTE_MS - 1 : MINUTE_MS - 1;
        container_rig_observe(rig);
        assert_true(str_equal(rig->current->facts[1].upstream_fault, cases[i].fault));
        ANSWER(rig, NOTHING, "401");
        rig->input.now_ms++;
        container_rig_observe(rig);
        assert_string_equal(fake_transport_last(rig->fake)->path, "/v2/");
        assert_null(rig->current->facts[1].upstream_fault);
    }
}

// Who cannot be asked from here is nobody's fault.
static void upstream_is_not_asked(void **state)
{
    struct container_rig *rig = *state;
    static const char *const configs[] = {
        "caches: [{upstream: up.example, url: 'http://mirror:5000'}]",
        "registry: {environment: {https_proxy: 'http://proxy:1'}}\ncaches: [up.example]",
    };
    container_rig_configure(rig, "registry: {environment: {NO_PROXY: a}}\ncaches: [up.example]");
    ANSWER(rig, "ping", NOTHING, "404"); // no proxy: it is asked
    container_rig_observe(rig);
    assert_non_null(rig->current->facts[1].upstream_fault);
    for (size_t i = 0; i < ELEMENTS(configs); i++) {
        container_kind.invalidate(&rig->io, &rig->memory);
        container_rig_configure(rig, configs[i]);
        ANSWER(rig, "ping", NOTHING);
        container_rig_observe(rig);
        assert_null(rig->current->facts[1].upstream_fault);
    }
    // What is wrong with this process says nothing about the upstream.
    container_kind.invalidate(&rig->io, &rig->memory);
    container_rig_configure(rig, "caches: [up.example]");
    ANSWER(rig, "ping", NOTHING);
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, EMFILE, "too many open files");
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, EMFILE);
    // Nor does an end, which both are told.
    ANSWER(rig, NOTHING);
    container_rig_begin_observation(rig);
    container_rig_run(rig);
    assert_int_equal(rig->ended, 0);
    container_kind.cancel(&rig->io, rig->memory, false);
    container_rig_run(rig);
    assert_int_equal(rig->error.code, ECANCELED);
}

static void password_is_looked_at(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *path = str_printf("%s/password", rig->directory);
    _cleanup_free_ char *text = str_printf(
        "caches: [{upstream: a.b, url: 'http://a', username: me, passwordFile: '%s'}]", path);
    char digests[3][CONTAINER_DIGEST_SIZE] = {""};
    container_rig_configure(rig, text);
    ANSWER(rig, "ping");
    for (size_t i = 0; i < ELEMENTS(digests); i++) {
        assert_int_equal(file_replace(path, "passwords", 8 + (i + 1) / 2), 0);
        ANSWER(rig, NOTHING);
        container_rig_observe(rig);
        assert_int_equal(rig->current->facts[1].password.state, STORAGE_USABLE);
        memcpy(digests[i], rig->current->specs.items[1].digest, CONTAINER_DIGEST_SIZE);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(digests[i], digests[j]);
        }
    }
    static const char *const whys[] = {"No such file or directory", "it is empty", "it is no file"};
    for (size_t i = 0; i < ELEMENTS(whys); i++) {
        (void)unlink(path);
        assert_true(i != 1 || file_replace(path, "", 0) == 0);
        assert_true(i != 2 || mkdir(path, 0700) == 0);
        ANSWER(rig, NOTHING);
        container_rig_observe(rig);
        _cleanup_free_ char *why = str_printf("%s cannot be read (%s)", path, whys[i]);
        assert_int_equal(rig->current->facts[1].password.state, STORAGE_BROKEN);
        assert_string_equal(rig->current->facts[1].password.why, why);
    }
    assert_int_equal(rmdir(path), 0);
}

// It is its own spec's matter alone.
static void password_hangs(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *text = str_printf(
        "caches: [{upstream: a.b, url: 'http://a', username: me, passwordFile: '%s/password'}]",
        rig->directory);
    container_rig_configure(rig, text);
    ANSWER(rig, "ping", NOTHING);
    container_rig_observe(rig);
    ANSWER(rig, NOTHING);
    container_rig_begin_observation(rig);
    (void)fake_transport_run(rig->fake);
    assert_int_equal(scripted_worker_time_out(rig->worker), 3); // the two directories and the file
    assert_int_equal(rig->error.kind, ERROR_NONE);
    assert_int_equal(rig->current->facts[1].password.state, STORAGE_BROKEN);
    assert_non_null(strstr(rig->current->facts[1].password.why, "password does not answer"));
    assert_int_equal(rig->current->facts[0].storage.state, STORAGE_BROKEN);
    assert_non_null(strstr(rig->current->facts[0].storage.why, "does not answer"));
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, container_rig_begin, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cache_is_asked_on_its_network), TEST(upstream_is_asked), TEST(upstream_is_not_asked),
        TEST(password_is_looked_at),         TEST(password_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
