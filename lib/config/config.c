#include "lib/config/config.h"

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/config/config_check.h"
#include "lib/config/config_schema.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>

static const char *process_get(_unused_ void *ctx, const char *name)
{
    return getenv(name);
}

const struct config_environment config_process_environment = {.get = process_get};

char *config_default_file(const struct config_environment *environment, struct error *err)
{
    static const struct {
        const char *variable;
        const char *directory; // below it
    } defaults[] = {{"XDG_CONFIG_HOME", ""}, {"HOME", "/.config"}};
    for (size_t i = 0; i < ELEMENTS(defaults); i++) {
        const char *base = environment->get(environment->ctx, defaults[i].variable);
        if (str_empty(base)) {
            continue;
        }
        if (base[0] != '/') { // another file in each working directory
            (void)error_invalid(err, "%s is not an absolute path", defaults[i].variable);
            return NULL;
        }
        return str_printf("%s%s/hostk8s/registryd.yaml", base, defaults[i].directory);
    }
    (void)error_set(err, ERROR_PERMANENT, ENOENT, "neither XDG_CONFIG_HOME nor HOME is set");
    return NULL;
}

// ---- reading ----

// The absolute directory of the file; the caller frees it.
static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - file) + 1;
    char current[PATH_MAX];
    if (file[0] == '/') {
        return str_dup_n(file, length);
    }
    // A working directory that is gone has no files either.
    const char *base = getcwd(current, sizeof(current));
    return str_printf("%s/%.*s", base == NULL ? "" : base, (int)length, file);
}

int config_parse(const char *text, size_t length, const char *file,
                 const struct config_environment *environment, struct config **ret,
                 struct problems *ret_problems)
{
    _cleanup_free_ char *directory = directory_of(file);
    const struct path_source source = {directory, environment->get, environment->ctx};
    _cleanup_(config_freep) struct config *config = xcalloc(1, sizeof(*config));
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    if (yaml_read_all(text, length, &root, ret_problems) == 0) {
        schema_decode(config_schema, root, &source, config, ret_problems);
        config_complete(config, root, &source, ret_problems);
    }
    if (ret_problems->count > 0) {
        problems_sort(ret_problems);
        return -EINVAL;
    }
    *ret = TAKE_PTR(config);
    return 0;
}

int config_load(const char *file, bool must_exist, const struct config_environment *environment,
                struct config **ret, struct problems *ret_problems)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    struct error err;
    int r = file_read(file, YAML_BYTES_MAX, must_exist ? FILE_OR_PIPE : FILE_REGULAR, &text,
                      &length, &err);
    if (r < 0 && (r != -ENOENT || must_exist)) {
        problems_add(ret_problems, 1, 1, NULL, "%s", err.text);
        return -EINVAL;
    }
    bool from_file = r == 0;
    r = config_parse(from_file ? text : "", length, file, environment, ret, ret_problems);
    if (r == 0) {
        (*ret)->from_file = from_file;
    }
    return r;
}

// ---- the configuration ----

bool config_has_cluster(const struct config *config, const char *cluster)
{
    for (size_t i = 0; i < config->clusters.count; i++) {
        if (fnmatch(config->clusters.items[i], cluster, 0) == 0) {
            return true;
        }
    }
    return false;
}

const struct config_cache *config_cache_of(const struct config *config, const char *upstream)
{
    const struct config_cache *cache = config->caches;
    while (cache->upstream != NULL && !str_equal(cache->upstream, upstream)) {
        cache++;
    }
    return cache->upstream == NULL ? NULL : cache;
}

void config_add_secrets(const struct config *config, struct secrets *secrets)
{
    const struct strmap *const environments[] = {&config->registry.environment,
                                                 &config->ui.environment};
    for (size_t i = 0; i < ELEMENTS(environments); i++) {
        strmap_foreach (environments[i], entry) {
            secrets_add(secrets, entry->value);
        }
    }
}

struct config *config_ref(struct config *config)
{
    config->shares++;
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL || config->shares-- > 0) {
        return;
    }
    schema_done(config_schema, config);
    free(config->registry.listen_address);
    for (size_t i = 0; i < CACHES_MAX; i++) {
        free(config->caches[i].container);
        free(config->caches[i].storage);
    }
    free(config->docker.search.host);
    free(config->docker.search.context);
    free(config->docker.search.config_dir);
    strv_done(&config->docker.search.sockets);
    free(config);
}
