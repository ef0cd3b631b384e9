#include "tests/support/config_test.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_means_the_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "---\n",
                                        "registry:\nui: {}\nnodes: ~\ndocker:\n tls:\n"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_config_ struct config *config = parse(texts[i]);
        assert_defaults(config);
    }
}

static void values_are_read_and_completed(void **state)
{
    (void)state;
    _cleanup_config_ struct config *config =
        parse("registry:\n"
              "  name: My.Reg-1\n"
              "  image: localhost:5000/a_b/c--d:V1@sha256:"
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
              "  listen: '[0:0::1]:80'\n"
              "  storage: data/\n"
              "  restart: no\n"
              "  delete: false\n"
              "  environment: {REGISTRY_STORAGE_DELETE_ENABLED: 'false', "
              "REGISTRY_HTTP_ADDR: ':5000', N: 1}\n"
              "clusters: ['*', a?c]\n"
              "nodes: {aliases: [z.example:1, '[fd00::1]:5000', z.example:1, localhost:80]}\n"
              "ui: {url: 'https://h.example:8443/', path: /a/b, environment: {PULL_URL: x, "
              "NGINX_LISTEN_PORT: 80}}\n"
              "docker: {host: 'tcp://[::1]:2376', tls: {ca: ca.pem, cert: ~/c, key: /k}}\n"
              "kubernetes: {kubeconfig: ~/.kube/config}\n"
              "reconcile: {poll: 1s, timeout: 10m, backoff: {initial: 1m, max: 1m}}\n"
              "log: {level: debug}\n");
    assert_string_equal(config->registry.name, "My.Reg-1");
    assert_string_equal(config->registry.listen_address, "::1");
    assert_int_equal(config->registry.listen_port, 80);
    assert_string_equal(config->registry.storage, "/etc/app/data");
    assert_int_equal(config->registry.restart, RESTART_NO);
    assert_false(config->registry.delete_enabled);
    assert_string_equal(strmap_get(&config->registry.environment, "N"), "1");
    assert_aliases(config, "z.example:1 [fd00::1]:5000 localhost:80 127.0.0.1:80 My.Reg-1:5000 ");
    assert_string_equal(config->ui.url, "https://h.example:8443");
    assert_string_equal(config->ui.path, "/a/b/");
    assert_string_equal(config->docker.host, "tcp://[::1]:2376");
    assert_true(config->docker.tls);
    assert_string_equal(config->docker.ca, "/etc/app/ca.pem");
    assert_string_equal(config->docker.cert, "/home/u/c");
    assert_string_equal(config->docker.key, "/k");
    assert_string_equal(config->kubeconfig, "/home/u/.kube/config");
    assert_int_equal(config->reconcile.timeout_ms, 600000);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
}

static void remote_needs_permission_alone(void **state)
{
    (void)state;
    _cleanup_config_ struct config *config =
        parse("registry: {listen: '0.0.0.0:5002', allowRemote: true}");
    assert_string_equal(config->registry.listen_address, "0.0.0.0");
    _cleanup_config_ struct config *loopback = parse("registry: {listen: '127.8.0.1:1'}");
    assert_string_equal(loopback->registry.listen_address, "127.8.0.1");
}

static void docker_host_one(const char *variable, const char *text, const char *expected)
{
    _cleanup_map_ struct strmap variables = with_home();
    assert_int_equal(strmap_set(&variables, "DOCKER_HOST", variable), 0);
    if (str_starts_with(expected, "x.yaml")) {
        _cleanup_free_ char *problems = problems_with(text, &variables);
        assert_string_equal(problems, expected);
    } else {
        _cleanup_config_ struct config *config = parse_with(text, &variables);
        assert_string_equal(config->docker.host, expected);
    }
}

static void docker_host_stands_between_default_and_key(void **state)
{
    (void)state;
    docker_host_one("", "", "unix:///var/run/docker.sock");
    docker_host_one("unix:///run/u", "", "unix:///run/u");
    docker_host_one("unix:///run/u", "docker: {host: }", "unix:///run/u");
    docker_host_one("tcp://h:1", "docker: {host: 'unix:///k'}", "unix:///k");
    docker_host_one("ssh://user:s3cret@h", "docker: {host: 'unix:///k'}", "unix:///k");
    docker_host_one("ssh://user:s3cret@h", "",
                    "x.yaml:1:1: docker.host: the environment variable DOCKER_HOST must be "
                    "unix://PATH or tcp://HOST:PORT, other schemes are not supported\n");
    docker_host_one("tcp://h", "docker:\n  tls: {ca: x}\n",
                    "x.yaml:2:3: docker.host: the environment variable DOCKER_HOST must be "
                    "tcp://HOST:PORT, the port is missing\n");
}

static void without_home_the_default_storage_is_a_problem(void **state)
{
    (void)state;
    _cleanup_map_ struct strmap variables = {0};
    _cleanup_free_ char *problems = problems_with("", &variables);
    assert_string_equal(problems, "x.yaml:1:1: registry.storage: the default "
                                  "~/.local/share/hostk8s/registry: the variable HOME is not "
                                  "set\n");
    _cleanup_config_ struct config *config = parse_with("registry: {storage: /s}", &variables);
    assert_string_equal(config->registry.storage, "/s");
}

static void clusters_match_like_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *patterns;
        const char *cluster;
        bool wanted;
    } cases[] = {
        {"[]", "hostk8s", false},     {"[hostk8s]", "hostk8s", true},
        {"[hostk8s]", "host", false}, {"['*']", "any-thing.x", true},
        {"[a, 'b*']", "bcd", true},   {"[a, 'b*']", "abc", false},
        {"['a?c']", "abc", true},     {"['a?c']", "ac", false},
        {"['*-dev']", "x-dev", true}, {"['a.c']", "abc", false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text = str_printf("clusters: %s", cases[i].patterns);
        _cleanup_config_ struct config *config = parse(text);
        assert_int_equal(config_wants_cluster(config, cases[i].cluster), cases[i].wanted);
    }
}

static void restart_policies_have_the_engines_names(void **state)
{
    (void)state;
    assert_string_equal(restart_policy_name(RESTART_ALWAYS), "always");
    assert_string_equal(restart_policy_name(RESTART_UNLESS_STOPPED), "unless-stopped");
    assert_string_equal(restart_policy_name(RESTART_ON_FAILURE), "on-failure");
    assert_string_equal(restart_policy_name(RESTART_NO), "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(values_are_read_and_completed),
        cmocka_unit_test(remote_needs_permission_alone),
        cmocka_unit_test(docker_host_stands_between_default_and_key),
        cmocka_unit_test(without_home_the_default_storage_is_a_problem),
        cmocka_unit_test(clusters_match_like_a_shell),
        cmocka_unit_test(restart_policies_have_the_engines_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
