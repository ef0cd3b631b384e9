// What one key alone does not show.

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/config/internal.h"

#include <errno.h>
#include <string.h>

#define PATH_KEYS_MAX 64 // bytes of a dotted path of the schema's own keys

struct checker {
    struct config *config;
    const struct yaml_node *root;
    struct problems *problems;
};

// The value at a dotted path, or the deepest value above it that the document has.
static const struct yaml_node *nearest(const struct yaml_node *root, const char *path,
                                       bool *ret_found)
{
    char keys[PATH_KEYS_MAX];
    (void)snprintf(keys, sizeof(keys), "%s", path);
    const struct yaml_node *at = root;
    char *state = NULL;
    *ret_found = true;
    for (char *key = strtok_r(keys, ".", &state); key != NULL; key = strtok_r(NULL, ".", &state)) {
        const struct yaml_node *below = yaml_get(at, key);
        if (below == NULL) {
            *ret_found = false;
            return at;
        }
        at = below;
    }
    *ret_found = !yaml_is_null(at);
    return at;
}

// Whether the file itself gives a value, good or not.
static bool is_given(const struct checker *checker, const char *path)
{
    bool found = false;
    (void)nearest(checker->root, path, &found);
    return found;
}

// Whether the value, given or not, has no problem yet: else its default would be judged.
static bool is_good(const struct checker *checker, const char *path)
{
    return !problems_has(checker->problems, path);
}

static int complain(struct checker *checker, const char *path, const char *text)
{
    bool found = false;
    const struct yaml_node *node = nearest(checker->root, path, &found);
    return problems_add(checker->problems, node->line, node->column, path, "%s", text);
}

static int check_listen(struct checker *checker)
{
    const struct config_registry *registry = &checker->config->registry;
    if (!is_good(checker, "registry.listen") || !is_good(checker, "registry.allowRemote") ||
        registry->allow_remote ||
        address_is_loopback(address_kind_of(registry->listen_address), registry->listen_address)) {
        return 0;
    }
    return complain(checker, "registry.listen",
                    "is reached from other hosts, which needs registry.allowRemote: true");
}

static int check_backoff(struct checker *checker)
{
    const struct backoff *backoff = &checker->config->reconcile.backoff;
    if (backoff->max_ms >= backoff->initial_ms || !is_good(checker, "reconcile.backoff.max") ||
        !is_good(checker, "reconcile.backoff.initial")) {
        return 0;
    }
    return complain(checker, "reconcile.backoff.max", "must not be less than backoff.initial");
}

// A host from the file stands; DOCKER_HOST comes before the default.
static int apply_docker_host(struct checker *checker, const struct schema_source *source)
{
    const char *host = source->get(source->ctx, "DOCKER_HOST");
    if (str_empty(host) || is_given(checker, DOCKER_HOST_PATH)) {
        return 0;
    }
    struct error err;
    int r = schema_parse_text(&config_docker_host_field, host, source, checker->config, &err);
    if (r == 0 || r == -ENOMEM) {
        return r;
    }
    char text[ERROR_TEXT_MAX + 64];
    (void)snprintf(text, sizeof(text), "the environment variable DOCKER_HOST %s", err.text);
    return complain(checker, DOCKER_HOST_PATH, text);
}

static int check_tls(struct checker *checker)
{
    static const char *const paths[] = {"docker.tls.ca", "docker.tls.cert", "docker.tls.key"};
    struct config_docker *docker = &checker->config->docker;
    char *const values[] = {docker->ca, docker->cert, docker->key};
    docker->tls = docker->ca != NULL || docker->cert != NULL || docker->key != NULL;
    bool unix_host = is_good(checker, DOCKER_HOST_PATH) && str_starts_with(docker->host, "unix://");
    for (size_t i = 0; i < ELEMENTS(paths) && unix_host; i++) {
        int r = values[i] == NULL
                    ? 0
                    : complain(checker, paths[i], "needs a docker.host that begins with tcp://");
        if (r < 0) {
            return r;
        }
    }
    bool half = (docker->cert == NULL) != (docker->key == NULL);
    if (!half || !is_good(checker, paths[1]) || !is_good(checker, paths[2])) {
        return 0;
    }
    return docker->cert != NULL ? complain(checker, paths[1], "needs docker.tls.key beside it")
                                : complain(checker, paths[2], "needs docker.tls.cert beside it");
}

static bool contradicts_delete(const struct config *config, const char *value)
{
    return !str_equal(value, config->registry.delete_enabled ? "true" : "false");
}

