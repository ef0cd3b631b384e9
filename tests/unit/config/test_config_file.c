#include "tests/support/config_test.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLE TEST_DATA "/../config/registryd.yaml"
#define BAD TEST_DATA "/unit/config/bad/"

static void the_example_shows_the_defaults(_unused_ void **state)
{
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    assert_int_equal(config_load(EXAMPLE, true, ENVIRONMENT(&variables), &config, &problems), 0);
    assert_defaults(config);
    assert_true(config->from_file);
}

static void bad_one(const char *file)
{
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    _cleanup_buf_ struct buf actual = BUF_INIT(TEXT_MAX);
    if (config_load(file, true, ENVIRONMENT(&variables), &config, &problems) != -EINVAL) {
        fail_msg("%s is accepted", file);
    }
    describe_problems(&problems, strrchr(file, '/') + 1, &actual);
    assert_null(strstr(buf_str(&actual), "s3cret"));

    _cleanup_free_ char *golden =
        str_printf("%.*s.expected", (int)(strlen(file) - strlen(".yaml")), file);
    _cleanup_free_ char *expected = NULL;
    size_t length = 0;
    assert_int_equal(file_read(golden, TEXT_MAX, FILE_REGULAR, &expected, &length, NULL), 0);
    assert_string_equal(buf_str(&actual), expected);
}

static void bad_files_have_their_messages(_unused_ void **state)
{
    glob_t files;
    assert_int_equal(glob(BAD "*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        bad_one(files.gl_pathv[i]);
    }
    globfree(&files);
}

static void files_that_cannot_be_read(_unused_ void **state)
{
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    assert_int_equal(
        config_load(BAD "none.yaml", false, ENVIRONMENT(&variables), &config, &problems), 0);
    assert_defaults(config);
    assert_false(config->from_file);

    static const struct {
        const char *file;
        const char *expected;
    } cases[] = {
        {BAD "none.yaml", "f:1:1: : cannot be read: No such file or directory\n"},
        {BAD, "f:1:1: : is a directory, not a file\n"},
        {"/dev/zero", "f:1:1: : is a device, not a file\n"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_config_ struct config *none = NULL;
        _cleanup_problems_ struct problems found = {0};
        _cleanup_buf_ struct buf out = BUF_INIT(4096);
        assert_int_equal(config_load(cases[i].file, true, ENVIRONMENT(&variables), &none, &found),
                         -EINVAL);
        describe_problems(&found, "f", &out);
        assert_string_equal(buf_str(&out), cases[i].expected);
    }
}

static void relative_file_is_relative_to_the_working_directory(_unused_ void **state)
{
    char directory[PATH_MAX];
    assert_non_null(getcwd(directory, sizeof(directory)));
    _cleanup_map_ struct strmap variables = with_home();
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    static const char text[] = "registry: {storage: data}";
    assert_int_equal(
        config_parse(text, strlen(text), "sub/x.yaml", ENVIRONMENT(&variables), &config, &problems),
        0);
    _cleanup_free_ char *expected = str_printf("%s/sub/data", directory);
    assert_string_equal(config->registry.storage, expected);
}

// expected is the file, or what is wrong.
static void default_file_one(const char *xdg, const char *home, const char *expected)
{
    _cleanup_map_ struct strmap variables = {0};
    struct error err = {0};
    if (xdg != NULL) {
        strmap_set(&variables, "XDG_CONFIG_HOME", xdg);
    }
    if (home != NULL) {
        strmap_set(&variables, "HOME", home);
    }
    _cleanup_free_ char *file = config_default_file(ENVIRONMENT(&variables), &err);
    assert_string_equal(file != NULL ? file : err.text, expected);
}

static void default_file(_unused_ void **state)
{
    default_file_one("/x", "/h", "/x/hostk8s/registryd.yaml");
    default_file_one("/x", "h", "/x/hostk8s/registryd.yaml");
    default_file_one("", "/h", "/h/.config/hostk8s/registryd.yaml");
    default_file_one(NULL, "/h", "/h/.config/hostk8s/registryd.yaml");
    default_file_one("x", "/h", "XDG_CONFIG_HOME is not an absolute path");
    default_file_one(NULL, "h", "HOME is not an absolute path");
    default_file_one(NULL, "", "neither XDG_CONFIG_HOME nor HOME is set");
    default_file_one(NULL, NULL, "neither XDG_CONFIG_HOME nor HOME is set");

    assert_int_equal(setenv("XDG_CONFIG_HOME", "/of/the/process", 1), 0);
    _cleanup_free_ char *file = config_default_file(&config_process_environment, NULL);
    assert_string_equal(file, "/of/the/process/hostk8s/registryd.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_shows_the_defaults),
        cmocka_unit_test(bad_files_have_their_messages),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(relative_file_is_relative_to_the_working_directory),
        cmocka_unit_test(default_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
