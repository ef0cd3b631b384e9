#include "lib/kinds/container/desired.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/config/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DELETE_VARIABLE "REGISTRY_STORAGE_DELETE_ENABLED"
#define TRACES_VARIABLE "OTEL_TRACES_EXPORTER"
#define HUB "docker.io"

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
    (void)snprintf(spec->digest, sizeof(spec->digest), "%016" PRIx64, str_hash(buf_str(&text)));
}

void container_spec_relabel(struct container_spec *spec)
{
    _cleanup_free_ char *text = str_printf("%s z", spec->digest);
    spec->relabels = true;
    (void)snprintf(spec->digest, sizeof(spec->digest), "%016" PRIx64, str_hash(text));
}

static void add_registry(const struct config *config, struct container_specs *specs)
{
    const struct config_registry *registry = &config->registry;
    struct arena *arena = &specs->arena;
    const char *name = registry->name;
    struct container_spec *spec = ARENA_GROW(arena, specs->items, specs->count);
    *spec = (struct container_spec){
        .name = arena_dup(arena, name),
        .previous_name = arena_printf(arena, "%s-previous", name),
        .owner = arena_dup(arena, name),
        .resource = arena_printf(arena, "container/%s", name),
        .network_resource = arena_printf(arena, "network/%s/%s", config->network, name),
        .section = "registry",
        .image = arena_dup(arena, registry->image),
        .storage = container_path(arena, registry->storage),
        .network = arena_dup(arena, config->network),
        .restart_policy = restart_policy_name(registry->restart),
        .host_address = arena_dup(arena, registry->listen_address),
        .host_port = arena_printf(arena, "%" PRIu16, registry->listen_port),
        .listen =
            arena_printf(arena, "%s:%" PRIu16, address_bracketed(registry->listen_address).text,
                         registry->listen_port),
    };
    // The 3.x images send traces to a collector at localhost:4318 and complain that there is none
    // (https://github.com/argoproj/argo-cd/issues/22974); 2.x has no such variable.
    strmap_set(&spec->environment, TRACES_VARIABLE, "none");
    strmap_merge(&spec->environment, &registry->environment);
    strmap_set(&spec->environment, DELETE_VARIABLE, registry->delete_enabled ? "true" : "false");
    make_digest(arena, spec);
}

void container_specs_make(const struct config *config, struct container_specs *ret)
{
    *ret = (struct container_specs){0};
    add_registry(config, ret);
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
    return valid ? json_incref(body) : NULL;
}
