// Every allocation of reading a configuration fails: it is read whole, or its problems are told
// whole, or there was no memory.
#include "tests/support/alloc_cases.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/config/config.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PRINT_MAX (64u * 1024u)

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    if (str_equal(name, "HOME")) {
        return "/home/user";
    }
    return str_equal(name, "DOCKER_HOST") ? "unix:///run/docker.sock" : NULL;
}

static const struct config_environment environment = {get, NULL};

static char *print(const struct config *config)
{
    ALLOC_LOOK_AWAY;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(config_print(config, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *describe(const struct config_problems *problems)
{
    ALLOC_LOOK_AWAY;
    struct buf text = BUF_INIT(PRINT_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        assert_int_equal(buf_printf(&text, "%u:%u %s %s\n", problem->line, problem->column,
                                    problem->path, problem->text),
                         0);
    }
    return buf_take(&text);
}

struct reading {
    const char *file;
    int expected;
    char *result; // of the first time: what the configuration is, or what is wrong with it
};

static int read_once(void *ctx)
{
    struct reading *reading = ctx;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(config_problems_done) struct config_problems problems = {0};
    int r = config_load(reading->file, true, &environment, &config, &problems);
    if (r == -ENOMEM) {
        assert_null(config);
        assert_int_equal(problems.count, 0);
        return r;
    }
    _cleanup_free_ char *result = config != NULL ? print(config) : describe(&problems);
    if (reading->result == NULL) {
        reading->result = TAKE_PTR(result);
    } else {
        assert_string_equal(result, reading->result);
    }
    return r;
}

static uint64_t read_one(const char *file, int expected)
{
    struct reading reading = {.file = file};
    assert_int_equal(read_once(&reading), expected);
    uint64_t failed = alloc_fail_each(read_once, &reading, expected);
    free(reading.result);
    return failed;
}

static void test_good(void **state)
{
    uint64_t *failed = *state;
    *failed += read_one(TEST_DATA "/../config/registryd.yaml", 0);
    *failed += read_one(TEST_DATA "/unit/config/everything.yaml", 0);
}

static void test_bad(void **state)
{
    uint64_t *failed = *state;
    glob_t files;
    assert_int_equal(glob(TEST_DATA "/unit/config/bad/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        *failed += read_one(files.gl_pathv[i], -EINVAL);
    }
    globfree(&files);
    *failed += read_one("/nonexistent/registryd.yaml", -EINVAL);
    print_message("%llu allocations failed\n", (unsigned long long)*failed);
}

static int print_once(void *ctx)
{
    // A stream that has its buffer already.
    return config_print(((void **)ctx)[0], ((void **)ctx)[1]);
}

static void test_print(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(config_problems_done) struct config_problems problems = {0};
    assert_int_equal(config_load(TEST_DATA "/unit/config/everything.yaml", true, &environment,
                                 &config, &problems),
                     0);
    FILE *out = fopen("/dev/null", "we");
    assert_non_null(out);
    assert_int_equal(config_print(config, out), 0);
    void *ctx[] = {config, out};
    (void)alloc_fail_each(print_once, ctx, 0);
    assert_int_equal(fclose(out), 0);
}

int main(void)
{
    static uint64_t failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_good, &failed),
        cmocka_unit_test_prestate(test_bad, &failed),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
