// The container as it is declared, and as the engine is asked for it.
#include "lib/base/str.h"
#include "lib/kinds/container/desired.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *get_home(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

static const struct config_environment environment = {get_home, NULL};

static int begin(void **state)
{
    *state = sample_config();
    return 0;
}

static int end(void **state)
{
    config_free(*state);
    return 0;
}

static void body_is_what_the_engine_is_asked_for(void **state)
{
    struct config *config = *state;
    strmap_set(&config->registry.environment, "REGISTRY_LOG_LEVEL", "debug");
    config->registry.restart = RESTART_ON_FAILURE;
    struct container_specs specs;
    container_specs_make(config, &specs);
    assert_int_equal(specs.count, 1);
    json_auto_t *body = container_spec_body(&specs.items[0]);
    assert_non_null(body);
    json_t *labels = json_object_get(body, "Labels");
    const char *digest = json_string_value(json_object_get(labels, CONTAINER_LABEL_SPEC));
    assert_string_equal(digest, specs.items[0].digest);
    assert_int_equal(json_object_del(labels, CONTAINER_LABEL_SPEC), 0);
    _cleanup_free_ char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text,
        "{\"Env\":[\"REGISTRY_LOG_LEVEL=debug\",\"REGISTRY_STORAGE_DELETE_ENABLED=true\",\"OTEL_"
        "TRACES_EXPORTER=none\"],"
        "\"ExposedPorts\":{\"5000/tcp\":{}},"
        "\"HostConfig\":{\"Binds\":[\"/home/user/.local/share/hostk8s/registry:/var/lib/"
        "registry\"],\"NetworkMode\":\"bridge\","
        "\"PortBindings\":{\"5000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"5002\"}]},"
        "\"RestartPolicy\":{\"Name\":\"on-failure\"}},\"Image\":\"registry:2\","
        "\"Labels\":{\"io.hostk8s.registryd.environment\":\"REGISTRY_LOG_LEVEL,"
        "REGISTRY_STORAGE_DELETE_ENABLED\",\"io.hostk8s.registryd.owner\":\"hostk8s-registry\"}}");
    assert_ptr_equal(container_specs_find(&specs, "network/kind/hostk8s-registry"),
                     &specs.items[0]);
    assert_null(container_specs_find(&specs, "container/other"));
    container_specs_done(&specs);
}

// Where the registry keeps its images, and who may push, is none of a cache's business.
static void cache_is_on_the_network_alone(void **unused)
{
    (void)unused;
    struct config *config = sample_config_of(
        "registry: {name: r0, image: 'registry:3', storage: /srv/r, restart: 'no', environment: "
        "{HTTPS_PROXY: 'http://p:1', REGISTRY_STORAGE_S3_BUCKET: b}}\n"
        "caches: [docker.io, {upstream: ghcr.io, username: me, passwordFile: /pw}]");
    struct container_specs specs;
    container_specs_make(config, &specs);
    assert_int_equal(specs.count, 3);
    for (size_t i = 1; i < specs.count; i++) {
        const struct container_spec *spec = &specs.items[i];
        json_auto_t *body = container_spec_body(spec);
        _cleanup_free_ char *expected = str_printf(
            "{%s\"Env\":[\"HTTPS_PROXY=http://"
            "p:1\",\"REGISTRY_PROXY_REMOTEURL=https://%s\","
            "\"REGISTRY_STORAGE_DELETE_ENABLED=true\",\"OTEL_TRACES_EXPORTER=none\"],"
            "\"ExposedPorts\":{\"5000/tcp\":{}},"
            "\"HostConfig\":{\"Binds\":[\"/srv/r-cache/%s:/var/lib/registry\"],"
            "\"NetworkMode\":\"bridge\",\"PortBindings\":{},\"RestartPolicy\":{\"Name\":"
            "\"no\"}},\"Image\":\"registry:3\",\"Labels\":{\"io.hostk8s.registryd.environment\":"
            "\"HTTPS_PROXY,REGISTRY_PROXY_REMOTEURL,REGISTRY_STORAGE_DELETE_ENABLED\","
            "\"io.hostk8s.registryd.owner\":\"r0\"}}",
            i == 1 ? "" : "\"Cmd\":[\"serve\",\"/etc/registryd-cache.json\"],",
            i == 1 ? "registry-1.docker.io" : "ghcr.io", i == 1 ? "docker.io" : "ghcr.io");
        assert_int_equal(json_object_del(json_object_get(body, "Labels"), CONTAINER_LABEL_SPEC), 0);
        _cleanup_free_ char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, expected);
        assert_true(container_spec_has_proxy(spec));
    }
    assert_string_equal(specs.items[2].name, "r0-cache-ghcr.io");
    assert_string_equal(specs.items[2].owner, "r0");
    // Another file for the password takes another container.
    char digest[CONTAINER_DIGEST_SIZE];
    memcpy(digest, specs.items[2].digest, sizeof(digest));
    container_spec_stamp(&specs.items[2], "1");
    assert_string_not_equal(specs.items[2].digest, digest);
    container_specs_done(&specs);
    config_free(config);
}

