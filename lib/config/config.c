#include "lib/config/config.h"

#include "lib/base/str.h"
#include "lib/config/internal.h"

#include <fnmatch.h>

static const char *process_get(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

const struct config_environment config_process_environment = {.get = process_get};

char *config_default_file(const struct config_environment *environment)
{
    const char *base = environment->get(environment->ctx, "XDG_CONFIG_HOME");
    if (base != NULL && base[0] == '/') { // a relative one is to be ignored: XDG base directories
        return str_printf("%s/hostk8s/registryd.yaml", base);
    }
    const char *home = environment->get(environment->ctx, "HOME");
    return str_empty(home) ? NULL : str_printf("%s/.config/hostk8s/registryd.yaml", home);
}

bool config_wants_cluster(const struct config *config, const char *cluster)
{
    for (size_t i = 0; i < config->clusters.count; i++) {
        if (fnmatch(config->clusters.items[i], cluster, 0) == 0) {
            return true;
        }
    }
    return false;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    schema_done(config_schema, config);
    free(config->registry.listen_address); // these four are codecs' work
    free(config->ui.url);
    free(config->ui.path);
    free(config->docker.host);
    secrets_free(config->secrets);
    free(config);
}

void config_problems_done(struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].path);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct config_problems){0};
}
