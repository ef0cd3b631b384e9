// Whether containerd reads hosts.toml: by a simple config.toml alone, or by what containerd says.
#include "lib/kinds/node/config_path.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define V2 "version = 2\n"
#define V3 "version = 3\n"
#define CRI "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
#define IMAGES "[plugins.'io.containerd.cri.v1.images'.registry]\n"
#define SET "config_path = \"/etc/containerd/certs.d\"\n"

static const struct {
    const char *config_toml;
    bool plain;
} cases[] = {
    {V2 CRI SET, true},
    {V2 "[plugins.'io.containerd.grpc.v1.cri'.registry]\n" SET, true},
    {"\r\n# kind's\r\n version=2 # of the file\r\n\t" CRI
     "\tconfig_path='/etc/containerd/certs.d/' # here\r\n",
     true},
    {V2 "root = \"/var\"\n[grpc]\nuid = 0\n" CRI "other = 1\n" SET "[debug]\n", true},
    {V2 CRI "config_path = \"/etc/docker/certs.d:/etc/containerd/certs.d\"", true},
    {V2 CRI "config_path = \"/etc/containerd/certs.d:/etc/docker/certs.d\"", true},
    // Not every containerd reads this name in a file of this version.
    {V2 IMAGES SET, false},
    {V3 CRI SET, false},
    {V3 IMAGES SET, false},
    {"version = 4\n" IMAGES SET, false},
    {CRI SET, false},
    {"version = 1\n" CRI SET, false},
    {"version = 20\n" CRI SET, false},
    {"version = 5\n" IMAGES SET, false},
    {"version = 2\n" CRI SET, true},
    {CRI "version = 2\n" SET, false},
    {"version\n" CRI SET, false},
    {CRI SET "version =", false},
    // Nothing is said, or it is said elsewhere, otherwise or in vain.
    {"", false},
    {V2, false},
    {V2 CRI, false},
    {V2 CRI "config_path = \"\"\n", false},
    {V2 CRI "config_path = \"/etc/docker/certs.d\"\n", false},
    {V2 CRI "config_path = \"/etc/containerd/certs.d2\"\n", false},
    {V2 CRI "config_path = \"/etc/containerd/certs\"\n", false},
    {V2 CRI "config_path = \"/x/etc/containerd/certs.d\"\n", false},
    {V2 CRI "config_path = \"/etc/containerd/certs.d\n", false},
    {V2 CRI "config_path = \"/etc/containerd/certs.d'\n", false},
    {V2 CRI "config_path = \"/etc/docker/certs.d\" # \"/etc/containerd/certs.d\"\n", false},
    {V2 CRI "config_path = /etc/containerd/certs.d\n", false},
    {V2 CRI "config_path \"/etc/containerd/certs.d\"\n", false},
    {V2 CRI "config_path =", false},
    {V2 CRI "# " SET, false},
    {V2 CRI "[debug]\n" SET, false},
    {V2 "[plugins.\"io.containerd.grpc.v1.cri\"]\n" SET, false},
    {V2 "[plugins.\"io.containerd.grpc.v1.cri\".registry.headers]\n" SET, false},
    {V2 "[plugins.\"io.containerd.grpc.v1.cri\".registry2]\n" SET, false},
    {V2 "[plugins.\"io.containerd.grpc.v1.cri'.registry]\n" SET, false},
    {V2 "[plugins.cri.registry]\n" SET, false},
    {V2 "[[plugins.\"io.containerd.grpc.v1.cri\".registry]]\n" SET, false},
    // What TOML allows beside that may mean the same: the node is asked.
    {V2
     "plugins.\"io.containerd.grpc.v1.cri\".registry.config_path = \"/etc/containerd/certs.d\"\n",
     false},
    {V2 "[plugins.\"io.containerd.grpc.v1.cri\"]\nregistry = { config_path = "
        "\"/etc/containerd/certs.d\" }\n",
     false},
    {V2 "[ plugins . \"io.containerd.grpc.v1.cri\" . registry ]\n" SET, false},
    // What may make it mean something else, wherever it stands.
    {V2 "imports = []\n" CRI SET, false},
    {V2 CRI SET "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors]\n", false},
    {V2 CRI SET "mirrors = {}\n", false},
    {V2 CRI SET "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.x.tls]\n", false},
    {V2 "a = \"\"\"\n" CRI SET "\"\"\"\n", false},
    {V2 "a = '''\n" CRI SET "'''\n", false},
    {V2 CRI SET "\"\\u006dirror\" = 1\n", false},
    {V2 CRI SET "# config_path\n", false},
    {V2 "config_path = 1\n" CRI SET, false},
};