static void storage_is_labelled_where_the_engine_has_selinux(void **state)
{
    struct container_specs specs;
    container_specs_make(*state, &specs);
    struct container_spec *spec = &specs.items[0];
    _cleanup_free_ char *before = str_dup(spec->digest);
    container_spec_relabel(spec, false);
    assert_string_equal(spec->digest, before);
    _cleanup_free_ char *alternative = str_dup(spec->alternative);
    container_spec_relabel(spec, true);
    assert_string_equal(spec->digest, alternative);
    assert_string_equal(spec->alternative, "");
    assert_string_not_equal(spec->digest, before);
    json_auto_t *body = container_spec_body(spec);
    const json_t *binds = json_object_get(json_object_get(body, "HostConfig"), "Binds");
    assert_string_equal(json_string_value(json_array_get(binds, 0)),
                        "/home/user/.local/share/hostk8s/registry:/var/lib/registry:z");
    container_specs_done(&specs);
}

// The program says nothing where the user does.
static void traces_may_be_wanted(void **state)
{
    struct config *config = *state;
    struct container_specs specs;
    strmap_set(&config->registry.environment, "OTEL_TRACES_EXPORTER", "otlp");
    container_specs_make(config, &specs);
    json_auto_t *body = container_spec_body(&specs.items[0]);
    const json_t *variables = json_object_get(body, "Env");
    assert_int_equal(json_array_size(variables), 2);
    assert_string_equal(json_string_value(json_array_get(variables, 0)),
                        "OTEL_TRACES_EXPORTER=otlp");
    container_specs_done(&specs);
}

#define REGISTRY(text) "registry: {" text "}"

static void digest_follows_the_normal_form(void **unused)
{
    (void)unused;
    static const struct {
        const char *config;
        bool same;
    } cases[] = {
        {"{}", true},
        {REGISTRY("image: docker.io/library/registry:2"), true},
        {REGISTRY("storage: /home/user//.local/share/hostk8s/registry/"), true},
        {REGISTRY("restart: 'no'"), true}, // can be changed without another container
        {REGISTRY("image: registry:3"), false},
        {REGISTRY("listen: 127.0.0.1:5003"), false},
        {REGISTRY("listen: 127.0.0.2:5002"), false},
        {REGISTRY("storage: /srv"), false},
        {REGISTRY("delete: false"), false},
        {REGISTRY("name: reg"), false},
        {REGISTRY("environment: {A: \"x\\nB=y\"}"), false},
        {REGISTRY("environment: {A: x, B: y}"), false},
    };
    char digests[ELEMENTS(cases)][CONTAINER_DIGEST_SIZE];
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct config *config = NULL;
        struct problems problems = {0};
        struct container_specs specs;
        assert_int_equal(config_parse(cases[i].config, strlen(cases[i].config), "/home/user/a.yaml",
                                      &environment, &config, &problems),
                         0);
        container_specs_make(config, &specs);
        memcpy(digests[i], specs.items[0].digest, CONTAINER_DIGEST_SIZE);
        container_specs_done(&specs);
        problems_done(&problems);
        config_free(config);
        assert_int_equal(strlen(digests[i]), CONTAINER_DIGEST_SIZE - 1);
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(str_equal(digests[i], digests[j]), cases[i].same && cases[j].same);
        }
    }
}

static void body_needs_utf8(void **state)
{
    struct config *config = *state;
    sample_set(&config->registry.storage, "/srv/\xff");
    struct container_specs specs;
    container_specs_make(config, &specs);
    assert_null(container_spec_body(&specs.items[0]));
    container_specs_done(&specs);
    sample_set(&config->registry.storage, "/srv");
    strmap_set(&config->registry.environment, "A", "\xff");
    container_specs_make(config, &specs);
    assert_null(container_spec_body(&specs.items[0]));
    container_specs_done(&specs);
}

static const struct {
    const char *reference;
    const char *full;
} references[] = {
    {"registry", "docker.io/library/registry:latest"},
    {"registry:2", "docker.io/library/registry:2"},
    {"docker.io/registry:2", "docker.io/library/registry:2"},
    {"index.docker.io/library/registry:2", "docker.io/library/registry:2"},
    {"joxit/docker-registry-ui:2.6.0", "docker.io/joxit/docker-registry-ui:2.6.0"},
    {"localhost/registry:2", "localhost/registry:2"},
    {"localhost:5000/registry", "localhost:5000/registry:latest"},
    {"ghcr.io/a/b/c:1", "ghcr.io/a/b/c:1"},
    {"registry@sha256:12", "docker.io/library/registry@sha256:12"},
    {"registry:2@sha256:12", "docker.io/library/registry@sha256:12"},
    {"localhosts/registry", "docker.io/localhosts/registry:latest"},
    {"", "docker.io/library/:latest"},
    {"a/", "docker.io/a/:latest"},
    {"docker.io/", "docker.io/library/:latest"},
};

static void images_have_a_full_name(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t i = 0; i < ELEMENTS(references); i++) {
        assert_string_equal(container_image(&arena, references[i].reference), references[i].full);
    }
    arena_done(&arena);
    assert_true(container_image_is_same("registry", "registry:latest"));
    assert_false(container_image_is_same("registry:2", "localhost/registry:2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(body_is_what_the_engine_is_asked_for, begin, end),
        cmocka_unit_test(cache_is_on_the_network_alone),
        cmocka_unit_test_setup_teardown(storage_is_labelled_where_the_engine_has_selinux, begin,
                                        end),
        cmocka_unit_test_setup_teardown(traces_may_be_wanted, begin, end),
        cmocka_unit_test(digest_follows_the_normal_form),
        cmocka_unit_test_setup_teardown(body_needs_utf8, begin, end),
        cmocka_unit_test(images_have_a_full_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
