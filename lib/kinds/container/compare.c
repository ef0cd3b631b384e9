#include "lib/kinds/container/compare.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/doc/json.h"

#include <arpa/inet.h>
#include <string.h>

#define ROOT_VARIABLE "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"
#define HIDDEN "(hidden)"

// ---- whose it is ----

bool compare_is_labelled(const struct container *container)
{
    return container_label(container, CONTAINER_LABEL_OWNER) != NULL;
}

bool compare_has_storage(const struct container_spec *spec, const struct container *container)
{
    return str_equal(container->storage, spec->storage);
}

static bool keeps_images_elsewhere(const struct container *container)
{
    const char *root = container_variable(container, ROOT_VARIABLE);
    return root != NULL && !str_is_path_within(root, CONTAINER_STORAGE);
}

static bool has_nothing_mounted(const struct container *container)
{
    return container->storage == NULL && !container->storage_is_volume;
}

bool compare_holds_images(const struct container *container)
{
    return keeps_images_elsewhere(container) || has_nothing_mounted(container);
}

bool compare_is_own(const struct container_spec *spec, const struct container *container)
{
    return compare_is_labelled(container) &&
           (str_equal(container_label(container, CONTAINER_LABEL_OWNER), spec->owner) ||
            compare_has_storage(spec, container));
}

// By the word in the last component of its image's path, or by its port.
static bool is_registry(const struct container *container)
{
    return json_array_size(container->bindings) > 0 ||
           str_matches(container->image, "(^|/)[^/:@]*registry[^/:@]*([:@][^/]*)?$");
}

bool compare_is_adoptable(const struct container_spec *spec, const struct container *container)
{
    return !compare_is_labelled(container) && is_registry(container) &&
           compare_has_storage(spec, container) && !compare_holds_images(container) &&
           container->other_mount == NULL;
}

const char *compare_images_inside(struct arena *arena, const struct container_spec *spec,
                                  const struct container *container)
{
    const char *name = container->name;
    if (keeps_images_elsewhere(container)) {
        return arena_printf(
            arena,
            "%s has its images in the container itself, by its variable " ROOT_VARIABLE
            "; copy them into %s with `docker cp`, then remove or rename it",
            name, spec->storage);
    }
    return arena_printf(arena,
                        "the engine has mounted nothing at " CONTAINER_STORAGE
                        ", though %s was asked for, so that its images are in the container "
                        "itself; copy them with `docker cp %s:" CONTAINER_STORAGE
                        "/. %s`, then `docker rm -f %s` has it made again",
                        spec->storage, name, spec->storage, name);
}

const char *compare_conflict(struct arena *arena, const struct container_spec *spec,
                             const struct container *container)
{
    const char *name = container->name;
    const char *section = spec->section;
    if (!is_registry(container) || spec->upstream != NULL) {
        return arena_printf(arena,
                            "another container has the name %s; rename or remove it, or change "
                            "%s.name",
                            name, section);
    }
    if (container->storage != NULL && !compare_has_storage(spec, container)) {
        return arena_printf(arena,
                            "another registry has the name %s, its images are in %s; set "
                            "%s.storage: %s to take it over, or rename or remove it, or change "
                            "%s.name",
                            name, container->storage, section, container->storage, section);
    }
    if (container->storage == NULL) {
        return arena_printf(
            arena,
            "another registry has the name %s, its images are in %s; copy them with `docker cp "
            "%s:" CONTAINER_STORAGE "/. %s`, then rename or remove it, or change %s.name",
            name, container->storage_is_volume ? "a volume" : "the container itself", name,
            spec->storage, section);
    }
    if (compare_holds_images(container)) {
        return compare_images_inside(arena, spec, container);
    }
    return arena_printf(arena,
                        "another registry has the name %s, and a mount at %s that it would lose "
                        "if it was taken over; make it without that and declare what it is for in "
                        "%s.environment, or rename it, or change %s.name",
                        name, container->other_mount, section, section);
}

// ---- what it has otherwise ----

bool compare_is_made_from(const struct container_spec *spec, const struct container *container)
{
    const char *digest = container_label(container, CONTAINER_LABEL_SPEC);
    return str_equal(digest, spec->digest) ||
           (spec->alternative[0] != '\0' && str_equal(digest, spec->alternative));
}

struct comparison {
    struct arena *arena;
    const struct container_spec *spec;
    const struct container *container;
    struct fields fields;
};

static void add(struct comparison *c, const char *path, const char *current, const char *desired)
{
    *ARENA_GROW(c->arena, c->fields.items, c->fields.count) =
        (struct field_diff){path, current, desired};
}

static bool was_made_for(struct comparison *c, const char *path)
{
    const char *names = container_label(c->container, CONTAINER_LABEL_MENDS);
    const char *name = NULL;
    do {
        name = container_next_name(c->arena, &names);
    } while (name != NULL && !str_equal(name, path));
    return name != NULL;
}

// A field that may have another value than the container was made with. says begins the sentence
// for one that stays so.
static void add_drift(struct comparison *c, const char *path, const char *current,
                      const char *desired, const char *text)
{
    bool made_from = compare_is_made_from(c->spec, c->container);
    if (made_from && was_made_for(c, path)) {
        c->fields.unmet = arena_printf(
            c->arena, "%s %s, though %s was asked for; `docker rm -f %s` has it made again", text,
            current == NULL ? "no address" : current, desired == NULL ? "none" : desired,
            c->container->name);
        return;
    }
    add(c, path, current, desired);
    if (made_from) {
        const char *before = c->fields.mends == NULL
                                 ? container_label(c->container, CONTAINER_LABEL_MENDS)
                                 : c->fields.mends;
        c->fields.mends = before == NULL ? path : arena_printf(c->arena, "%s,%s", before, path);
    }
}

