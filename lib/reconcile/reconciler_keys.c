#include "lib/reconcile/reconciler_internal.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

static const char *const key_prefixes[] = {
    [KEY_ENGINE] = KEY_NAME_ENGINE,
    [KEY_NODE] = KEY_PREFIX_NODE,
    [KEY_CLUSTER] = KEY_PREFIX_CLUSTER,
};

int key_compare(const char *name, const void *element)
{
    const struct key *key = *(const struct key *const *)element;
    enum key_kind kind = KEY_KIND_COUNT;
    do {
        kind--;
    } while (kind > KEY_ENGINE && !str_starts_with(name, key_prefixes[kind]));
    return kind != key->kind ? (int)kind - (int)key->kind : strcmp(name, key->name);
}

void key_release_observation(struct key *key)
{
    world_engine_free(key->observation.engine);
    world_node_files_free(key->observation.node);
    world_cluster_free(key->observation.cluster);
    key->observation = (struct observation){0};
}

void key_free(struct key *key)
{
    if (key == NULL) {
        return;
    }
    listener_drop(key);
    free(key->name);
    free(key->cluster);
    plan_done(&key->plan);
    strv_done(&key->blamed);
    desired_objects_done(&key->objects);
    contention_free(key);
    snapshot_unref(key->snapshot);
    key_release_observation(key);
    free(key);
}

DEFINE_CLEANUP(struct key *, key_free)

int key_new(struct reconciler *reconciler, enum key_kind kind, const char *object,
            const char *cluster, struct key **ret)
{
    _cleanup_(key_freep) struct key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return -ENOMEM;
    }
    key->reconciler = reconciler;
    key->kind = kind;
    key->settle_ms = SETTLE_MS;
    key->wanted = reconciler_wants(reconciler);
    key->name = str_printf("%s%s", key_prefixes[kind], object);
    key->cluster = str_dup(cluster);
    if (key->name == NULL || (key->cluster == NULL && cluster != NULL)) {
        return -ENOMEM;
    }
    key->object = key->name + strlen(key_prefixes[kind]);
    int r = queue_join(key_queue(key), &key->item);
    if (r < 0) {
        return r;
    }
    r = sorted_insert(&reconciler->keys, key->name, key);
    if (r < 0) {
        queue_leave(key_queue(key), &key->item);
        return r;
    }
    *ret = TAKE_PTR(key);
    return 0;
}

struct key *key_find(const struct reconciler *reconciler, const char *name)
{
    return sorted_find(&reconciler->keys, name);
}

struct key *key_at(const struct reconciler *reconciler, size_t index)
{
    return reconciler->keys.items[index];
}

struct key *key_engine(const struct reconciler *reconciler)
{
    return key_at(reconciler, 0);
}

struct queue *key_queue(const struct key *key)
{
    return key->reconciler->queues[key->kind];
}

void key_mark(struct key *key)
{
    queue_add(key_queue(key), &key->item);
}

void key_forget(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    log_debug("%s: gone", key->name);
    conditions_forget(key);
    pass_leave(key);
    if (key->dirty) {
        TAILQ_REMOVE(&reconciler->dirty, key, dirty_link);
    }
    queue_leave(key_queue(key), &key->item);
    reconciler->backend->ops->forget(reconciler->backend, key->name);
    (void)sorted_remove(&reconciler->keys, key->name);
    key_free(key);
}

// Now, or when its round ends. Returns whether the key is freed.
static bool key_drop(struct key *key)
{
    if (key->state == KEY_IDLE) {
        key_forget(key);
        return true;
    }
    key->gone = true;
    return false;
}

// Finds the key, or makes it, due now.
static int key_ensure(struct reconciler *reconciler, enum key_kind kind, const char *object,
                      const char *cluster)
{
    _cleanup_free_ char *name = str_printf("%s%s", key_prefixes[kind], object);
    if (name == NULL) {
        return -ENOMEM;
    }
    struct key *key = key_find(reconciler, name);
    if (key != NULL) {
        key->gone = false;
        return 0;
    }
    int r = key_new(reconciler, kind, object, cluster, &key);
    if (r < 0) {
        return r;
    }
    key_mark(key);
    if (reconciler->pass.running) {
        pass_join(key);
    }
    log_debug("%s: appeared", key->name);
    return 0;
}

