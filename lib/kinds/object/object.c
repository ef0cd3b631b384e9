#include "lib/kinds/object/object.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/kinds/io.h"
#include "lib/kinds/object/act.h"
#include "lib/kinds/object/current.h"
#include "lib/kinds/object/observe.h"
#include "lib/kinds/object/plan.h"
#include "lib/kinds/object/watch.h"

#include <string.h>

#define SLOTS 8
#define SLOT_TIMEOUT_MS 500
#define SETTLE_MS 500
#define ADDRESS_DEADLINE_MS 2000
#define CLUSTER_TEXT_MAX ((size_t)1024 * 1024)

static void add_key(const struct config *config, const char *cluster, key_fn add, void *ctx)
{
    if (config_has_cluster(config, cluster)) {
        add(ctx, cluster, cluster);
    }
}

// A cluster that is named in the configuration has a key also while it does not exist.
static void keys_of(const struct config *config, const struct engine *engine, bool desired,
                    key_fn add, void *ctx)
{
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        add_key(config, engine->nodes[i].cluster, add, ctx);
    }
    for (size_t i = 0; engine != NULL && i < engine->api_count; i++) {
        add_key(config, engine->apis[i].cluster, add, ctx);
    }
    for (size_t i = 0; desired && i < config->clusters.count; i++) {
        if (strpbrk(config->clusters.items[i], "*?") == NULL) {
            add(ctx, config->clusters.items[i], config->clusters.items[i]);
        }
    }
}

// What of the engine an observation of the cluster depends on, but for the registry's address.
static char *cluster_text(const struct engine *engine, const char *cluster)
{
    struct buf text = BUF_INIT(CLUSTER_TEXT_MAX);
    const struct engine_api *api = engine_api(engine, cluster);
    if (api != NULL) {
        (void)buf_printf(&text, "%s %u\n", api->host_address, api->host_port);
    }
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (str_equal(node->cluster, cluster)) {
            (void)buf_printf(&text, "%s %s %d %s\n", node->name, node->id, node->running,
                             node->status);
        }
    }
    return buf_take(&text);
}

// A registry that has lost its address is most likely about to get it back, and a cluster can do no
// more than say that it waits: its observation has time, and does not compete with the repair.
static uint64_t due_in(const struct engine *before, const struct engine *after, const char *name)
{
    _cleanup_free_ char *was = cluster_text(before, name);
    _cleanup_free_ char *is = cluster_text(after, name);
    bool lost = after->registry_ipv4 == NULL && after->registry_ipv6 == NULL;
    bool same_address = str_equal(before->registry_ipv4, after->registry_ipv4) &&
                        str_equal(before->registry_ipv6, after->registry_ipv6) &&
                        str_equal(before->registry_network_id, after->registry_network_id);
    return !str_equal(was, is) ? 0 : same_address ? KIND_NEVER : lost ? ADDRESS_DEADLINE_MS : 0;
}

static void cancel(_unused_ struct io *io, memory_t memory, bool changes_too)
{
    struct object_memory *kept = memory;
    if (kept != NULL) {
        kept->cancelled = true;
        if (kept->kube != NULL) {
            api_cancel(kept->kube, changes_too ? API_CHANGES : API_READS);
        }
    }
}

static void invalidate(struct io *io, memory_t *memory)
{
    struct object_memory *kept = TAKE_PTR(*memory);
    if (kept != NULL) {
        object_unwatch(io, kept);
        kept->cancelled = true;
        api_free(TAKE_PTR(kept->kube));
        object_memory_unref(kept);
    }
}

const struct kind object_kind = {
    .prefix = "cluster/",
    .slots = SLOTS,
    .slot_timeout_ms = SLOT_TIMEOUT_MS,
    .settle_ms = SETTLE_MS,
    .keys_of = keys_of,
    .exists = engine_has_cluster,
    .due_in = due_in,
    .observe = object_observe,
    .free_current = object_current_free,
    .plan = object_plan,
    .resources = object_resources,
    .explain = object_explain,
    .act = object_act,
    .watch = object_watch,
    .unwatch = object_unwatch,
    .cancel = cancel,
    .invalidate = invalidate,
};