static void test_plain_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        if (config_path_is_plain(cases[i].config_toml) != cases[i].plain) {
            fail_msg("case %zu: %s", i, cases[i].config_toml);
        }
    }
}

// ---- what containerd prints ----

#define DUMPS TEST_DATA "/unit/kinds/node/containerd_dumps.txt"
#define DUMPS_BYTES_MAX 65536
#define FILES_MAX 32

static const char *const results[] = {
    [CONFIG_PATH_UNKNOWN] = "unknown", [CONFIG_PATH_ENABLED] = "enabled",
    [CONFIG_PATH_UNSET] = "unset",     [CONFIG_PATH_OTHER] = "other",
    [CONFIG_PATH_MIRRORS] = "mirrors", [CONFIG_PATH_REFUSED] = "refused",
};

// The files that containerd read.
struct dump_files {
    const char *names[FILES_MAX];
    const char *contents[FILES_MAX];
    size_t count;
};

// The lines as a terminal gets them.
static char *with_carriage_returns(const char *text)
{
    struct buf buf = BUF_INIT(DUMPS_BYTES_MAX);
    for (; *text != '\0'; text++) {
        assert_int_equal(buf_append(&buf, *text == '\n' ? "\r\n" : text, *text == '\n' ? 2 : 1), 0);
    }
    return buf_take(&buf);
}

// Where config.toml alone is enough, every containerd that reads it says the same.
static void check_plain(const struct dump_files *files, const char *containerd, const char *name,
                        enum config_path found)
{
    for (size_t i = 0; i < files->count; i++) {
        if (str_equal(files->names[i], name)) {
            bool plain = config_path_is_plain(files->contents[i]);
            if (plain && found != CONFIG_PATH_ENABLED) {
                fail_msg("%s: %s", containerd, name);
            }
            return;
        }
    }
    fail_msg("no file %s", name);
}

// heading is "VERSION RESULT NAME...".
static void check_dump(const struct dump_files *files, char *heading, const char *dump)
{
    const char *containerd = strsep(&heading, " ");
    const char *result = strsep(&heading, " ");
    _cleanup_free_ char *output = with_carriage_returns(dump);
    enum config_path found = config_path_decode(output);
    if (!str_equal(results[found], result) || config_path_decode(dump) != found) {
        fail_msg("%s: %s", containerd, output);
    }
    while (heading != NULL) {
        check_plain(files, containerd, strsep(&heading, " "), found);
    }
}

