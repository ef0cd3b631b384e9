#include "tests/support/config_test.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

static void nothing_means_the_defaults(_unused_ void **state)
{
    static const char *const texts[] = {"", "---\n",
                                        "registry:\nui: {}\nnodes: ~\ndocker:\n tls:\n"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_config_ struct config *config = parse(texts[i]);
        assert_defaults(config);
    }
}

static void values_are_read_and_completed(_unused_ void **state)
{
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
    assert_string_equal(config->registry.storage, "/srv/app/data");
    assert_int_equal(config->registry.restart, RESTART_NO);
    assert_false(config->registry.delete_enabled);
    assert_string_equal(strmap_get(&config->registry.environment, "N"), "1");
    assert_aliases(config, "z.example:1 [fd00::1]:5000 localhost:80 127.0.0.1:80 my.reg-1:5000 ");
    assert_string_equal(config->ui.url, "https://h.example:8443");
    assert_string_equal(config->ui.path, "/a/b/");
    assert_string_equal(config->docker.host, "tcp://[::1]:2376");
    assert_true(config->docker.tls);
    assert_string_equal(config->docker.ca, "/srv/app/ca.pem");
    assert_string_equal(config->docker.cert, "/home/u/c");
    assert_string_equal(config->docker.key, "/k");
    assert_string_equal(config->kubeconfig, "/home/u/.kube/config");
    assert_int_equal(config->reconcile.timeout_ms, 600000);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
}

static void caches_are_completed(_unused_ void **state)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    _cleanup_config_ struct config *config =
        parse("registry: {name: r0, storage: /srv/r}\n"
              "caches: [Docker.io, {upstream: ghcr.io, username: me, passwordFile: pw}, "
              "{upstream: '[FD00::1]:05000', url: 'http://x:80/'}]");
    for (const struct config_cache *cache = config->caches; cache->upstream != NULL; cache++) {
        assert_int_equal(buf_printf(&out, "%s %s %s %s %s %s\n", cache->upstream, cache->url,
                                    cache->username,
                                    cache->password_file == NULL ? "-" : cache->password_file,
                                    cache->container, cache->storage),
                         0);
    }
    assert_string_equal(
        buf_str(&out),
        "docker.io https://registry-1.docker.io  - r0-cache-docker.io /srv/r-cache/docker.io\n"
        "ghcr.io https://ghcr.io me /srv/app/pw r0-cache-ghcr.io /srv/r-cache/ghcr.io\n"
        "[fd00::1]:5000 http://x:80  - r0-cache--fd00--1--5000 /srv/r-cache/-fd00--1--5000\n");
}

static void remote_needs_permission_alone(_unused_ void **state)
{
    _cleanup_config_ struct config *config =
        parse("registry: {listen: '0.0.0.0:5002', allowRemote: true}");
    assert_string_equal(config->registry.listen_address, "0.0.0.0");
    _cleanup_config_ struct config *loopback = parse("registry: {listen: '127.8.0.1:1'}");
    assert_string_equal(loopback->registry.listen_address, "127.8.0.1");
}

static void docker_host_one(const char *variable, const char *text, const char *host,
                            const char *found)
{
    _cleanup_map_ struct strmap variables = with_home();
    strmap_set(&variables, "DOCKER_HOST", variable);
    _cleanup_config_ struct config *config = parse_with(text, &variables);
    assert_string_equal(config->docker.host, host);
    assert_true(str_equal(config->docker.search.host, found));
}

static void docker_host_problem(const char *variable, const char *text, const char *expected)
{
    _cleanup_map_ struct strmap variables = with_home();
    strmap_set(&variables, "DOCKER_HOST", variable);
    _cleanup_free_ char *problems = problems_with(text, &variables);
    assert_string_equal(problems, expected);
}

static void docker_host_of_the_environment_stands_behind_the_key(_unused_ void **state)
{
    docker_host_one("", "", "", NULL);
    docker_host_one("unix:///run/u", "", "", "unix:///run/u");
    docker_host_one("unix:///run/u", "docker: {host: }", "", "unix:///run/u");
    docker_host_one("unix:///run/u", "docker: {host: ''}", "", "unix:///run/u");
    docker_host_one("tcp://h:1", "docker: {host: 'unix:///k'}", "unix:///k", NULL);
    docker_host_one("tcp://h:1", "docker: {tls: {ca: x}}", "", "tcp://h:1");
    docker_host_one("ssh://user:s3cret@h", "docker: {host: 'unix:///k'}", "unix:///k", NULL);
    docker_host_problem("ssh://user:s3cret@h", "",
                        "x.yaml:1:1: docker.host: the environment variable DOCKER_HOST must be "
                        "unix://PATH or tcp://HOST:PORT, other schemes are not supported\n");
    docker_host_problem("tcp://h", "docker:\n  tls: {ca: x}\n",
                        "x.yaml:2:3: docker.host: the environment variable DOCKER_HOST must have "
                        "a port, as in HOST:PORT\n");
}