// IPv6 has many spellings.
static bool is_same_address(const char *a, const char *b)
{
    struct in6_addr a6;
    struct in6_addr b6;
    if (inet_pton(AF_INET6, a, &a6) == 1 && inet_pton(AF_INET6, b, &b6) == 1) {
        return memcmp(&a6, &b6, sizeof(a6)) == 0;
    }
    return str_equal(a, b);
}

// Exactly the declared binding is good: any other would expose the container more widely.
static void compare_listen(struct comparison *c)
{
    const struct container_spec *spec = c->spec;
    bool good = (json_array_size(c->container->bindings) == 0) == (spec->listen == NULL);
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);
    size_t index = 0;
    json_t *binding = NULL;
    json_array_foreach (c->container->bindings, index, binding) {
        const char *address = json_get_string(binding, "HostIp", NULL);
        const char *port = json_get_string(binding, "HostPort", NULL);
        address = str_empty(address) ? "0.0.0.0" : address; // so says an engine of all of IPv4's
        good = good && spec->listen != NULL && is_same_address(address, spec->host_address) &&
               str_equal(port, spec->host_port);
        (void)buf_printf(&text, "%s%s:%s", index == 0 ? "" : ", ", address_bracketed(address).text,
                         port == NULL ? "" : port);
    }
    if (!good) {
        add_drift(c, "listen", text.length == 0 ? NULL : arena_dup(c->arena, buf_str(&text)),
                  spec->listen, "the engine publishes it at");
    }
}

// Whether it cannot be connected to any network.
static bool is_isolated(const struct container *container)
{
    return str_matches(container->network_mode, "^(host|none|pasta|slirp4netns|container:)");
}

bool compare_is_elsewhere(const struct container_spec *spec, const struct container *container)
{
    bool reached = spec->host_port == NULL;
    size_t index = 0;
    json_t *binding = NULL;
    json_array_foreach (container->bindings, index, binding) {
        const char *address = json_get_string(binding, "HostIp", NULL);
        reached =
            reached ||
            (str_equal(json_get_string(binding, "HostPort", NULL), spec->host_port) &&
             (container_is_every_address(address) || is_same_address(address, spec->host_address)));
    }
    return compare_is_made_from(spec, container) && (is_isolated(container) || !reached);
}

static void compare_environment(struct comparison *c)
{
    strmap_foreach (&c->spec->environment, entry) {
        const char *value = container_variable(c->container, entry->key);
        if (!str_equal(value, entry->value)) {
            add(c, arena_printf(c->arena, "environment.%s", entry->key),
                value == NULL ? NULL : HIDDEN, HIDDEN);
        }
    }
    // Names that it was made with and that are declared no more.
    const char *names = container_label(c->container, CONTAINER_LABEL_ENVIRONMENT);
    const char *name = NULL;
    while ((name = container_next_name(c->arena, &names)) != NULL) {
        if (strmap_get(&c->spec->environment, name) == NULL) {
            add(c, arena_printf(c->arena, "environment.%s", name), HIDDEN, NULL);
        }
    }
}

bool compare_lacks_network(const struct current *current, const struct container *container)
{
    return container->endpoint != NULL && !current->network_present && !container_is_up(container);
}

struct fields compare_fields(struct arena *arena, const struct current *current,
                             const struct container_spec *spec, const struct container *container)
{
    struct comparison c = {arena, spec, container, {0}};
    const char *policy = container->restart_policy;
    compare_listen(&c);
    if (is_isolated(container)) {
        add_drift(&c, "network mode", container->network_mode, CONTAINER_NETWORK_MODE,
                  "the engine gives it the network mode");
    }
    if (container->keeps_restart_policy && !str_equal(policy, spec->restart_policy)) {
        add_drift(&c, "restart", policy, spec->restart_policy,
                  "the engine gives it the restart policy");
    }
    if (compare_lacks_network(current, container)) {
        add(&c, "network", spec->network, NULL); // another one is attached to none
    }
    if (compare_is_made_from(spec, container)) {
        if (has_nothing_mounted(container)) {
            c.fields.unmet = compare_images_inside(arena, spec, container);
        }
        return c.fields;
    }
    if (!container_image_is_same(container->image, spec->image)) {
        add(&c, "image", container->image, spec->image);
    }
    if (!compare_has_storage(spec, container)) {
        add(&c, "storage", container->storage, spec->storage);
    }
    compare_environment(&c);
    const char *owner = container_label(container, CONTAINER_LABEL_OWNER);
    if (owner == NULL && spec->password_file != NULL) {
        add(&c, "login", NULL, HIDDEN);
    }
    if (owner != NULL && !str_equal(owner, spec->owner)) {
        add(&c, "labels." CONTAINER_LABEL_OWNER, owner, spec->owner);
    }
    if (c.fields.count == 0 && container_label(container, CONTAINER_LABEL_SPEC) != NULL) {
        add(&c, "spec", "of an earlier declaration", "as declared");
    }
    return c.fields;
}
