#include "tests/support/config_test.h"

#include "lib/base/str.h"
#include "tests/support/equal.h"
#include "tests/support/random.h"
#include "tests/support/repeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

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
    assert_maps_equal(&a->environment, &b->environment);
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
    assert_maps_equal(&a->environment, &b->environment);
}

static void assert_config_equal(const struct config *a, const struct config *b)
{
    assert_registry_equal(&a->registry, &b->registry);
    assert_ui_equal(&a->ui, &b->ui);
    assert_string_equal(a->network, b->network);
    assert_lists_equal(&a->clusters, &b->clusters);
    assert_lists_equal(&a->nodes.aliases, &b->nodes.aliases);
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

// Lines of a file, each present or not.
static void random_config(struct random *random, struct buf *out)
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
        const char *line = tables[i].lines[random_below(random, (uint32_t)count)];
        bool repeated = i > 0 && str_equal(tables[i].table, tables[i - 1].table);
        if (!repeated && random_chance(random, 50)) {
            assert_int_equal(buf_printf(out, "%s:\n  %s\n", tables[i].table, line), 0);
        }
    }
}

static void random_variables(struct random *random, struct strmap *map)
{
    static const char *const pieces[] = {
        "a", ": ",   "#", " ",        "\n",           "\"", "'", "\\", "-",    "é",
        "0", "\x01", "{", "\xc2\x85", "\xe2\x80\xa9", "$",  "%", "~",  "true", "\t"};
    for (unsigned i = random_below(random, 5); i > 0; i--) {
        _cleanup_buf_ struct buf value = BUF_INIT(256);
        _cleanup_free_ char *name = str_printf("V%u", random_below(random, 10));
        for (unsigned j = random_below(random, 8); j > 0; j--) {
            assert_int_equal(buf_append_str(&value, RANDOM_PICK(random, pieces)), 0);
        }
        assert_int_equal(strmap_set(map, name, buf_str(&value)), 0);
    }
}

static void what_is_printed_reads_back(void **state)
{
    (void)state;
    struct random random = {.state = 20240229};
    _cleanup_map_ struct strmap variables = with_home();
    assert_int_equal(strmap_set(&variables, "DOLLAR", "/a$HOME"), 0);
    for (unsigned i = 0; i < repetitions(300); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
        random_config(&random, &text);
        _cleanup_config_ struct config *config = parse_with(buf_str(&text), &variables);
        random_variables(&random, &config->registry.environment);
        random_variables(&random, &config->ui.environment);
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
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(the_largest_list_of_aliases_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
