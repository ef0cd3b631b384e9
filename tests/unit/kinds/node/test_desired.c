// The text of hosts.toml: this program's own, and that of the scripts which wrote it before.
#include "lib/kinds/node/desired.h"

#include "lib/base/buf.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OWN                                                                                        \
    "# managed by hostk8s-registryd\n"                                                             \
    "server = \"http://hostk8s-registry:5000\"\n"                                                  \
    "\n"                                                                                           \
    "[host.\"http://hostk8s-registry:5000\"]\n"                                                    \
    "  capabilities = [\"pull\", \"resolve\"]\n"

static void test_content(void **state)
{
    (void)state;
    struct config *config = sample_config();
    struct arena arena = {0};
    assert_string_equal(hosts_toml_desired(config, NULL, &arena), OWN "  skip_verify = true\n");
    config->nodes.skip_verify = false;
    assert_string_equal(hosts_toml_desired(config, NULL, &arena), OWN);
    sample_set(&config->registry.name, "other");
    assert_non_null(
        strstr(hosts_toml_desired(config, NULL, &arena), "server = \"http://other:5000\"\n"));
    assert_non_null(
        strstr(hosts_toml_desired(config, NULL, &arena), "[host.\"http://other:5000\"]\n"));
    assert_true(hosts_toml_is_own(hosts_toml_desired(config, NULL, &arena)));
    arena_done(&arena);
    config_free(config);
}

static void test_content_of_a_cache(void **state)
{
    (void)state;
    struct config *config = sample_config_of("caches: [docker.io]");
    struct arena arena = {0};
    assert_string_equal(hosts_toml_desired(config, &config->caches[0], &arena),
                        "# managed by hostk8s-registryd\n"
                        "server = \"https://registry-1.docker.io\"\n"
                        "\n"
                        "[host.\"http://hostk8s-registry-cache-docker.io:5000\"]\n"
                        "  capabilities = [\"pull\", \"resolve\"]\n");
    arena_done(&arena);
    config_free(config);
}

static void test_own(void **state)
{
    (void)state;
    assert_true(hosts_toml_is_own("# managed by hostk8s-registryd\nwhatever"));
    assert_false(hosts_toml_is_own("# managed by hostk8s-registryd2\n"));
    assert_false(hosts_toml_is_own("\n# managed by hostk8s-registryd\n"));
    assert_false(hosts_toml_is_own(""));
}

#define HOST "[host.\"http://kind-registry:5000\"]\n"

static const struct {
    const char *content;
    bool is_script;
} scripts[] = {
    // kind's, now and before (kind site/static/examples/kind-with-registry.sh).
    {HOST, true},
    {"[host.\"http://kind-registry:5000\"]", true},
    {"\n" HOST "\n\n", true},
    // HostK8s' (infra/scripts/setup-registry.py), and the ADR's listing.
    {"server = \"http://hostk8s-registry:5000\"\n\n[host.\"http://hostk8s-registry:5000\"]\n"
     "  capabilities = [\"pull\", \"resolve\"]\n  skip_verify = true\n",
     true},
    {"# /etc/containerd/certs.d/localhost:5000/hosts.toml\nserver = "
     "\"http://hostk8s-registry:5000\"\n"
     "\n[host.\"http://hostk8s-registry:5000\"]\n\tcapabilities=[\"pull\"]\r\n",
     true},
    {"server='x'\n" HOST, false},
    {" [ host . \"http://kind-registry:5000\" ] \r\n", true},
    // Something of a user's is in it.
    {"", false},
    {"\n", false},
    {"server = \"http://kind-registry:5000\"\n", false},
    {"# mine\n" HOST, false},
    {HOST "# mine\n", false},
    {HOST "server = \"http://kind-registry:5000\"\n", false},
    {HOST "  ca = \"/etc/ca.crt\"\n", false},
    {"capabilities = [\"pull\"]\n" HOST, false},
    {"skip_verify = true\n" HOST, false},
    {HOST HOST, false},
    {HOST "[host.\"http://mirror:5001\"]\n", false},
    {"[host.\"https://kind-registry:5000\"]\n", false},
    {"[host.\"http://kind-registry:5000/v2\"]\n", false},
    {"[host.\"http://kind-registry:5000\"] # mine\n", false},
    {HOST "capabilities = \"pull\"\n", false},
};

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(scripts); i++) {
        if (hosts_toml_is_script(scripts[i].content) != scripts[i].is_script) {
            fail_msg("case %zu: %s", i, scripts[i].content);
        }
    }
}

// A file that is longer than any script's is nobody's script, also when its beginning is one.
static void test_long_file(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(8192);
    assert_int_equal(buf_append_str(&text, HOST), 0);
    while (text.length < 4095) {
        assert_int_equal(buf_append_str(&text, "\n"), 0);
    }
    assert_true(hosts_toml_is_script(buf_str(&text)));
    assert_int_equal(buf_append_str(&text, "\n"), 0);
    assert_false(hosts_toml_is_script(buf_str(&text)));
    assert_int_equal(buf_append_str(&text, "# mine\n"), 0);
    assert_false(hosts_toml_is_script(buf_str(&text)));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),   cmocka_unit_test(test_content_of_a_cache),
        cmocka_unit_test(test_own),       cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_long_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
