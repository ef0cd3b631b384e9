#include "lib/config/config_check.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/config/config_schema.h"

#include <string.h>

#define PATH_KEYS_MAX 64 // bytes of a dotted path of the schema's own keys

// Of rootless Docker and of Podman, below XDG_RUNTIME_DIR.
static const char *const runtime_sockets[] = {"docker.sock", "podman/podman.sock"};

struct checker {
    struct config *config;
    const struct yaml_node *root;
    const struct path_source *source;
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

// Whether the value, given or not, has no problem yet; with one, its default stands in the config.
static bool is_good(const struct checker *checker, const char *path)
{
    return !problems_has(checker->problems, &(struct doc_path){.key = path});
}

// Adds a problem at the value, or where it would stand.
#define ADD_PROBLEM(checker, path, ...)                                                            \
    do {                                                                                           \
        bool found = false;                                                                        \
        const struct yaml_node *at = nearest((checker)->root, path, &found);                       \
        problems_add((checker)->problems, at->line, at->column, &(struct doc_path){.key = (path)}, \
                     __VA_ARGS__);                                                                 \
    } while (0)

static void complete_listen(struct checker *checker)
{
    struct config_registry *registry = &checker->config->registry;
    struct address address = {0};
    (void)address_parse(registry->listen, ADDRESS_NEEDS_PORT, &address, NULL); // as it was spelled
    registry->listen_address = str_dup(address.host);
    registry->listen_port = address.port;
    if (is_good(checker, "registry.listen") && is_good(checker, "registry.allowRemote") &&
        !registry->allow_remote && !address_is_loopback(registry->listen_address)) {
        ADD_PROBLEM(checker, "registry.listen",
                    "is reached from other hosts, which needs registry.allowRemote: true");
    }
}

static void check_backoff(struct checker *checker)
{
    const struct backoff *backoff = &checker->config->reconcile.backoff;
    if (backoff->max_ms < backoff->initial_ms && is_good(checker, "reconcile.backoff.max") &&
        is_good(checker, "reconcile.backoff.initial")) {
        ADD_PROBLEM(checker, "reconcile.backoff.max", "must not be less than backoff.initial");
    }
}

// NULL when it is unset or empty.
static const char *variable(const struct checker *checker, const char *name)
{
    const char *value = checker->source->get(checker->source->ctx, name);
    return str_empty(value) ? NULL : value;
}

// https://docs.docker.com/reference/cli/docker/#environment-variables
static void complete_docker_search(struct checker *checker)
{
    struct config_docker_search *search = &checker->config->docker.search;
    const char *host = variable(checker, "DOCKER_HOST");
    const char *config_dir = variable(checker, "DOCKER_CONFIG");
    const char *home = variable(checker, "HOME");
    const char *runtime = variable(checker, "XDG_RUNTIME_DIR");
    struct error err;
    if (host != NULL && str_empty(checker->config->docker.host) &&
        config_spell_docker_host(host, &search->host, &err) < 0) {
        ADD_PROBLEM(checker, "docker.host", "the environment variable DOCKER_HOST %s", err.text);
    }
    search->context = str_dup(variable(checker, "DOCKER_CONTEXT"));
    search->config_dir = config_dir != NULL ? str_dup(config_dir)
                         : home != NULL     ? str_printf("%s/.docker", home)
                                            : NULL;
    strv_add(&search->sockets, "/var/run/docker.sock");
    for (size_t i = 0; i < ELEMENTS(runtime_sockets) && runtime != NULL && runtime[0] == '/'; i++) {
        _cleanup_free_ char *path = str_printf("%s/%s", runtime, runtime_sockets[i]);
        strv_add(&search->sockets, path);
    }
}

// What is known before the search; NULL: nothing.
static const char *given_host(const struct checker *checker)
{
    const struct config_docker *docker = &checker->config->docker;
    return str_empty(docker->host) ? docker->search.host : docker->host;
}

static void check_tls(struct checker *checker)
{
    struct config_docker *docker = &checker->config->docker;
    const struct {
        const char *path;
        const char *value;
    } files[] = {
        {"docker.tls.ca", docker->ca},
        {"docker.tls.cert", docker->cert},
        {"docker.tls.key", docker->key},
    };
    docker->tls = docker->ca != NULL || docker->cert != NULL || docker->key != NULL;
    const char *host = given_host(checker);
    bool remote = host != NULL && str_starts_with(host, "tcp://");
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        if (!remote && is_good(checker, "docker.host") && files[i].value != NULL) {
            ADD_PROBLEM(checker, files[i].path, "needs a docker.host that begins with tcp://");
        }
    }
    if ((docker->cert == NULL) != (docker->key == NULL) && is_good(checker, "docker.tls.cert") &&
        is_good(checker, "docker.tls.key")) {
        bool cert = docker->cert != NULL;
        ADD_PROBLEM(checker, cert ? "docker.tls.cert" : "docker.tls.key",
                    "needs docker.tls.%s beside it", cert ? "key" : "cert");
    }
}

// ---- registry.storage ----