static bool changes_port(const struct config *config, const char *value)
{
    (void)config;
    return !str_ends_with(value, ":5000");
}

// Only there is the host's directory mounted (WORLD_REGISTRY_STORAGE).
static bool leaves_storage(const struct config *config, const char *value)
{
    (void)config;
    return !str_is_path_within(value, "/var/lib/registry");
}

static bool changes_ui_port(const struct config *config, const char *value)
{
    (void)config;
    return !str_equal(value, "80");
}

static bool is_always_wrong(const struct config *config, const char *value)
{
    (void)config;
    (void)value;
    return true;
}

// Variables that the program sets itself. The value stays out of the text.
static const struct {
    const char *map;
    const char *name;
    bool (*is_wrong)(const struct config *config, const char *value);
    const char *text;
} managed_variables[] = {
    {"registry.environment", "REGISTRY_STORAGE_DELETE_ENABLED", contradicts_delete,
     "contradicts registry.delete; leave it out and set registry.delete"},
    {"registry.environment", "REGISTRY_HTTP_ADDR", changes_port,
     "must keep the port 5000; the port on the host is a part of registry.listen"},
    {"registry.environment", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", leaves_storage,
     "must be /var/lib/registry or below it: only what is there is kept in registry.storage, "
     "images elsewhere would be lost with the container"},
    {"ui.environment", "URL", is_always_wrong, "is set by the program; use ui.url"},
    {"ui.environment", "REGISTRY_URL", is_always_wrong, "is set by the program; use ui.url"},
    {"ui.environment", "REGISTRY_TITLE", is_always_wrong, "is set by the program; use ui.title"},
    {"ui.environment", "NGINX_PROXY_PASS_URL", is_always_wrong,
     "is set by the program: the Ingress passes on the API at ui.url"},
    {"ui.environment", "NGINX_LISTEN_PORT", changes_ui_port,
     "must keep the port 80: the Service and the pods' startup probe ask there"},
};

static int check_environments(struct checker *checker)
{
    for (size_t i = 0; i < ELEMENTS(managed_variables); i++) {
        char path[2 * PATH_KEYS_MAX];
        bool found = false;
        const struct yaml_node *map = nearest(checker->root, managed_variables[i].map, &found);
        const struct yaml_node *value = found ? yaml_get(map, managed_variables[i].name) : NULL;
        if (value == NULL || yaml_text(value) == NULL ||
            !managed_variables[i].is_wrong(checker->config, value->text)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s.%s", managed_variables[i].map,
                       managed_variables[i].name);
        int r = problems_add(checker->problems, value->line, value->column, path, "%s",
                             managed_variables[i].text);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_alias(struct strv *aliases, const char *host, unsigned port)
{
    _cleanup_free_ char *alias = str_printf("%s:%u", host, port);
    return alias == NULL ? -ENOMEM : strv_add_unique(aliases, alias);
}

// The effective list: the declared ones first, each once, then those that are always there.
static int complete_aliases(struct checker *checker)
{
    struct config *config = checker->config;
    _cleanup_(strv_done) struct strv aliases = {0};
    int r = 0;
    for (size_t i = 0; i < config->nodes.aliases.count && r == 0; i++) {
        r = strv_add_unique(&aliases, config->nodes.aliases.items[i]);
    }
    if (r == 0) {
        r = add_alias(&aliases, "localhost", config->registry.listen_port);
    }
    if (r == 0) {
        r = add_alias(&aliases, "127.0.0.1", config->registry.listen_port);
    }
    if (r == 0) {
        r = add_alias(&aliases, config->registry.name, 5000);
    }
    if (r < 0) {
        return r;
    }
    strv_done(&config->nodes.aliases);
    config->nodes.aliases = TAKE_STRUCT(aliases);
    if (config->nodes.aliases.count > ALIASES_MAX) {
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "must have at most %d entries with the three that are always added",
                       ALIASES_MAX);
        return complain(checker, "nodes.aliases", text);
    }
    return 0;
}

int config_complete(struct config *config, const struct yaml_node *root,
                    const struct schema_source *source, struct problems *problems)
{
    struct checker checker = {.config = config, .root = root, .problems = problems};
    static int (*const checks[])(struct checker *) = {
        check_listen, check_backoff, check_tls, check_environments, complete_aliases,
    };
    int r = apply_docker_host(&checker, source);
    for (size_t i = 0; i < ELEMENTS(checks) && r == 0; i++) {
        r = checks[i](&checker);
    }
    return r;
}
