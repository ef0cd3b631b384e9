#include "tests/support/config_test.h"

#include "lib/base/file.h"
#include "lib/config/config_schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const char *map_get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

struct strmap with_home(void)
{
    struct strmap variables = {0};
    strmap_set(&variables, "HOME", "/home/u");
    return variables;
}

void describe_problems(const struct problems *problems, const char *file, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        assert_int_equal(buf_printf(out, "%s:%u:%u: %s: %s\n", file, problem->line, problem->column,
                                    problem->path, problem->text),
                         0);
    }
}

struct config *parse_with(const char *text, struct strmap *variables)
{
    struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    int r = config_parse(text, strlen(text), "/srv/app/x.yaml", ENVIRONMENT(variables), &config,
                         &problems);
    if (r != 0) {
        _cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
        describe_problems(&problems, "x.yaml", &out);
        fail_msg("%d: %s\n%s", r, buf_str(&out), text);
    }
    return config;
}

struct config *parse(const char *text)
{
    _cleanup_map_ struct strmap variables = with_home();
    return parse_with(text, &variables);
}

char *problems_with(const char *text, struct strmap *variables)
{
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct problems problems = {0};
    _cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
    assert_int_equal(config_parse(text, strlen(text), "/srv/app/x.yaml", ENVIRONMENT(variables),
                                  &config, &problems),
                     -EINVAL);
    assert_null(config);
    describe_problems(&problems, "x.yaml", &out);
    return buf_take(&out);
}

void assert_aliases(const struct config *config, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < config->nodes.aliases.count; i++) {
        assert_int_equal(buf_printf(&out, "%s ", config->nodes.aliases.items[i]), 0);
    }
    assert_string_equal(buf_str(&out), expected);
}

char *print(const struct config *config)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    schema_print(config_schema, config, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

void assert_reads_back(const struct config *config)
{
    _cleanup_free_ char *printed = print(config);
    _cleanup_config_ struct config *again = parse(printed);
    _cleanup_free_ char *printed_again = print(again);
    assert_string_equal(printed, printed_again);
}

void assert_defaults(const struct config *config)
{
    _cleanup_free_ char *printed = print(config);
    _cleanup_free_ char *expected = NULL;
    size_t length = 0;
    assert_int_equal(file_read(TEST_DATA "/unit/config/defaults.yaml", TEXT_MAX, FILE_REGULAR,
                               &expected, &length, NULL),
                     0);
    assert_string_equal(printed, expected);
}
