// Whether containerd reads hosts.toml, by its configuration and version.
#include "lib/world/node_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define V1_6 "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3\n"
#define V2_1 "containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4\r\n"
#define V2_2 "containerd github.com/containerd/containerd/v2 v2.2.0 1c4457e00fac\r\n"
#define V3_0 "containerd github.com/containerd/containerd/v3 v3.0.0 x\n"

#define OLD "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
#define NEW "[plugins.'io.containerd.cri.v1.images'.registry]\n"

static const struct {
    const char *config;
    const char *version;
    enum config_path result;
    bool needs_version;
} cases[] = {
    // Said.
    {OLD "  config_path = \"/etc/containerd/certs.d\"\n", NULL, CONFIG_PATH_ENABLED, false},
    {NEW "\tconfig_path='/etc/containerd/certs.d/' # here\r\n", NULL, CONFIG_PATH_ENABLED, false},
    {NEW "config_path = \"/etc/docker/certs.d:/etc/containerd/certs.d\"", V1_6, CONFIG_PATH_ENABLED,
     false},
    {OLD "config_path = \"/etc/docker/certs.d\"\n", V2_2, CONFIG_PATH_DISABLED, false},
    {"plugins.\"io.containerd.grpc.v1.cri\".registry.config_path = \"/etc/containerd/certs.d\"\n",
     NULL, CONFIG_PATH_ENABLED, false},
    {"[plugins]\n [ plugins . \"io.containerd.grpc.v1.cri\" ] # plugin\n"
     "registry.config_path = \"/etc/containerd/certs.d\"\n",
     NULL, CONFIG_PATH_ENABLED, false},
    // Said elsewhere, said in a comment, said in vain.
    {"[plugins.\"io.containerd.grpc.v1.cri\"]\nconfig_path = \"/etc/containerd/certs.d\"\n", V2_1,
     CONFIG_PATH_DISABLED, true},
    {OLD "# config_path = \"/etc/containerd/certs.d\"\n", V2_1, CONFIG_PATH_DISABLED, true},
    {OLD "[other]\nconfig_path = \"/etc/containerd/certs.d\"\n", V2_1, CONFIG_PATH_DISABLED, true},
    {OLD "[[list]]\nconfig_path = \"/etc/containerd/certs.d\"\n", V2_1, CONFIG_PATH_DISABLED, true},
    {OLD "config_path = \"\"\n", V2_2, CONFIG_PATH_ENABLED, true},
    {OLD "config_path = 1\nconfig_path = \"open\nconfig_path\n\"config_path = 1\n= 2\n", V2_2,
     CONFIG_PATH_ENABLED, true},
    {"[plugins.\"io.containerd.grpc.v1.cri\".registry\nconfig_path = \"/etc/containerd/certs.d\"\n",
     V2_1, CONFIG_PATH_DISABLED, true},
    {"a.b.c.d.e.f.g.h.i.j = 1\n", V2_1, CONFIG_PATH_DISABLED, true},
    // mirrors rule it out.
    {"[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"localhost:5000\"]\n"
     "  endpoint = [\"http://hostk8s-registry:5000\"]\n",
     V2_2, CONFIG_PATH_DISABLED, false},
    {OLD "config_path = \"/etc/containerd/certs.d\"\nmirrors.\"a:1\".endpoint = []\n", V2_2,
     CONFIG_PATH_DISABLED, false},
    {OLD "mirrors = { \"a:1\" = {} }\n", V2_2, CONFIG_PATH_DISABLED, false},
    {OLD "mirrors = { }\n", V2_2, CONFIG_PATH_ENABLED, true},
    {"[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors]\n", V2_2, CONFIG_PATH_ENABLED, true},
    // Not said: the version decides.
    {"", V1_6, CONFIG_PATH_DISABLED, true},
    {"version = 2\n", V2_1, CONFIG_PATH_DISABLED, true},
    {NULL, V2_2, CONFIG_PATH_ENABLED, true},
    {"", V3_0, CONFIG_PATH_ENABLED, true},
    {"", NULL, CONFIG_PATH_UNKNOWN, true},
    {"", "containerd: not found\n", CONFIG_PATH_UNKNOWN, true},
    {"", "containerd 12 v1 2.x", CONFIG_PATH_UNKNOWN, true},
};

static void config_path_is_found(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        if (world_config_path(cases[i].config, cases[i].version) != cases[i].result ||
            world_config_path_needs_version(cases[i].config) != cases[i].needs_version) {
            fail_msg("case %zu: %s", i, cases[i].config);
        }
    }
}

static void directories_are_found(void **unused)
{
    (void)unused;
    struct world_node_files *files = calloc(1, sizeof(*files));
    assert_non_null(files);
    assert_null(world_node_files_dir(files, "a"));
    world_node_files_free(files);
    world_node_files_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_path_is_found),
        cmocka_unit_test(directories_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
