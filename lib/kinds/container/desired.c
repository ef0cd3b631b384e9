#include "lib/kinds/container/desired.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/config/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DELETE_VARIABLE "REGISTRY_STORAGE_DELETE_ENABLED"
#define UPSTREAM_VARIABLE "REGISTRY_PROXY_REMOTEURL"
#define TRACES_VARIABLE "OTEL_TRACES_EXPORTER"
#define NO_TRACES TRACES_VARIABLE "=none"
#define HUB "docker.io"

#define PROXIES 4 // of them; the others say what goes without
static const char *const proxy_variables[] = {"HTTP_PROXY",  "HTTPS_PROXY", "http_proxy",
                                              "https_proxy", "NO_PROXY",    "no_proxy"};

// Texts of any content, told apart by their lengths.
static void add_value(struct buf *text, const char *name, const char *value)
{
    (void)buf_printf(text, "%zu:%s=%zu:%s\n", strlen(name), name, strlen(value), value);
}

char *container_path(struct arena *arena, const char *path)
{
    char *clean = arena_dup(arena, path);
    size_t length = 0;
    for (const char *at = path; *at != '\0'; at++) {
        bool doubled = at[0] == '/' && (at[1] == '/' || at[1] == '\0');
        if (!doubled || at == path) {
            clean[length++] = *at;
        }
    }
    clean[length] = '\0';
    return clean;
}

// The length of the domain that the reference begins with; 0: it has none, as its first component
// is a part of the path.
static size_t domain_length(const char *reference)
{
    size_t length = strcspn(reference, "/");
    if (reference[length] == '\0') {
        return 0;
    }
    bool local = length == strlen("localhost") && str_starts_with(reference, "localhost");
    return local || strcspn(reference, ".:") < length ? length : 0;
}

char *container_image(struct arena *arena, const char *reference)
{
    size_t length = domain_length(reference);
    const char *domain = length == 0 ? HUB : arena_dup_n(arena, reference, length);
    const char *path = length == 0 ? reference : reference + length + 1;
    if (str_equal(domain, "index." HUB)) {
        domain = HUB;
    }
    const char *official = str_equal(domain, HUB) && strchr(path, '/') == NULL ? "library/" : "";
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    size_t name = (size_t)(last - path) + strcspn(last, ":@");
    const char *digest = strchr(last, '@');
    const char *suffix = digest != NULL ? digest : path[name] != '\0' ? path + name : ":latest";
    return arena_printf(arena, "%s/%s%.*s%s", domain, official, (int)name, path, suffix);
}

bool container_image_is_same(const char *a, const char *b)
{
    struct arena arena = {0};
    bool same = str_equal(container_image(&arena, a), container_image(&arena, b));
    arena_done(&arena);
    return same;
}

// Over what only another container can change, in its normal form.
static void make_digest(struct arena *arena, struct container_spec *spec)
{
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);
    add_value(&text, "owner", spec->owner);
    add_value(&text, "image", container_image(arena, spec->image));
    add_value(&text, "storage", spec->storage);
    add_value(&text, "listen", spec->listen == NULL ? "" : spec->listen);
    add_value(&text, "network", CONTAINER_NETWORK_MODE);
    strmap_foreach (&spec->environment, entry) {
        add_value(&text, entry->key, entry->value);
    }
    if (spec->username != NULL) {
        add_value(&text, "username", spec->username);
    }
    (void)snprintf(spec->digest, sizeof(spec->digest), "%016" PRIx64, str_hash(buf_str(&text)));
}

static void stamp_digest(char digest[CONTAINER_DIGEST_SIZE], const char *stamp)
{
    _cleanup_free_ char *text = str_printf("%s %s", digest, stamp);
    (void)snprintf(digest, CONTAINER_DIGEST_SIZE, "%016" PRIx64, str_hash(text));
}

void container_spec_stamp(struct container_spec *spec, const char *stamp)
{
    stamp_digest(spec->digest, stamp);
    if (spec->alternative[0] != '\0') {
        stamp_digest(spec->alternative, stamp);
    }
}