static void engine_is_looked_for_as_the_environment_says(_unused_ void **state)
{
    _cleanup_map_ struct strmap variables = with_home();
    strmap_set(&variables, "XDG_RUNTIME_DIR", "/run/user/7");
    strmap_set(&variables, "DOCKER_CONTEXT", "colima");
    _cleanup_config_ struct config *config = parse_with("", &variables);
    const struct config_docker_search *search = &config->docker.search;
    assert_string_equal(search->context, "colima");
    assert_string_equal(search->config_dir, "/home/u/.docker");
    assert_int_equal(search->sockets.count, 3);
    assert_string_equal(search->sockets.items[0], "/var/run/docker.sock");
    assert_string_equal(search->sockets.items[1], "/run/user/7/docker.sock");
    assert_string_equal(search->sockets.items[2], "/run/user/7/podman/podman.sock");
    // A registry over the place of a socket would hide it.
    _cleanup_free_ char *problems =
        problems_with("registry: {storage: /run/user/7/podman}", &variables);
    assert_string_equal(problems, "x.yaml:1:21: registry.storage: must not be the engine's socket, "
                                  "/run/user/7/podman/podman.sock, or a directory that holds it\n");

    strmap_set(&variables, "XDG_RUNTIME_DIR", "relative");
    strmap_set(&variables, "DOCKER_CONFIG", "/etc/d");
    _cleanup_config_ struct config *other = parse_with("", &variables);
    assert_string_equal(other->docker.search.config_dir, "/etc/d");
    assert_int_equal(other->docker.search.sockets.count, 1);
}

// Valid, but no YAML could hold it, so that `check --print` would print what `check` refuses.
static void docker_host_is_utf8(_unused_ void **state)
{
    docker_host_problem("unix:///a\xff"
                        "b",
                        "",
                        "x.yaml:1:1: docker.host: the environment variable DOCKER_HOST is not "
                        "valid UTF-8\n");
    docker_host_one("unix:///caf\xc3\xa9", "", "", "unix:///caf\xc3\xa9");
}

// Whatever image names begin with has one spelling, and one directory on the nodes.
static void aliases_have_one_spelling(_unused_ void **state)
{
    _cleanup_config_ struct config *config =
        parse("nodes: {aliases: ['localhost:05000', 'LOCALHOST:5002', '[0:0:0:0:0:0:0:1]:5000', "
              "'[::1]:5000', 'Registry.Local:80', '[FD00::A]:1']}\n"
              "registry: {name: My.Registry}");
    assert_aliases(config, "localhost:5000 localhost:5002 [::1]:5000 registry.local:80 [fd00::a]:1 "
                           "127.0.0.1:5002 my.registry:5000 ");
}

static void urls_have_one_spelling(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *url;
    } cases[] = {
        {"http://LocalHost:08080/", "http://localhost:8080"},
        {"https://[0:0::1]:1", "https://[::1]:1"},
        {"http://example", "http://example"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text = str_printf("ui: {url: '%s'}", cases[i].text);
        _cleanup_config_ struct config *config = parse(text);
        assert_string_equal(config->ui.url, cases[i].url);
    }
}

static void storage_one(const char *storage, const char *home, const char *docker_host,
                        const char *fault)
{
    _cleanup_map_ struct strmap variables = {0};
    _cleanup_free_ char *text = str_printf("registry: {storage: '%s'}", storage);
    strmap_set(&variables, "HOME", home);
    strmap_set(&variables, "DOCKER_HOST", docker_host);
    if (fault == NULL) {
        config_free(parse_with(text, &variables));
        return;
    }
    _cleanup_free_ char *problems = problems_with(text, &variables);
    _cleanup_free_ char *expected =
        str_printf("x.yaml:1:21: registry.storage: must not be %s\n", fault);
    assert_string_equal(problems, expected);
}