// Directories that are not for images: what runs in the container writes there as root, and SELinux
// gives everything below another label. Not in the list: /srv, /mnt, /media and /opt, where a file
// system of its own may stand.
static const char *const system_directories[] = {
    "/home", "/root",      "/run",     "/run/user", "/tmp",
    "/var",  "/var/cache", "/var/lib", "/var/run",  "/var/tmp",
};
static const char *const system_trees[] = {
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/log",
};
static const char *const home_directories[] = {
    "", "/.cache", "/.config", "/.docker", "/.kube", "/.local", "/.local/share", "/.ssh",
};

// Each returns what the storage must not be, for "must not be …"; the caller frees it. NULL: it is
// fine.

static char *socket_fault(const char *storage, const char *socket)
{
    bool holds = str_is_path_within(socket, storage) || str_is_path_within(storage, socket);
    return holds ? str_printf("the engine's socket, %s, or a directory that holds it", socket)
                 : NULL;
}

static char *storage_fault(const struct checker *checker, const char *storage)
{
    static const char scheme[] = "unix://";
    const char *host = given_host(checker);
    const struct strv *sockets = &checker->config->docker.search.sockets;
    _cleanup_free_ char *home = NULL;
    _cleanup_free_ char *fault = NULL;
    for (size_t i = 0; i < ELEMENTS(system_directories); i++) {
        if (str_equal(storage, system_directories[i])) {
            return str_printf("%s itself: name a directory of its own below it", storage);
        }
    }
    for (size_t i = 0; i < ELEMENTS(system_trees); i++) {
        if (str_is_path_within(storage, system_trees[i])) {
            return str_printf("%s or below it: the system keeps its own files there",
                              system_trees[i]);
        }
    }
    if (host != NULL && str_starts_with(host, scheme)) {
        fault = socket_fault(storage, host + strlen(scheme));
    }
    for (size_t i = 0; i < sockets->count && host == NULL && fault == NULL; i++) {
        fault = socket_fault(storage, sockets->items[i]);
    }
    if (fault != NULL) {
        return TAKE_PTR(fault);
    }
    if (path_expand("~", checker->source, &home, NULL) < 0) {
        return NULL;
    }
    if (str_is_path_within(home, storage) && !str_equal(home, storage)) {
        return str_dup("a directory that holds the home directory");
    }
    for (size_t i = 0; i < ELEMENTS(home_directories); i++) {
        _cleanup_free_ char *path = str_printf("%s%s", home, home_directories[i]);
        if (str_equal(storage, path)) {
            return str_printf("~%s itself: name a directory of its own below it",
                              home_directories[i]);
        }
    }
    return NULL;
}

static void check_storage(struct checker *checker)
{
    static const char key[] = "registry.storage";
    _cleanup_free_ char *fault =
        is_good(checker, key) ? storage_fault(checker, checker->config->registry.storage) : NULL;
    if (fault != NULL) {
        ADD_PROBLEM(checker, key, "must not be %s", fault);
    }
}

// ---- environments ----

// Variables that the program sets itself. The value stays out of the text.
static void check_environments(struct checker *checker)
{
    const struct {
        const char *map;
        const char *name;
        const char *good; // a pattern of the values that are fine; NULL: none
        const char *problem;
    } variables[] = {
        {"registry.environment", "REGISTRY_STORAGE_DELETE_ENABLED",
         checker->config->registry.delete_enabled ? "^true$" : "^false$",
         "contradicts registry.delete; leave it out and set registry.delete"},
        {"registry.environment", "REGISTRY_HTTP_ADDR", ":5000$",
         "must keep the port 5000; the port on the host is a part of registry.listen"},
        // The host's directory is mounted there; `..` would leave it.
        {"registry.environment", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY",
         "^/var/lib/registry(/+[.]?[^./][^/]*)*/*$",
         "must be /var/lib/registry or below it: only what is there is kept in registry.storage, "
         "images elsewhere would be lost with the container"},
        {"ui.environment", "URL", NULL, "is set by the program; use ui.url"},
        {"ui.environment", "REGISTRY_URL", NULL, "is set by the program; use ui.url"},
        {"ui.environment", "REGISTRY_TITLE", NULL, "is set by the program; use ui.title"},
        {"ui.environment", "NGINX_PROXY_PASS_URL", NULL,
         "is set by the program: the Ingress passes on the API at ui.url"},
        {"ui.environment", "NGINX_LISTEN_PORT", "^80$",
         "must keep the port 80: the server of ui.path passes requests on to it"},
    };
    for (size_t i = 0; i < ELEMENTS(variables); i++) {
        bool found = false;
        const struct yaml_node *map = nearest(checker->root, variables[i].map, &found);
        const struct yaml_node *value = found ? yaml_get(map, variables[i].name) : NULL;
        if (value != NULL && yaml_text(value) != NULL &&
            (variables[i].good == NULL || !str_matches(value->text, variables[i].good))) {
            const struct doc_path parent = {.key = variables[i].map};
            const struct doc_path path = {.parent = &parent, .key = variables[i].name};
            problems_add(checker->problems, value->line, value->column, &path, "%s",
                         variables[i].problem);
        }
    }
}

