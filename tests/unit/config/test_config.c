#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX (1024 * 1024)
#define EXAMPLE TEST_DATA "/../config/registryd.yaml"
#define BAD TEST_DATA "/unit/config/bad/"

static const char *get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

#define ENVIRONMENT(map) (&(struct config_environment){.get = get, .ctx = (map)})
#define _cleanup_map_ _cleanup_(strmap_done)
#define _cleanup_problems_ _cleanup_(config_problems_done)
#define _cleanup_config_ _cleanup_(config_freep)

static struct strmap with_home(void)
{
    struct strmap variables = {0};
    assert_int_equal(strmap_set(&variables, "HOME", "/home/u"), 0);
    return variables;
}

static void describe(const struct config_problems *problems, const char *file, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        assert_int_equal(buf_printf(out, "%s:%u:%u: %s: %s\n", file, problem->line, problem->column,
                                    problem->path, problem->text),
                         0);
    }
}

static struct config *parse_with(const char *text, struct strmap *variables)
{
    struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    int r = config_parse(text, strlen(text), "/etc/app/x.yaml", ENVIRONMENT(variables), &config,
                         &problems);
    if (r != 0) {
        _cleanup_buf_ struct buf out = BUF_INIT(FILE_MAX);
        describe(&problems, "x.yaml", &out);
        fail_msg("%d: %s\n%s", r, buf_str(&out), text);
    }
    return config;
}

static struct config *parse(const char *text)
{
    _cleanup_map_ struct strmap variables = with_home();
    return parse_with(text, &variables);
}

// What is wrong with text, as a user sees it with the file x.yaml.
static char *problems_with(const char *text, struct strmap *variables)
{
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_buf_ struct buf out = BUF_INIT(FILE_MAX);
    assert_int_equal(config_parse(text, strlen(text), "/etc/app/x.yaml", ENVIRONMENT(variables),
                                  &config, &problems),
                     -EINVAL);
    assert_null(config);
    describe(&problems, "x.yaml", &out);
    return buf_take(&out);
}

static void assert_aliases(const struct config *config, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < config->nodes.aliases.count; i++) {
        assert_int_equal(buf_printf(&out, "%s ", config->nodes.aliases.items[i]), 0);
    }
    assert_string_equal(buf_str(&out), expected);
}

static void assert_defaults(const struct config *config)
{
    assert_string_equal(config->registry.name, "hostk8s-registry");
    assert_string_equal(config->registry.image, "registry:2");
    assert_string_equal(config->registry.listen_address, "127.0.0.1");
    assert_int_equal(config->registry.listen_port, 5002);
    assert_false(config->registry.allow_remote);
    assert_string_equal(config->registry.storage, "/home/u/.local/share/hostk8s/registry");
    assert_int_equal(config->registry.restart, RESTART_ALWAYS);
    assert_true(config->registry.delete_enabled);
    assert_int_equal(config->registry.environment.count, 0);
    assert_string_equal(config->network, "kind");
    assert_int_equal(config->clusters.count, 1);
    assert_string_equal(config->clusters.items[0], "hostk8s");
    assert_aliases(config, "localhost:5000 localhost:5002 127.0.0.1:5002 hostk8s-registry:5000 ");
    assert_true(config->nodes.skip_verify);
    assert_true(config->ui.enabled);
    assert_string_equal(config->ui.name_space, "hostk8s");
    assert_string_equal(config->ui.image, "joxit/docker-registry-ui:static");
    assert_int_equal(config->ui.replicas, 1);
    assert_string_equal(config->ui.title, "HostK8s Registry");
    assert_string_equal(config->ui.url, "http://localhost:8080");
    assert_string_equal(config->ui.path, "/registry/");
    assert_string_equal(config->ui.ingress_class, "nginx");
    assert_int_equal(config->ui.environment.count, 0);
    assert_string_equal(config->docker.host, "unix:///var/run/docker.sock");
    assert_false(config->docker.tls);
    assert_null(config->docker.ca);
    assert_null(config->docker.cert);
    assert_null(config->docker.key);
    assert_null(config->kubeconfig);
    assert_int_equal(config->reconcile.poll_ms, 10000);
    assert_int_equal(config->reconcile.timeout_ms, 10000);
    assert_int_equal(config->reconcile.backoff.initial_ms, 500);
    assert_int_equal(config->reconcile.backoff.max_ms, 60000);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
}

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

static void the_example_shows_the_defaults(void **state)
{
    (void)state;
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    assert_int_equal(config_load(EXAMPLE, true, ENVIRONMENT(&variables), &config, &problems), 0);
    assert_defaults(config);
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
              "ui: {url: 'https://h.example:8443/', path: /a/b, environment: {PULL_URL: x}}\n"
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

static void read_whole(const char *file, struct buf *out)
{
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        fail_msg("%s: %s", file, strerror(errno));
    }
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), in)) > 0;) {
        assert_int_equal(buf_append(out, chunk, n), 0);
    }
    assert_int_equal(fclose(in), 0);
}

