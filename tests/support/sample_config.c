#include "tests/support/sample_config.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

struct config *sample_config_of(const char *text)
{
    static const struct config_environment environment = {get, NULL};
    struct config *config = NULL;
    struct problems problems = {0};
    // No engine is looked for.
    _cleanup_free_ char *full =
        str_printf("docker: {host: 'unix:///missing/docker.sock'}\n%s", text);
    assert_int_equal(config_parse(full, strlen(full), "/home/user/registryd.yaml", &environment,
                                  &config, &problems),
                     0);
    problems_done(&problems);
    return config;
}

struct config *sample_config(void)
{
    return sample_config_of("");
}

void sample_set(char **target, const char *value)
{
    str_replace(target, value);
}