bool keys_cluster_present(const struct world_engine *engine, const char *cluster)
{
    bool present = world_engine_api(engine, cluster) != NULL;
    for (size_t i = 0; i < engine->node_count && !present; i++) {
        present = str_equal(engine->nodes[i].cluster, cluster);
    }
    return present;
}

// A cluster that is named in the configuration has a key also while it does not exist.
static bool is_declared_by_name(const struct reconciler *reconciler, const char *cluster)
{
    return reconciler_wants(reconciler) && strpbrk(cluster, "*?") == NULL &&
           strv_contains(&reconciler->config->clusters, cluster);
}

static bool has_reason_to_be(const struct key *key, const struct world_engine *engine)
{
    switch (key->kind) {
    case KEY_ENGINE:
        return true;
    case KEY_NODE:
        return world_engine_node(engine, key->object) != NULL;
    case KEY_CLUSTER:
        return keys_cluster_present(engine, key->object) ||
               is_declared_by_name(key->reconciler, key->object);
    }
    return false;
}

static void drop_keys(struct reconciler *reconciler, const struct world_engine *engine)
{
    for (size_t i = 0; i < reconciler->keys.count;) {
        struct key *key = key_at(reconciler, i);
        if (has_reason_to_be(key, engine) || !key_drop(key)) {
            i++;
        }
    }
}

static int add_keys(struct reconciler *reconciler, const struct world_engine *engine)
{
    const struct config *config = reconciler->config;
    int r = 0;
    for (size_t i = 0; i < engine->node_count && r == 0; i++) {
        const struct world_node *node = &engine->nodes[i];
        if (config_wants_cluster(config, node->cluster)) {
            r = key_ensure(reconciler, KEY_NODE, node->name, node->cluster);
        }
        if (r == 0 && config_wants_cluster(config, node->cluster)) {
            r = key_ensure(reconciler, KEY_CLUSTER, node->cluster, node->cluster);
        }
    }
    for (size_t i = 0; i < engine->api_count && r == 0; i++) {
        const char *cluster = engine->apis[i].cluster;
        if (config_wants_cluster(config, cluster)) {
            r = key_ensure(reconciler, KEY_CLUSTER, cluster, cluster);
        }
    }
    for (size_t i = 0; i < config->clusters.count && r == 0; i++) {
        const char *cluster = config->clusters.items[i];
        if (is_declared_by_name(reconciler, cluster)) {
            r = key_ensure(reconciler, KEY_CLUSTER, cluster, cluster);
        }
    }
    return r;
}

// Where the registry is found from inside the clusters.
static const struct world_endpoint *registry_endpoint(const struct config *config,
                                                      const struct world_engine *engine)
{
    const struct world_container *container = world_engine_container(engine, config->registry.name);
    return container == NULL ? NULL : world_container_endpoint(container, config->network);
}

static bool address_changed(const struct config *config, const struct world_engine *before,
                            const struct world_engine *after)
{
    const struct world_endpoint *a = registry_endpoint(config, before);
    const struct world_endpoint *b = registry_endpoint(config, after);
    if (a == NULL || b == NULL) {
        return a != b;
    }
    return !str_equal(a->ipv4, b->ipv4) || !str_equal(a->ipv6, b->ipv6) ||
           !str_equal(a->network_id, b->network_id);
}

static bool node_changed(const struct world_node *before, const struct world_node *after)
{
    if (before == NULL || after == NULL) {
        return before != after;
    }
    return before->running != after->running || !str_equal(before->id, after->id) ||
           !str_equal(before->status, after->status);
}

static bool api_changed(const struct world_api *before, const struct world_api *after)
{
    if (before == NULL || after == NULL) {
        return before != after;
    }
    return before->host_port != after->host_port ||
           !str_equal(before->host_address, after->host_address);
}

