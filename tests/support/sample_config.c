#include "tests/support/sample_config.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *get(_unused_ void *ctx, const char *name)
{
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

struct config *sample_config_of(const char *text)
{
    static const struct config_environment environment = {get, NULL};
    struct config *config = NULL;
    struct problems problems = {0};
    int r = config_parse(text, strlen(text), "/home/user/registryd.yaml", &environment, &config,
                         &problems);
    if (r < 0) {
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].text);
    }
    problems_done(&problems);
    str_replace(&config->docker.host, "unix:///missing/docker.sock"); // none is looked for
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