void container_spec_relabel(struct container_spec *spec, bool known)
{
    memcpy(spec->alternative, known ? "" : spec->digest, known ? 1 : CONTAINER_DIGEST_SIZE);
    spec->relabels = known;
    stamp_digest(known ? spec->digest : spec->alternative, "z");
}

// What all have in common: on the network alone, with the images in the directory.
static struct container_spec *add_spec(const struct config *config, struct container_specs *specs,
                                       const char *name, const char *storage)
{
    const struct config_registry *registry = &config->registry;
    struct arena *arena = &specs->arena;
    struct container_spec *spec = ARENA_GROW(arena, specs->items, specs->count);
    *spec = (struct container_spec){
        .name = arena_dup(arena, name),
        .previous_name = arena_printf(arena, "%s-previous", name),
        .owner = arena_dup(arena, registry->name),
        .resource = arena_printf(arena, "container/%s", name),
        .network_resource = arena_printf(arena, "network/%s/%s", config->network, name),
        .section = "registry",
        .image = arena_dup(arena, registry->image),
        .storage = container_path(arena, storage),
        .network = arena_dup(arena, config->network),
        .restart_policy = restart_policy_name(registry->restart),
    };
    return spec;
}

static void add_registry(const struct config *config, struct container_specs *specs)
{
    const struct config_registry *registry = &config->registry;
    struct arena *arena = &specs->arena;
    struct container_spec *spec = add_spec(config, specs, registry->name, registry->storage);
    spec->host_address = arena_dup(arena, registry->listen_address);
    spec->host_port = arena_printf(arena, "%" PRIu16, registry->listen_port);
    spec->listen =
        arena_printf(arena, "%s:%s", address_bracketed(spec->host_address).text, spec->host_port);
    spec->authority = spec->listen;
    strmap_foreach (&registry->environment, entry) {
        strmap_set(&spec->environment, entry->key, entry->value);
    }
    strmap_set(&spec->environment, DELETE_VARIABLE, registry->delete_enabled ? "true" : "false");
    make_digest(arena, spec);
}

// Of the registry's environment a cache has the way to the internet alone: the rest is about where
// the registry keeps its images and who may push. A pull-through cache deletes what has expired,
// after a week by default, and a registry without that variable deletes nothing
// (distribution registry/proxy/proxyregistry.go, registry/handlers/app.go).
static void add_cache(const struct config *config, const struct config_cache *cache,
                      struct container_specs *specs)
{
    struct arena *arena = &specs->arena;
    struct container_spec *spec = add_spec(config, specs, cache->container, cache->storage);
    spec->authority = arena_printf(arena, CONTAINER_AUTHORITY, spec->name);
    spec->upstream = arena_dup(arena, cache->url);
    if (cache->password_file != NULL) {
        spec->username = arena_dup(arena, cache->username);
        spec->password_file = arena_dup(arena, cache->password_file);
    }
    for (size_t i = 0; i < ELEMENTS(proxy_variables); i++) {
        const char *name = proxy_variables[i];
        const char *value = strmap_get(&config->registry.environment, name);
        if (value != NULL) {
            strmap_set(&spec->environment, name, value);
        }
    }
    strmap_set(&spec->environment, DELETE_VARIABLE, "true");
    strmap_set(&spec->environment, UPSTREAM_VARIABLE, cache->url);
    make_digest(arena, spec);
}

void container_specs_make(const struct config *config, struct container_specs *ret)
{
    *ret = (struct container_specs){0};
    add_registry(config, ret);
    for (const struct config_cache *cache = config->caches; cache->upstream != NULL; cache++) {
        add_cache(config, cache, ret);
    }
}

void container_specs_add_undeclared(const struct config *config, struct container_specs *specs,
                                    const char *name, const char *storage)
{
    add_spec(config, specs, name, storage == NULL ? "" : storage)->undeclared = true;
}