static int mark_cluster(struct reconciler *reconciler, const char *cluster)
{
    _cleanup_free_ char *name = str_printf(KEY_PREFIX_CLUSTER "%s", cluster);
    if (name == NULL) {
        return -ENOMEM;
    }
    struct key *key = key_find(reconciler, name);
    if (key != NULL) {
        key_mark(key);
    }
    return 0;
}

// Marks a node's key and its cluster's when the node is another than before.
static int follow_node(struct reconciler *reconciler, struct key *key,
                       const struct world_engine *before, const struct world_engine *after)
{
    const struct world_node *was = world_engine_node(before, key->object);
    const struct world_node *is = world_engine_node(after, key->object);
    if (!node_changed(was, is)) {
        return 0;
    }
    key_mark(key);
    bool made_anew = was != NULL && is != NULL && !str_equal(was->id, is->id);
    bool started = was != NULL && !was->running && is != NULL && is->running;
    if (made_anew || started) {
        // What is cached was of the old one, or of before: its files may be others.
        reconciler->backend->ops->forget(reconciler->backend, key->name);
    }
    return mark_cluster(reconciler, key->cluster);
}

// A registry that has lost its place is most likely about to get it back, and a cluster can do no
// more than say that it waits: its look has time, and does not compete with the repair.
static void mark_for_address(struct key *key, bool lost)
{
    if (lost) {
        queue_add_at(key_queue(key), &key->item, key->reconciler->now_ms + ADDRESS_PATIENCE_MS);
    } else {
        key_mark(key);
    }
}

static int follow_facts(struct reconciler *reconciler, const struct world_engine *before,
                        const struct world_engine *after)
{
    bool address = address_changed(reconciler->config, before, after);
    const struct world_endpoint *endpoint = registry_endpoint(reconciler->config, after);
    bool lost = endpoint == NULL || (endpoint->ipv4 == NULL && endpoint->ipv6 == NULL);
    int r = 0;
    for (size_t i = 0; i < reconciler->keys.count && r == 0; i++) {
        struct key *key = key_at(reconciler, i);
        if (key->kind == KEY_NODE) {
            r = follow_node(reconciler, key, before, after);
        }
        if (key->kind == KEY_CLUSTER && address) {
            mark_for_address(key, lost);
        }
        if (key->kind == KEY_CLUSTER && api_changed(world_engine_api(before, key->object),
                                                    world_engine_api(after, key->object))) {
            key_mark(key);
        }
    }
    return r;
}

int keys_follow(struct reconciler *reconciler, struct world_engine *engine, bool all)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        world_engine_free(engine);
        return -ENOMEM;
    }
    *snapshot = (struct snapshot){.refs = 1, .engine = engine};

    drop_keys(reconciler, engine);
    int r = 0;
    if (all) {
        pass_mark_keys(reconciler, true);
    }
    if (reconciler->snapshot != NULL) {
        // Also then: one that is under way for long is not marked by that, and knows the old facts.
        r = follow_facts(reconciler, reconciler->snapshot->engine, engine);
    }
    snapshot_unref(reconciler->snapshot);
    reconciler->snapshot = snapshot;
    return r < 0 ? r : add_keys(reconciler, engine);
}

int keys_lose_engine(struct reconciler *reconciler, const struct error *why)
{
    for (size_t i = 0; i < reconciler->keys.count; i++) {
        struct key *key = key_at(reconciler, i);
        if (key->kind != KEY_NODE || key->state != KEY_IDLE) {
            continue; // one under way will see for itself
        }
        struct plan_input input = {
            .config = reconciler->config,
            .engine = reconciler->snapshot->engine,
            .wanted = key->wanted,
        };
        int r = conditions_unobserved(key, &input, why);
        if (r < 0) {
            return r;
        }
        key->observed = false;
        key->result = conditions_result(&key->plan);
    }
    return 0;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    if (snapshot != NULL) {
        snapshot->refs++;
    }
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot != NULL && --snapshot->refs == 0) {
        world_engine_free(snapshot->engine);
        free(snapshot);
    }
}
