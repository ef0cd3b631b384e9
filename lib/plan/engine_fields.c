// Which declared fields of a container are not as declared. What is not declared is not looked at:
// an image and an engine fill in much of their own.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"
#include "lib/config/address.h"

#include <errno.h>
#include <string.h>

#define HIDDEN "(hidden)"
#define BINDINGS_BYTES_MAX 4096

static void differs(struct engine_plan *p, struct field_diffs *diffs, const char *path,
                    const char *is, const char *should)
{
    if (field_diffs_add(diffs, path, is, should) < 0) {
        p->oom = true;
    }
}

static void differs_below(struct engine_plan *p, struct field_diffs *diffs, const char *parent,
                          const char *name, const char *is, const char *should)
{
    _cleanup_free_ char *path = str_printf("%s.%s", parent, name);
    if (path == NULL) {
        p->oom = true;
        return;
    }
    differs(p, diffs, path, is, should);
}

// The engine takes no address for all of IPv4's.
static bool is_same_address(const char *a, const char *b)
{
    return str_equal(str_empty(a) ? "0.0.0.0" : a, str_empty(b) ? "0.0.0.0" : b);
}

static int print_address(struct buf *buf, const char *address, const char *port)
{
    return buf_printf(buf, "%s%s:%s", buf->length > 0 ? ", " : "", address_bracketed(address).text,
                      port);
}

// Exactly the declared binding: any other would expose the registry more widely than configured.
static void compare_listen(struct engine_plan *p, const struct world_container *container,
                           struct field_diffs *diffs)
{
    _cleanup_buf_ struct buf is = BUF_INIT(BINDINGS_BYTES_MAX);
    _cleanup_buf_ struct buf should = BUF_INIT(BINDINGS_BYTES_MAX);
    size_t good = 0;
    size_t bad = 0;
    for (size_t i = 0; i < container->binding_count; i++) {
        const struct world_binding *binding = &container->bindings[i];
        if (!str_equal(binding->container_port, WORLD_REGISTRY_PORT_KEY)) {
            continue;
        }
        bool equal = is_same_address(binding->host_address, p->desired.host_address) &&
                     str_equal(binding->host_port, p->desired.host_port);
        good += equal ? 1 : 0;
        bad += equal ? 0 : 1;
        if (print_address(&is, binding->host_address, binding->host_port) == -ENOMEM) {
            p->oom = true;
        }
    }
    if (good > 0 && bad == 0) {
        return;
    }
    if (print_address(&should, p->desired.host_address, p->desired.host_port) < 0) {
        p->oom = true;
    }
    differs(p, diffs, "listen", is.length > 0 ? buf_str(&is) : NULL, buf_str(&should));
}

// Names that the container was made with and that are declared no more.
static void compare_removed_names(struct engine_plan *p, const struct world_container *container,
                                  struct field_diffs *diffs)
{
    const char *at = strmap_get(&container->labels, WORLD_LABEL_ENVIRONMENT);
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ",");
        _cleanup_free_ char *name = str_dup_n(at, length);
        if (name == NULL) {
            p->oom = true;
            return;
        }
        if (length > 0 && strmap_get(&p->desired.environment, name) == NULL) {
            differs_below(p, diffs, "environment", name, HIDDEN, NULL);
        }
        at += length + (at[length] == ',' ? 1 : 0);
    }
}

static void compare_environment(struct engine_plan *p, const struct world_container *container,
                                struct field_diffs *diffs)
{
    strmap_foreach (&p->desired.environment, entry) {
        const char *is = strmap_get(&container->environment, entry->key);
        if (!str_equal(is, entry->value)) {
            differs_below(p, diffs, "environment", entry->key, is == NULL ? NULL : HIDDEN, HIDDEN);
        }
    }
    compare_removed_names(p, container, diffs);
}

void engine_compare(struct engine_plan *p, const struct world_container *container,
                    struct field_diffs *diffs)
{
    if (!str_equal(container->image, p->desired.image)) {
        differs(p, diffs, "image", container->image, p->desired.image);
    }
    compare_listen(p, container, diffs);
    if (!str_equal(container->storage, p->desired.storage)) {
        differs(p, diffs, "storage", container->storage, p->desired.storage);
    }
    compare_environment(p, container, diffs);
    const char *owner = strmap_get(&container->labels, WORLD_LABEL_OWNER);
    if (owner != NULL && !str_equal(owner, p->config->registry.name)) {
        differs_below(p, diffs, "labels", WORLD_LABEL_OWNER, owner, p->config->registry.name);
    }
    if (engine_lacks_network(p, container)) {
        differs(p, diffs, "network", p->config->network, NULL);
    }
}
