#include "tests/support/sample_config.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

struct config *sample_config(void)
{
    static const struct config_environment environment = {get, NULL};
    struct config *config = NULL;
    struct problems problems = {0};
    static const char text[] =
        "docker: {host: 'unix:///missing/docker.sock'}"; // none is looked for
    assert_int_equal(config_parse(text, sizeof(text) - 1, "/home/user/registryd.yaml", &environment,
                                  &config, &problems),
                     0);
    problems_done(&problems);
    return config;
}

void sample_set(char **target, const char *value)
{
    str_replace(target, value);
}