// ---- nodes.aliases ----

// To the declared ones come those that are always there, in the same spelling.
static void complete_aliases(struct checker *checker)
{
    struct config *config = checker->config;
    const struct {
        const char *host;
        unsigned port;
    } always[] = {
        {"localhost", config->registry.listen_port},
        {"127.0.0.1", config->registry.listen_port},
        {config->registry.name, 5000},
    };
    for (size_t i = 0; i < ELEMENTS(always); i++) {
        _cleanup_free_ char *alias = str_printf("%s:%u", always[i].host, always[i].port);
        _cleanup_free_ char *spelled = NULL;
        (void)config_spell_alias(alias, &spelled, NULL);
        strv_add_unique(&config->nodes.aliases, spelled);
    }
    if (config->nodes.aliases.count > ALIASES_MAX) {
        ADD_PROBLEM(checker, "nodes.aliases",
                    "must have at most %d entries with the three that are always added",
                    ALIASES_MAX);
    }
}

// ---- caches ----

// Adds a problem of the cache's key, or of the whole entry.
static void add_cache_problem(struct checker *checker, size_t index, const char *key,
                              const char *text)
{
    const struct doc_path list = {.key = "caches"};
    const struct doc_path item = {.parent = &list, .index = index};
    const struct doc_path path = {.parent = &item, .key = key};
    const struct yaml_node *node = &yaml_get(checker->root, "caches")->entries[index].value;
    const struct yaml_node *value = key == NULL ? NULL : yaml_get(node, key);
    value = value == NULL ? node : value;
    problems_add(checker->problems, value->line, value->column, key == NULL ? &item : &path, "%s",
                 text);
}

// The name of its container, which is a DNS name, and its directory. That is beside the registry's
// and not in it: the registry would have both as its own, a collection of garbage walks all that is
// there, and an upstream's images are no loss while those in the registry may be the only ones.
static void place_cache(const struct config_registry *registry, struct config_cache *cache)
{
    _cleanup_free_ char *name = str_dup(cache->upstream);
    for (char *c = name; (c = strpbrk(c, ":[]")) != NULL;) {
        *c = '-'; // a colon would end the path in a bind
    }
    cache->container = str_printf(CACHE_CONTAINER, registry->name, name);
    cache->storage =
        registry->storage == NULL ? NULL : str_printf("%s-cache/%s", registry->storage, name);
}

static void complete_cache(struct checker *checker, size_t index)
{
    struct config *config = checker->config;
    struct config_cache *cache = &config->caches[index];
    bool has_username = !str_empty(cache->username);
    place_cache(&config->registry, cache);
    if (str_empty(cache->url)) {
        free(cache->url);
        // Images are named by another host than that of the API.
        cache->url = str_equal(cache->upstream, "docker.io")
                         ? str_dup("https://registry-1.docker.io")
                         : str_printf("https://%s", cache->upstream);
    }
    for (size_t i = 0; i < index; i++) {
        if (str_equal(config->caches[i].container, cache->container)) {
            add_cache_problem(checker, index, NULL, "is in the list already");
        }
    }
    if (strv_contains(&config->nodes.aliases, cache->upstream)) {
        add_cache_problem(checker, index, NULL,
                          "is a name of the registry itself, which is one of nodes.aliases");
    } else if (str_matches(cache->url,
                           "^https?://(localhost|127\\.[0-9.]+|\\[::1\\])(:[0-9]+)?$")) {
        add_cache_problem(checker, index, "url",
                          "must not be a loopback address, which in the cache's container is that "
                          "container; use one that containers reach");
    }
    if (!address_name_is_valid(cache->container)) {
        add_cache_problem(checker, index, NULL,
                          "makes no DNS name with registry.name before it: it is too long or ends "
                          "in a number");
    }
    if (has_username != (cache->password_file != NULL)) {
        add_cache_problem(checker, index, has_username ? "username" : "passwordFile",
                          has_username ? "needs passwordFile beside it"
                                       : "needs username beside it");
    }
}

static void complete_caches(struct checker *checker)
{
    const struct yaml_node *list = yaml_get(checker->root, "caches");
    bool is_list = list != NULL && list->kind == YAML_KIND_SEQUENCE;
    for (size_t i = 0; is_list && i < list->count && i < CACHES_MAX; i++) {
        const struct yaml_node *entry = &list->entries[i].value;
        if (checker->config->caches[i].upstream != NULL) {
            complete_cache(checker, i);
        } else if (entry->kind == YAML_KIND_MAPPING && yaml_get_text(entry, "upstream") == NULL) {
            add_cache_problem(checker, i, NULL,
                              "needs `upstream`, what image names begin with, e.g. docker.io");
        }
    }
}

void config_complete(struct config *config, const struct yaml_node *root,
                     const struct path_source *source, struct problems *problems)
{
    struct checker checker = {config, root, source, problems};
    complete_docker_search(&checker);
    complete_listen(&checker);
    check_storage(&checker);
    check_backoff(&checker);
    check_tls(&checker);
    check_environments(&checker);
    complete_aliases(&checker);
    complete_caches(&checker);
}