static void bad_one(const char *file)
{
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_buf_ struct buf actual = BUF_INIT(FILE_MAX);
    _cleanup_buf_ struct buf expected = BUF_INIT(FILE_MAX);
    if (config_load(file, true, ENVIRONMENT(&variables), &config, &problems) != -EINVAL) {
        fail_msg("%s is accepted", file);
    }
    describe(&problems, strrchr(file, '/') + 1, &actual);
    assert_null(strstr(buf_str(&actual), "s3cret"));

    _cleanup_free_ char *golden =
        str_printf("%.*s.expected", (int)(strlen(file) - strlen(".yaml")), file);
    read_whole(golden, &expected);
    assert_string_equal(buf_str(&actual), buf_str(&expected));
}

static void bad_files_have_their_messages(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob(BAD "*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        bad_one(files.gl_pathv[i]);
    }
    globfree(&files);
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    assert_int_equal(
        config_load(BAD "none.yaml", false, ENVIRONMENT(&variables), &config, &problems), 0);
    assert_defaults(config);

    static const struct {
        const char *file;
        const char *expected;
    } cases[] = {
        {BAD "none.yaml", "f:1:1: : cannot be read: No such file or directory\n"},
        {BAD, "f:1:1: : cannot be read: Is a directory\n"},
        {"/dev/zero", "f:1:1: : the document exceeds 1048576 bytes\n"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_config_ struct config *none = NULL;
        _cleanup_problems_ struct config_problems found = {0};
        _cleanup_buf_ struct buf out = BUF_INIT(4096);
        assert_int_equal(config_load(cases[i].file, true, ENVIRONMENT(&variables), &none, &found),
                         -EINVAL);
        describe(&found, "f", &out);
        assert_string_equal(buf_str(&out), cases[i].expected);
    }
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

static void default_file_one(const char *xdg, const char *home, const char *expected)
{
    _cleanup_map_ struct strmap variables = {0};
    if (xdg != NULL) {
        assert_int_equal(strmap_set(&variables, "XDG_CONFIG_HOME", xdg), 0);
    }
    if (home != NULL) {
        assert_int_equal(strmap_set(&variables, "HOME", home), 0);
    }
    _cleanup_free_ char *file = config_default_file(ENVIRONMENT(&variables));
    assert_true(str_equal(file, expected));
}

static void default_file(void **state)
{
    (void)state;
    default_file_one("/x", "/h", "/x/hostk8s/registryd.yaml");
    default_file_one("x", "/h", "/h/.config/hostk8s/registryd.yaml");
    default_file_one(NULL, "/h", "/h/.config/hostk8s/registryd.yaml");
    default_file_one(NULL, "", NULL);
    default_file_one(NULL, NULL, NULL);
}

static void restart_policies_have_the_engines_names(void **state)
{
    (void)state;
    assert_string_equal(restart_policy_name(RESTART_ALWAYS), "always");
    assert_string_equal(restart_policy_name(RESTART_UNLESS_STOPPED), "unless-stopped");
    assert_string_equal(restart_policy_name(RESTART_ON_FAILURE), "on-failure");
    assert_string_equal(restart_policy_name(RESTART_NO), "no");
}

static void assert_registry_equal(const struct config_registry *a, const struct config_registry *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->image, b->image);
    assert_string_equal(a->listen_address, b->listen_address);
    assert_int_equal(a->listen_port, b->listen_port);
    assert_int_equal(a->allow_remote, b->allow_remote);
    assert_string_equal(a->storage, b->storage);
    assert_int_equal(a->restart, b->restart);
    assert_int_equal(a->delete_enabled, b->delete_enabled);
    assert_true(strmap_equal(&a->environment, &b->environment));
}

static void assert_ui_equal(const struct config_ui *a, const struct config_ui *b)
{
    assert_int_equal(a->enabled, b->enabled);
    assert_string_equal(a->name_space, b->name_space);
    assert_string_equal(a->image, b->image);
    assert_int_equal(a->replicas, b->replicas);
    assert_string_equal(a->title, b->title);
    assert_string_equal(a->url, b->url);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->ingress_class, b->ingress_class);
    assert_true(strmap_equal(&a->environment, &b->environment));
}

static void assert_config_equal(const struct config *a, const struct config *b)
{
    assert_registry_equal(&a->registry, &b->registry);
    assert_ui_equal(&a->ui, &b->ui);
    assert_string_equal(a->network, b->network);
    assert_true(strv_equal(&a->clusters, &b->clusters));
    assert_true(strv_equal(&a->nodes.aliases, &b->nodes.aliases));
    assert_int_equal(a->nodes.skip_verify, b->nodes.skip_verify);
    assert_string_equal(a->docker.host, b->docker.host);
    assert_int_equal(a->docker.tls, b->docker.tls);
    assert_true(str_equal(a->docker.ca, b->docker.ca));
    assert_true(str_equal(a->docker.cert, b->docker.cert));
    assert_true(str_equal(a->docker.key, b->docker.key));
    assert_true(str_equal(a->kubeconfig, b->kubeconfig));
    assert_memory_equal(&a->reconcile, &b->reconcile, sizeof(a->reconcile));
    assert_int_equal(a->log_level, b->log_level);
}