static void storage_is_a_directory_of_its_own(_unused_ void **state)
{
    static const struct {
        const char *storage;
        const char *fault; // NULL: there is none
    } cases[] = {
        {"/etc", "/etc or below it: the system keeps its own files there"},
        {"/etc/registry", "/etc or below it: the system keeps its own files there"},
        {"/usr/local/registry", "/usr or below it: the system keeps its own files there"},
        {"/proc/self", "/proc or below it: the system keeps its own files there"},
        {"/dev/shm", "/dev or below it: the system keeps its own files there"},
        {"/srv/../sys", "/sys or below it: the system keeps its own files there"},
        {"/var/lib/docker/x", "/var/lib/docker or below it: the system keeps its own files there"},
        {"/var", "/var itself: name a directory of its own below it"},
        {"/tmp/", "/tmp itself: name a directory of its own below it"},
        {"/home", "/home itself: name a directory of its own below it"},
        {"/run", "/run itself: name a directory of its own below it"},
        {"~", "~ itself: name a directory of its own below it"},
        {"~/.", "~ itself: name a directory of its own below it"},
        {"~/.ssh", "~/.ssh itself: name a directory of its own below it"},
        {"~/.local/share", "~/.local/share itself: name a directory of its own below it"},
        {"/data/homes", "a directory that holds the home directory"},
        {"/data/engine/d.sock",
         "the engine's socket, /data/engine/d.sock, or a directory that holds it"},
        {"/data/engine", "the engine's socket, /data/engine/d.sock, or a directory that holds it"},
        {"/data/engine/d.sock/x",
         "the engine's socket, /data/engine/d.sock, or a directory that holds it"},
        {"/etcetera", NULL},
        {"/data/engine2", NULL},
        {"/data/homes/u2", NULL},
        {"/srv", NULL},
        {"/mnt", NULL},
        {"/tmp/registry", NULL},
        {"/var/lib/registry", NULL},
        {"~/registry", NULL},
        {"~/.local/share/hostk8s", NULL},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        storage_one(cases[i].storage, "/data/homes/u", "unix:///data/engine/d.sock",
                    cases[i].fault);
    }
    storage_one("/data", "/home/u", "tcp://h:1", NULL);
    storage_one("/data/homes/u", "/data/homes/u/", "tcp://h:1",
                "~ itself: name a directory of its own below it");
}

static void secrets_are_the_values_of_both_environments(_unused_ void **state)
{
    _cleanup_config_ struct config *config =
        parse("registry: {environment: {A: hunter-2-registry}}\n"
              "ui: {title: harmless-title, environment: {B: hunter-2-ui-value}}");
    struct secrets *secrets = NULL;
    secrets = secrets_new();
    config_add_secrets(config, secrets);
    _cleanup_free_ char *hidden =
        secrets_hide(secrets, "hunter-2-registry, hunter-2-ui-value, harmless-title");
    assert_string_equal(hidden, "***, ***, harmless-title");
    secrets_free(secrets);
}

static void without_home_the_default_storage_is_a_problem(_unused_ void **state)
{
    _cleanup_map_ struct strmap variables = {0};
    _cleanup_free_ char *problems = problems_with("", &variables);
    assert_string_equal(problems, "x.yaml:1:1: registry.storage: the default "
                                  "~/.local/share/hostk8s/registry: the variable HOME is not "
                                  "set\n");
    _cleanup_config_ struct config *config = parse_with("registry: {storage: /s}", &variables);
    assert_string_equal(config->registry.storage, "/s");

    strmap_set(&variables, "HOME", "home/u");
    _cleanup_free_ char *relative = problems_with("", &variables);
    assert_string_equal(relative, "x.yaml:1:1: registry.storage: the default "
                                  "~/.local/share/hostk8s/registry: the variable HOME is not an "
                                  "absolute path\n");
}

static void clusters_match_like_a_shell(_unused_ void **state)
{
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
        assert_int_equal(config_has_cluster(config, cases[i].cluster), cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(values_are_read_and_completed),
        cmocka_unit_test(caches_are_completed),
        cmocka_unit_test(remote_needs_permission_alone),
        cmocka_unit_test(docker_host_of_the_environment_stands_behind_the_key),
        cmocka_unit_test(engine_is_looked_for_as_the_environment_says),
        cmocka_unit_test(docker_host_is_utf8),
        cmocka_unit_test(aliases_have_one_spelling),
        cmocka_unit_test(urls_have_one_spelling),
        cmocka_unit_test(storage_is_a_directory_of_its_own),
        cmocka_unit_test(secrets_are_the_values_of_both_environments),
        cmocka_unit_test(without_home_the_default_storage_is_a_problem),
        cmocka_unit_test(clusters_match_like_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
