#include "tests/support/config_test.h"

#include "lib/doc/schema.h"
#include "tests/support/unit.h"

// What tests/fuzz/fuzz_config.c does with whatever is accepted.
static void what_is_printed_reads_back(_unused_ void **state)
{
    static const char *const texts[] = {
        "registry: {listen: '[::1]:1', storage: '~/a b #x', restart: no, delete: false}",
        "registry: {name: '0.x', environment: {A: \"a: \\\"b\\\" #\\u2028\", B: '', C: 'no'}}",
        "nodes: {aliases: [b.c:1, a:2, 'localhost:5002'], skipVerify: false}",
        "nodes: {aliases: []}",
        "caches: [docker.io, {upstream: A.b:1, username: '#', passwordFile: ~/'p $$x'}]",
        "ui: {enabled: false, title: '', url: 'https://h', path: /a_b/c-d, namespace: '1'}",
        "docker: {host: unix:///a b/$x}",
        "docker: {host: 'tcp://[::]:2', tls: {ca: a, cert: 'b b', key: c$$d}}",
        "kubernetes: {kubeconfig: x/../y}",
        "reconcile: {poll: 1500ms, timeout: 10m, backoff: {max: 1m}}",
        "clusters: ['*', 'b?', '1', 'null', 'true', '-x']\nlog: {level: error}",
    };
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_config_ struct config *config = parse(texts[i]);
        assert_reads_back(config);
    }
}

static void the_largest_list_of_aliases_reads_back(_unused_ void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(4096);
    assert_int_equal(buf_append_str(&text, "nodes:\n  aliases:\n"), 0);
    for (unsigned i = 0; i < 29; i++) {
        assert_int_equal(buf_printf(&text, "    - h%u:5000\n", i), 0);
    }
    _cleanup_config_ struct config *config = parse(buf_str(&text));
    assert_int_equal(config->nodes.aliases.count, 32);
    assert_reads_back(config);
}

// However much its escapes take, what is printed is no longer than what is read.
static void the_longest_configuration_reads_back(_unused_ void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(YAML_BYTES_MAX);
    static const char *const maps[] = {"registry:\n  environment:\n", "ui:\n  environment:\n"};
    for (size_t i = 0; i < ELEMENTS(maps); i++) {
        assert_int_equal(buf_append_str(&text, maps[i]), 0);
        for (size_t bytes = 0; bytes < SCHEMA_MAP_BYTES_MAX; bytes += 256) {
            assert_int_equal(buf_printf(&text, "    V%03zu: \"", bytes / 256), 0);
            for (size_t j = 0; j < 256 - 4; j++) {
                assert_int_equal(buf_append_str(&text, "\\x01"), 0);
            }
            assert_int_equal(buf_append_str(&text, "\"\n"), 0);
        }
    }
    assert_int_equal(buf_append_str(&text, "clusters:\n"), 0);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(buf_printf(&text, "  - a%0*zu\n", SCHEMA_TEXT_MAX - 1, i), 0);
    }
    _cleanup_config_ struct config *config = parse(buf_str(&text));
    assert_reads_back(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(the_largest_list_of_aliases_reads_back),
        cmocka_unit_test(the_longest_configuration_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