static void test_dumps(void **state)
{
    (void)state;
    static char text[DUMPS_BYTES_MAX];
    FILE *file = fopen(DUMPS, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    assert_true(feof(file));
    (void)fclose(file);

    struct dump_files files = {0};
    size_t dumps = 0;
    for (char *section = strstr(text, "\n== "); section != NULL;) {
        char *heading = section + strlen("\n== ");
        section = strstr(heading, "\n== ");
        if (section != NULL) {
            *section = '\0';
        }
        char *content = heading;
        heading = strsep(&content, "\n");
        const char *sort = strsep(&heading, " ");
        if (str_equal(sort, "file")) {
            assert_true(files.count < FILES_MAX);
            files.names[files.count] = heading;
            files.contents[files.count++] = content;
        } else {
            check_dump(&files, heading, content);
            dumps++;
        }
    }
    assert_int_equal(files.count, 20);
    assert_int_equal(dumps, 49);
}

static const struct {
    const char *output;
    enum config_path config_path;
} answers[] = {
    // Later versions.
    {V3 IMAGES "config_path = ''\ncontainerd x v2.10.0 y\n", CONFIG_PATH_ENABLED},
    {V3 IMAGES "config_path = ''\ncontainerd x v3.0.0 y\n", CONFIG_PATH_ENABLED},
    {V3 IMAGES "config_path = ''\ncontainerd x v2.2.1 y\n", CONFIG_PATH_UNSET},
    {V3 "containerd x v2.3.0-beta.0 y", CONFIG_PATH_ENABLED},
    // Another section's.
    {IMAGES "[plugins]\nconfig_path = '/x'\ncontainerd x v2.1.0\n", CONFIG_PATH_UNSET},
    {"[x.registry.mirrors.y]\n" IMAGES SET "containerd x v2.1.0\n", CONFIG_PATH_ENABLED},
    {IMAGES SET IMAGES "config_path = '/x'\ncontainerd x v2.1.0\n", CONFIG_PATH_ENABLED},
    // What excludes config_path; since 2.0 `tls` does not.
    {"[plugins.'io.containerd.grpc.v1.cri'.registry.configs.x.tls]\n[y]\ncontainerd x 1.7.0\n",
     CONFIG_PATH_UNSET},
    {IMAGES SET
     "[plugins.'io.containerd.cri.v1.images'.registry.configs.x.tls]\ncontainerd x 1.7.9",
     CONFIG_PATH_REFUSED},
    {IMAGES SET
     "[plugins.'io.containerd.cri.v1.images'.registry.configs.x.tls]\ncontainerd x v2.0.0",
     CONFIG_PATH_ENABLED},
    {IMAGES SET "[plugins.'io.containerd.cri.v1.images'.registry.configs.x]\n[a.tls]\n"
                "containerd x 1.7.9",
     CONFIG_PATH_ENABLED},
    // Nothing, cut off, or something else.
    {"", CONFIG_PATH_UNKNOWN},
    {V3 IMAGES SET, CONFIG_PATH_UNKNOWN},
    {V3 IMAGES SET "containerd github.com/containerd/containerd/v2", CONFIG_PATH_UNKNOWN},
    {V3 IMAGES SET "containerd ", CONFIG_PATH_UNKNOWN},
    {"sh: containerd: not found\r\n", CONFIG_PATH_UNKNOWN},
    {"containerd: x 1\n", CONFIG_PATH_UNKNOWN},
    {"containerd x\n2.0.0\n", CONFIG_PATH_UNKNOWN},
    {IMAGES "config_path =\ncontainerd x 1.0.0\n", CONFIG_PATH_OTHER},
    {IMAGES "containerd x 1.0.0\nconfig_path =", CONFIG_PATH_OTHER},
    {IMAGES "config_path = \"\"", CONFIG_PATH_UNKNOWN},
    {IMAGES "config_path = 7\ncontainerd x 1.0.0\n", CONFIG_PATH_OTHER},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        enum config_path found = config_path_decode(answers[i].output);
        if (found != answers[i].config_path) {
            fail_msg("case %zu: %s: %s", i, results[found], answers[i].output);
        }
    }
}

// ---- imports ----

static const struct {
    const char *config_toml;
    const char *imports; // with a blank between
} importing[] = {
    {"", ""},
    {V2 CRI SET, ""},
    {"imports = []\n", ""},
    {"imports = [\"/etc/a.toml\"]", "/etc/a.toml"},
    {V2 "\timports=['conf.d/*.toml', \"/b.toml\"] # \"/c\"\r\nroot = \"/d\"\n",
     "/etc/containerd/conf.d/*.toml /b.toml"},
    {"imports = [\n  \"/a[0-9].toml\", # the first\n  '/b.toml',\n]\nroot = \"/d\"\n",
     "/a[0-9].toml /b.toml"},
    {"# imports = [\"/a\"]\nimports2 = [\"/b\"]\nimports [\"/c\"]\n", ""},
    {"imports = [\"/open\n", ""},
    {"imports = \"", ""},
    {"imports = [\"\", ''", "/etc/containerd/ /etc/containerd/"},
};

static void test_imports(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(importing); i++) {
        struct strv imports = {0};
        config_path_imports(importing[i].config_toml, &imports);
        _cleanup_free_ char *text = str_dup("");
        for (size_t j = 0; j < imports.count; j++) {
            char *longer = str_printf("%s%s%s", text, j == 0 ? "" : " ", imports.items[j]);
            free(text);
            text = longer;
        }
        if (!str_equal(text, importing[i].imports)) {
            fail_msg("case %zu: %s", i, text);
        }
        strv_done(&imports);
    }
}

static void test_many_imports(void **state)
{
    (void)state;
    char text[1024] = "imports = [";
    size_t length = strlen(text);
    for (size_t i = 0; i < 2 * CONFIG_IMPORTS_MAX; i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "'/%zu', ", i);
    }
    struct strv imports = {0};
    config_path_imports(text, &imports);
    assert_int_equal(imports.count, CONFIG_IMPORTS_MAX);
    assert_string_equal(imports.items[CONFIG_IMPORTS_MAX - 1], "/31");
    strv_done(&imports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_file),   cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_imports),
        cmocka_unit_test(test_many_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
