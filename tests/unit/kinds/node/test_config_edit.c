// A config.toml before and after the edit. Each of these was given to containerd of the versions
// that read it (tests/e2e/test_4_containerd.py).
#include "lib/kinds/node/config_edit.h"

#include "lib/base/str.h"
#include "lib/kinds/node/config_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CRI "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
#define CRI_QUOTED "[plugins.'io.containerd.grpc.v1.cri'.registry]\n"
#define CRI_MIRRORS "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors]\n"
#define CRI_MIRROR "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\n"
#define CRI_TLS "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"a:1\".tls]\n"
#define IMAGES "[plugins.\"io.containerd.cri.v1.images\".registry]\n"
#define IMAGES_QUOTED "[plugins.'io.containerd.cri.v1.images'.registry]\n"
#define IMAGES_MIRROR "[plugins.'io.containerd.cri.v1.images'.registry.mirrors.'docker.io']\n"
#define NOTE " # set by hostk8s-registryd\n"
#define OURS "/etc/containerd/certs.d"
#define SET "  config_path = \"" OURS "\"" NOTE
#define KIND "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"pause\"\n"
#define ENDPOINT "  endpoint = [\n    \"http://a\",\n  ]\n"
#define DEBUG "[debug]\n  level = \"info\"\n"

static const struct {
    const char *before;
    const char *after; // NULL: it cannot be edited
} cases[] = {
    // There is no table of the registry.
    {"version = 2\n", "version = 2\n\n" CRI SET},
    {"# no line end\nversion=2", "# no line end\nversion=2\n\n" CRI SET},
    {"version = 3\n", "version = 3\n\n" IMAGES SET},
    {"\tversion = 4 # of 2.3\r\n", "\tversion = 4 # of 2.3\r\n\n" IMAGES SET},
    {KIND, KIND "\n" CRI SET},
    {"imports = [\"/a\"]\nversion = 2\n", "imports = [\"/a\"]\nversion = 2\n\n" CRI SET},
    // In another format it is another plugin's.
    {"version = 2\n" IMAGES "a = 1\n", "version = 2\n" IMAGES "a = 1\n\n" CRI SET},
    {"version = 3\n" CRI "a = 1\n", "version = 3\n" CRI "a = 1\n\n" IMAGES SET},
    // There is one without it.
    {"version = 2\n" CRI "  a = 1\n" DEBUG, "version = 2\n" CRI SET "  a = 1\n" DEBUG},
    {"version = 2\n" CRI_QUOTED DEBUG, "version = 2\n" CRI_QUOTED SET DEBUG},
    {"version = 4\n" IMAGES_QUOTED, "version = 4\n" IMAGES_QUOTED SET},
    {"version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry]", "version = 2\n" CRI_QUOTED SET},
    // It is set otherwise.
    {"version = 2\n" CRI "config_path = \"\"\n" DEBUG,
     "version = 2\n" CRI "config_path = \"" OURS "\"" NOTE DEBUG},
    {"version = 3\n" IMAGES "a = 1\n  config_path='' # none\n",
     "version = 3\n" IMAGES "a = 1\n  config_path=\"" OURS "\"" NOTE},
    {"version = 2\n" CRI "config_path = \"/a:/b\"\n",
     "version = 2\n" CRI "config_path = \"" OURS ":/a:/b\"" NOTE},
    {"version = 2\n" CRI "config_path = '/a'",
     "version = 2\n" CRI "config_path = '" OURS ":/a'" NOTE},
    {"version = 2\n" CRI "config_path = \"/\\u0061\"\n",
     "version = 2\n" CRI "config_path = \"" OURS "\"" NOTE},
    {"version = 2\n" CRI "config_path = 7\n",
     "version = 2\n" CRI "config_path = \"" OURS "\"" NOTE},
    {"version = 2\n" CRI "config_path =\n'a'\n",
     "version = 2\n" CRI "config_path =\"" OURS "\"" NOTE "'a'\n"},
    {"version = 2\n" CRI "config_path =", "version = 2\n" CRI "config_path =\"" OURS "\"" NOTE},
    // `mirrors` go, whatever their shape; what else is said of registries stays.
    {"version = 2\n" CRI_MIRROR ENDPOINT DEBUG, "version = 2\n" DEBUG "\n" CRI SET},
    {"version = 2\n" CRI CRI_MIRRORS "  " CRI_MIRROR ENDPOINT CRI_TLS "  ca_file = \"/a\"\n",
     "version = 2\n" CRI SET CRI_TLS "  ca_file = \"/a\"\n"},
    {"version = 2\n" CRI "mirrors = { a = { endpoint = [] } }\n  mirrors.b.endpoint = []\nc = 1\n",
     "version = 2\n" CRI SET "c = 1\n"},
    {"version = 3\n" IMAGES_MIRROR ENDPOINT IMAGES_QUOTED "  config_path = \"/a\"\n",
     "version = 3\n" IMAGES_QUOTED "  config_path = \"" OURS ":/a\"" NOTE},
    {"version = 2\n" CRI "config_path = \"" OURS "\"\n" CRI_MIRROR ENDPOINT,
     "version = 2\n" CRI "config_path = \"" OURS "\"\n"},
    {"version = 2\n" CRI "a = 1\n[b]\nmirrors = 1\n",
     "version = 2\n" CRI SET "a = 1\n[b]\nmirrors = 1\n"},
    // Nothing is to be done.
    {"version = 2\n" CRI "config_path = \"" OURS "\"\n",
     "version = 2\n" CRI "config_path = \"" OURS "\"\n"},
    {"version = 2\n" CRI "config_path = \"/a:" OURS "/\"\n",
     "version = 2\n" CRI "config_path = \"/a:" OURS "/\"\n"},
    // Other formats.
    {"", NULL},
    {"version = 1\n", NULL},
    {"version = 5\n", NULL},
    {"version = 22\n", NULL},
    {"version = \"2\"\n", NULL},
    {CRI "version = 2\n", NULL},
    {"version =", NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *after = config_edit(cases[i].before);
        if (!str_equal(after, cases[i].after)) {
            fail_msg("case %zu: %s\nbecomes %s", i, cases[i].before, after);
        }
        // Once is enough.
        _cleanup_free_ char *again = after == NULL ? NULL : config_edit(after);
        assert_true(str_equal(again, after));
    }
}

// What came out without a doubt in it needs no containerd to be believed.
static void test_result_is_plain(void **state)
{
    (void)state;
    static const char *const files[] = {KIND, "version = 2\n" CRI_MIRROR ENDPOINT};
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        _cleanup_free_ char *after = config_edit(files[i]);
        assert_false(config_path_is_plain(files[i]));
        assert_true(config_path_is_plain(after));
    }
}

static void test_long_list(void **state)
{
    (void)state;
    char before[4096];
    (void)snprintf(before, sizeof(before), "version = 2\n" CRI "config_path = \"/%02000d\"\n", 0);
    _cleanup_free_ char *after = config_edit(before);
    assert_string_equal(after, "version = 2\n" CRI "config_path = \"" OURS "\"" NOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_result_is_plain),
        cmocka_unit_test(test_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
