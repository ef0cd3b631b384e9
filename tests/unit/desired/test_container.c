// The declared container and hosts.toml.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

static char *digest_of(const struct config *config)
{
    struct desired_container container = {0};
    char *digest = NULL;
    assert_int_equal(desired_container(config, &container), 0);
    assert_int_equal(desired_container_digest(&container, &digest), 0);
    desired_container_done(&container);
    return digest;
}

static void spec_is_what_the_engine_is_asked_for(void **state)
{
    struct config *config = *state;
    assert_int_equal(strmap_set(&config->registry.environment, "REGISTRY_LOG_LEVEL", "debug"), 0);
    config->registry.restart = RESTART_ON_FAILURE;
    struct desired_container container = {0};
    assert_int_equal(desired_container(config, &container), 0);
    json_auto_t *spec = desired_container_spec(&container);
    assert_non_null(spec);
    _cleanup_free_ char *text = json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text,
        "{\"Env\":[\"REGISTRY_LOG_LEVEL=debug\",\"REGISTRY_STORAGE_DELETE_ENABLED=true\"],"
        "\"ExposedPorts\":{\"5000/tcp\":{}},"
        "\"HostConfig\":{\"Binds\":[\"/home/user/.local/share/hostk8s/registry:/var/lib/"
        "registry\"],"
        "\"PortBindings\":{\"5000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"5002\"}]},"
        "\"RestartPolicy\":{\"Name\":\"on-failure\"}},\"Image\":\"registry:2\","
        "\"Labels\":{\"io.hostk8s.registryd.environment\":\"REGISTRY_LOG_LEVEL,"
        "REGISTRY_STORAGE_DELETE_ENABLED\",\"io.hostk8s.registryd.owner\":\"hostk8s-registry\"}}");
    desired_container_done(&container);
}

static void digest_follows_the_spec(void **state)
{
    struct config *config = *state;
    _cleanup_free_ char *first = digest_of(config);
    _cleanup_free_ char *again = digest_of(config);
    assert_int_equal(strlen(first), 16);
    assert_string_equal(first, again);
    config->registry.delete_enabled = false;
    _cleanup_free_ char *other = digest_of(config);
    assert_string_not_equal(first, other);
}

static void hosts_toml_sends_to_the_registry(void **state)
{
    struct config *config = *state;
    struct buf text = BUF_INIT(4096);
    assert_int_equal(desired_hosts_toml(config, &text), 0);
    assert_string_equal(buf_str(&text), "# managed by hostk8s-registryd\n"
                                        "server = \"http://hostk8s-registry:5000\"\n"
                                        "\n"
                                        "[host.\"http://hostk8s-registry:5000\"]\n"
                                        "  capabilities = [\"pull\", \"resolve\"]\n"
                                        "  skip_verify = true\n");
    buf_done(&text);
    config->nodes.skip_verify = false;
    assert_int_equal(desired_hosts_toml(config, &text), 0);
    assert_null(strstr(buf_str(&text), "skip_verify"));
    buf_done(&text);
}

#define HOST "[host.\"http://kind-registry:5000\"]\n"
#define HUNDRED                                                                                    \
    "                                                                                            " \
    "        "
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static const struct {
    const char *content;
    bool is_script;
} scripts[] = {
    {HOST, true},
    {"[host.\"http://kind-registry:5000\"]", true},
    {"server = \"http://hostk8s-registry:5000\"\n\n" HOST
     "  capabilities = [\"pull\", \"resolve\"]\r\n  skip_verify = true\n",
     true},
    {"# /etc/containerd/certs.d/localhost:5000/hosts.toml\nserver=\"http://r:5000\"\n" HOST
     "\tcapabilities=[\"pull\"]\n",
     true},
    {"", false},
    {"server = \"http://hostk8s-registry:5000\"\n", false},
    {HOST HOST, false},
    {"[host.\"https://mirror.example\"]\n", false},
    {"[host.\"http://kind-registry:5001\"]\n", false},
    {HOST "  ca = \"/etc/ca.pem\"\n", false},
    {HOST "  # mine\n", false},
    {"# mine\n" HOST, false},
    {"server = 1\n" HOST, false},
    {"server\n" HOST, false},
    {"serverless = \"http://a\"\n" HOST, false},
    {HOST THOUSAND THOUSAND THOUSAND THOUSAND HUNDRED, false},
};

static void scripts_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(scripts); i++) {
        if (desired_hosts_is_script(scripts[i].content) != scripts[i].is_script) {
            fail_msg("%s", scripts[i].content);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spec_is_what_the_engine_is_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(digest_follows_the_spec, begin, end),
        cmocka_unit_test_setup_teardown(hosts_toml_sends_to_the_registry, begin, end),
        cmocka_unit_test(scripts_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