static char *print(const struct config *config)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(config_print(config, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

// xorshift32: the same configurations in every run.
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

#define PICK(seed, list) ((list)[next_random(seed) % ELEMENTS(list)])

// Lines of a file, each present or not.
static void random_config(uint32_t *seed, struct buf *out)
{
    static const struct {
        const char *table;
        const char *lines[8];
    } tables[] = {
        {"registry",
         {"name: reg", "image: a.b/c:1", "storage: '~/a b #x'", "storage: $DOLLAR/y", "restart: no",
          "delete: false", "restart: on-failure"}},
        {"registry", {"listen: '[::1]:1'", "listen: 127.1.2.3:65535", "name: '0.x'"}},
        {"nodes", {"aliases: []", "aliases: [b.c:1, a:2, 'localhost:5002']", "skipVerify: false"}},
        {"ui",
         {"enabled: false", "title: ''", "title: 'no'", "title: \"a: \\\"b\\\" #\\u2028é\"",
          "url: https://h", "path: /a_b/c-d", "replicas: 10", "namespace: '1'"}},
        {"docker", {"host: unix:///a b/$x", "host: tcp://h:1", "host: tcp://[::]:2"}},
        {"docker", {"{host: tcp://h:1, tls: {ca: a, cert: 'b b', key: c$$d}}"}},
        {"kubernetes", {"kubeconfig: x/../y", "kubeconfig: ''"}},
        {"reconcile", {"poll: 1500ms", "timeout: 10m", "poll: 1h", "backoff: {max: 1m}"}},
        {"log", {"level: error", "level: debug"}},
        {"network", {"a.b_c-d"}},
        {"clusters", {"[]", "['*']", "[a, 'b?', '1', 'null', 'true', '-x']"}},
    };
    for (size_t i = 0; i < ELEMENTS(tables); i++) {
        size_t count = 0;
        while (count < ELEMENTS(tables[i].lines) && tables[i].lines[count] != NULL) {
            count++;
        }
        const char *line = tables[i].lines[next_random(seed) % count];
        bool repeated = i > 0 && str_equal(tables[i].table, tables[i - 1].table);
        if (!repeated && next_random(seed) % 2 == 0) {
            assert_int_equal(buf_printf(out, "%s:\n  %s\n", tables[i].table, line), 0);
        }
    }
}

static void random_variables(uint32_t *seed, struct strmap *map)
{
    static const char *const pieces[] = {
        "a", ": ",   "#", " ",        "\n",           "\"", "'", "\\", "-",    "é",
        "0", "\x01", "{", "\xc2\x85", "\xe2\x80\xa9", "$",  "%", "~",  "true", "\t"};
    for (unsigned i = next_random(seed) % 5; i > 0; i--) {
        _cleanup_buf_ struct buf value = BUF_INIT(256);
        _cleanup_free_ char *name = str_printf("V%u", next_random(seed) % 10);
        for (unsigned j = next_random(seed) % 8; j > 0; j--) {
            assert_int_equal(buf_append_str(&value, PICK(seed, pieces)), 0);
        }
        assert_int_equal(strmap_set(map, name, buf_str(&value)), 0);
    }
}

static void what_is_printed_reads_back(void **state)
{
    (void)state;
    uint32_t seed = 20240229;
    _cleanup_map_ struct strmap variables = with_home();
    assert_int_equal(strmap_set(&variables, "DOLLAR", "/a$HOME"), 0);
    for (unsigned i = 0; i < 300; i++) {
        _cleanup_buf_ struct buf text = BUF_INIT(FILE_MAX);
        random_config(&seed, &text);
        _cleanup_config_ struct config *config = parse_with(buf_str(&text), &variables);
        random_variables(&seed, &config->registry.environment);
        random_variables(&seed, &config->ui.environment);
        _cleanup_free_ char *printed = print(config);
        _cleanup_config_ struct config *again = parse_with(printed, &variables);
        assert_config_equal(config, again);
        _cleanup_free_ char *printed_again = print(again);
        assert_string_equal(printed, printed_again);
    }
}

static void the_largest_list_of_aliases_reads_back(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf text = BUF_INIT(4096);
    assert_int_equal(buf_append_str(&text, "nodes:\n  aliases:\n"), 0);
    for (unsigned i = 0; i < 29; i++) {
        assert_int_equal(buf_printf(&text, "    - h%u:5000\n", i), 0);
    }
    _cleanup_config_ struct config *config = parse(buf_str(&text));
    assert_int_equal(config->nodes.aliases.count, 32);
    _cleanup_free_ char *printed = print(config);
    _cleanup_config_ struct config *again = parse(printed);
    assert_config_equal(config, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(the_example_shows_the_defaults),
        cmocka_unit_test(values_are_read_and_completed),
        cmocka_unit_test(remote_needs_permission_alone),
        cmocka_unit_test(docker_host_stands_between_default_and_key),
        cmocka_unit_test(without_home_the_default_storage_is_a_problem),
        cmocka_unit_test(bad_files_have_their_messages),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(clusters_match_like_a_shell),
        cmocka_unit_test(default_file),
        cmocka_unit_test(restart_policies_have_the_engines_names),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(the_largest_list_of_aliases_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
