#include "lib/doc/path.h"

#include "lib/base/strmap.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

static const char *get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

// expected is the path, or what is wrong.
static void expand_one(const char *text, const char *directory, struct strmap *variables,
                       const char *expected)
{
    const struct path_source source = {.directory = directory, .get = get, .ctx = variables};
    _cleanup_free_ char *path = NULL;
    struct error err = {0};
    if (expected[0] == '/') {
        assert_int_equal(path_expand(text, &source, &path, &err), 0);
        assert_string_equal(path, expected);
    } else {
        assert_int_equal(path_expand(text, &source, &path, &err), -EINVAL);
        assert_null(path);
        assert_int_equal(err.kind, ERROR_PERMANENT);
        assert_string_equal(err.text, expected);
    }
}

static void paths_are_expanded(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"/a/b", "/a/b"},
        {"a/b", "/etc/app/a/b"},
        {".", "/etc/app"},
        {"../../../../b", "/b"},
        {"/..", "/"},
        {"//a/./b//../c/", "/a/c"},
        {"/a/...", "/a/..."},
        {"~", "/home/u"},
        {"~/x", "/home/u/x"},
        {"a~", "/etc/app/a~"},
        {"$HOME/x", "/home/u/x"},
        {"${HOME}x", "/home/ux"},
        {"/y/$A/z", "/y/x/a$b/z"},
        {"/$$HOME", "/$HOME"},
        {"$RELATIVE", "/etc/app/data"},
        {"~root/x", "~ stands for your own home directory only: write ~/ or the path"},
        {"$EMPTY/x", "the variable EMPTY is not set"},
        {"$NONE/x", "the variable NONE is not set"},
        {"/a$", "has a $ without the name of a variable; $$ is a dollar sign"},
        {"/a$1", "has a $ without the name of a variable; $$ is a dollar sign"},
        {"/a${}", "has a $ without the name of a variable; $$ is a dollar sign"},
        {"/a${HOME", "has a ${ that is not closed by a }"},
        {"/${LATIN}", "is not valid UTF-8 once expanded"},
        {"$XDG_RUNTIME_DIR/x", "the variable XDG_RUNTIME_DIR is not an absolute path"},
        {"$XDG_CONFIG_HOME/x", "the variable XDG_CONFIG_HOME is not an absolute path"},
    };
    _cleanup_(strmap_done) struct strmap variables = {0};
    strmap_set(&variables, "HOME", "/home/u");
    strmap_set(&variables, "A", "/x/a$b");
    strmap_set(&variables, "RELATIVE", "data");
    strmap_set(&variables, "EMPTY", "");
    strmap_set(&variables, "LATIN", "\xe9");
    strmap_set(&variables, "XDG_RUNTIME_DIR", "run");
    strmap_set(&variables, "XDG_CONFIG_HOME", "./config");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        expand_one(cases[i].text, "/etc/app/", &variables, cases[i].expected);
    }
}

static void a_home_is_absolute(_unused_ void **state)
{
    _cleanup_(strmap_done) struct strmap variables = {0};
    strmap_set(&variables, "HOME", "home/u");
    expand_one("~/x", "/etc", &variables, "the variable HOME is not an absolute path");
    expand_one("${HOME}", "/etc", &variables, "the variable HOME is not an absolute path");
    expand_one("/x", "/etc", &variables, "/x");
}

// The directory of the file may have any name, and it becomes a part of the path.
static void a_directory_is_utf8_where_it_matters(_unused_ void **state)
{
    _cleanup_(strmap_done) struct strmap variables = {0};
    expand_one("data", "/caf\xe9", &variables, "is not valid UTF-8 once expanded");
    expand_one("/data", "/caf\xe9", &variables, "/data");
    expand_one("data", "/caf\xc3\xa9", &variables, "/caf\xc3\xa9/data");
}

static void paths_are_bounded(_unused_ void **state)
{
    char text[PATH_BYTES_MAX + 2] = "/";
    _cleanup_(strmap_done) struct strmap variables = {0};
    memset(text + 1, 'a', PATH_BYTES_MAX - 1);
    expand_one(text, "/", &variables, text);
    text[PATH_BYTES_MAX] = 'a';
    expand_one(text, "/", &variables, "must have at most 4096 bytes");
}

static void what_is_escaped_expands_to_itself(_unused_ void **state)
{
    static const char *const paths[] = {"/", "/a$b", "/$HOME/${A}$$", "/~/x"};
    _cleanup_(strmap_done) struct strmap variables = {0};
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        _cleanup_free_ char *text = path_escape(paths[i]);
        expand_one(text, "/etc", &variables, paths[i]);
    }
    char *none = (char[]){"x"};
    assert_int_equal(path_expand("", &(struct path_source){0}, &none, NULL), 0);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_expanded),
        cmocka_unit_test(a_home_is_absolute),
        cmocka_unit_test(a_directory_is_utf8_where_it_matters),
        cmocka_unit_test(paths_are_bounded),
        cmocka_unit_test(what_is_escaped_expands_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