void container_specs_done(struct container_specs *specs)
{
    for (size_t i = 0; i < specs->count; i++) {
        strmap_done(&specs->items[i].environment);
    }
    arena_done(&specs->arena);
    *specs = (struct container_specs){0};
}

const struct container_spec *container_specs_find(const struct container_specs *specs,
                                                  const char *resource)
{
    for (size_t i = 0; i < specs->count; i++) {
        const struct container_spec *spec = &specs->items[i];
        if (str_equal(spec->resource, resource) || str_equal(spec->network_resource, resource)) {
            return spec;
        }
    }
    return NULL;
}

char *container_next_name(struct arena *arena, const char **names)
{
    const char *name = *names == NULL ? "" : *names + strspn(*names, ",");
    size_t length = strcspn(name, ",");
    *names = name + length;
    return length == 0 ? NULL : arena_dup_n(arena, name, length);
}

json_t *container_spec_login(const struct container_spec *spec, const char *password)
{
    // JSON is YAML. Only what the image's own file says otherwise than the program's defaults.
    return json_pack("{s:s, s:{s:{s:s}, s:{s:s}}, s:{s:s}, s:{s:s, s:s, s:s}}", "version", "0.1",
                     "storage", "cache", "blobdescriptor", "inmemory", "filesystem",
                     "rootdirectory", CONTAINER_STORAGE, "http", "addr", ":5000", "proxy",
                     "remoteurl", spec->upstream, "username", spec->username, "password", password);
}

bool container_spec_has_proxy(const struct container_spec *spec)
{
    bool has = false;
    for (size_t i = 0; i < PROXIES && !has; i++) {
        has = !str_empty(strmap_get(&spec->environment, proxy_variables[i]));
    }
    return has;
}

static json_t *port_bindings(const struct container_spec *spec)
{
    return spec->host_address == NULL ? json_object()
                                      : json_pack("{s:[{s:s, s:s}]}", CONTAINER_PORT, "HostIp",
                                                  spec->host_address, "HostPort", spec->host_port);
}

json_t *container_spec_body(const struct container_spec *spec)
{
    json_t *environment = json_array();
    _cleanup_buf_ struct buf names = BUF_INIT(SIZE_MAX);
    bool valid = true;
    strmap_foreach (&spec->environment, entry) {
        json_t *item = json_sprintf("%s=%s", entry->key, entry->value);
        valid = json_array_append_new(environment, item) == 0 && valid;
        (void)buf_printf(&names, "%s%s", names.length > 0 ? "," : "", entry->key);
    }
    // 3.x sends traces to a collector at localhost:4318, and complains that there is none
    // (https://github.com/argoproj/argo-cd/issues/22974); 2.x does not know the variable. It is no
    // part of what is declared: nothing is made again for it.
    if (strmap_get(&spec->environment, TRACES_VARIABLE) == NULL) {
        (void)json_array_append_new(environment, json_string(NO_TRACES));
    }
    // json_pack takes the parts over, also when it fails.
    json_auto_t *body =
        json_pack("{s:s, s:o, s:{s:s, s:s, s:s}, s:{s:{}}, s:{s:[o], s:s, s:o, s:{s:s}}}", "Image",
                  spec->image, "Env", environment, "Labels", CONTAINER_LABEL_OWNER, spec->owner,
                  CONTAINER_LABEL_SPEC, spec->digest, CONTAINER_LABEL_ENVIRONMENT, buf_str(&names),
                  "ExposedPorts", CONTAINER_PORT, "HostConfig", "Binds",
                  json_sprintf("%s:%s%s", spec->storage, CONTAINER_STORAGE,
                               spec->relabels ? ":z" : ""), // several containers may share it
                  "NetworkMode", CONTAINER_NETWORK_MODE, "PortBindings", port_bindings(spec),
                  "RestartPolicy", "Name", spec->restart_policy);
    if (spec->password_file != NULL) {
        (void)json_object_set_new(
            body, "Cmd", json_pack("[ss]", "serve", CONTAINER_LOGIN_DIR "/" CONTAINER_LOGIN_FILE));
    }
    return valid ? json_incref(body) : NULL;
}
