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
    free(key->name);
    free(key->cluster);
    plan_done(&key->plan);
    strv_done(&key->blamed);
    contention_free(key);
    snapshot_unref(key->snapshot);
    key_release_observation(key);
    free(key);
}

DEFINE_CLEANUP(struct key *, key_free)

static bool comes_before(const struct key *a, const struct key *b)
{
    return a->kind != b->kind ? a->kind < b->kind : strcmp(a->name, b->name) < 0;
}

static int key_insert(struct reconciler *reconciler, struct key *key)
{
    struct key **keys =
        reallocarray(reconciler->keys, reconciler->key_count + 1, sizeof(struct key *));
    if (keys == NULL) {
        return -ENOMEM;
    }
    reconciler->keys = keys;
    size_t index = reconciler->key_count;
    while (index > 0 && comes_before(key, keys[index - 1])) {
        keys[index] = keys[index - 1];
        index--;
    }
    keys[index] = key;
    reconciler->key_count++;
    return 0;
}

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
    int r = key_insert(reconciler, key);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(key);
    return 0;
}

struct key *key_find(const struct reconciler *reconciler, const char *name)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        if (str_equal(reconciler->keys[i]->name, name)) {
            return reconciler->keys[i];
        }
    }
    return NULL;
}

struct key *key_engine(const struct reconciler *reconciler)
{
    return reconciler->keys[0];
}

static void key_take_out(struct reconciler *reconciler, const struct key *key)
{
    size_t index = 0;
    while (reconciler->keys[index] != key) {
        index++;
    }
    reconciler->key_count--;
    memmove(reconciler->keys + index, reconciler->keys + index + 1,
            (reconciler->key_count - index) * sizeof(struct key *));
}

void key_forget(struct key *key)
{
    struct reconciler *reconciler = key->reconciler;
    log_debug("%s: gone", key->name);
    conditions_forget(key);
    queue_remove(reconciler->queue, key->name);
    reconciler->backend->ops->forget(reconciler->backend, key->name);
    key_take_out(reconciler, key);
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

static void key_mark(struct key *key)
{
    // Cannot fail: the queue knows the key since key_ensure.
    (void)queue_add(key->reconciler->queue, key->name);
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
    int r = queue_add(reconciler->queue, name);
    if (r < 0) {
        return r;
    }
    r = key_new(reconciler, kind, object, cluster, &key);
    if (r < 0) {
        queue_remove(reconciler->queue, name);
        return r;
    }
    key->in_pass = reconciler->pass.running;
    log_debug("%s: appeared", key->name);
    return 0;
}

bool keys_cluster_present(const struct world_engine *engine, const char *cluster)
{
    for (size_t i = 0; i < engine->node_count; i++) {
        if (str_equal(engine->nodes[i].cluster, cluster)) {
            return true;
        }
    }
    return world_engine_api(engine, cluster) != NULL;
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
    for (size_t i = 0; i < reconciler->key_count;) {
        struct key *key = reconciler->keys[i];
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

// Marks a node's key and its cluster's when the node is another than before.
static void follow_node(struct reconciler *reconciler, struct key *key,
                        const struct world_engine *before, const struct world_engine *after)
{
    const struct world_node *old = world_engine_node(before, key->object);
    const struct world_node *new = world_engine_node(after, key->object);
    if (!node_changed(old, new)) {
        return;
    }
    key_mark(key);
    bool made_anew = old != NULL && new != NULL && !str_equal(old->id, new->id);
    bool started = old != NULL && !old->running && new != NULL &&new->running;
    if (made_anew || started) {
        // What is cached was of the old one, or of before: its files may be others.
        reconciler->backend->ops->forget(reconciler->backend, key->name);
    }
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *cluster = reconciler->keys[i];
        if (cluster->kind == KEY_CLUSTER && str_equal(cluster->object, key->cluster)) {
            key_mark(cluster);
        }
    }
}

static void follow_facts(struct reconciler *reconciler, const struct world_engine *before,
                         const struct world_engine *after)
{
    bool address = address_changed(reconciler->config, before, after);
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        if (key->kind == KEY_NODE) {
            follow_node(reconciler, key, before, after);
        }
        if (key->kind == KEY_CLUSTER &&
            (address || api_changed(world_engine_api(before, key->object),
                                    world_engine_api(after, key->object)))) {
            key_mark(key);
        }
    }
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
    if (all) {
        keys_mark(reconciler, true);
    } else if (reconciler->snapshot != NULL) {
        follow_facts(reconciler, reconciler->snapshot->engine, engine);
    }
    snapshot_unref(reconciler->snapshot);
    reconciler->snapshot = snapshot;
    return add_keys(reconciler, engine);
}

static bool takes_part(const struct reconciler *reconciler, const struct key *key, bool forced)
{
    return key->kind != KEY_ENGINE && (key->kind != KEY_NODE || key_engine(reconciler)->observed) &&
           (forced || queue_failures(reconciler->queue, key->name) == 0);
}

void keys_mark(struct reconciler *reconciler, bool forced)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        if (takes_part(reconciler, reconciler->keys[i], forced)) {
            key_mark(reconciler->keys[i]);
        }
    }
}

void keys_mark_pass(struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
        if (takes_part(reconciler, key, reconciler->pass.forced)) {
            key_mark(key);
            key->in_pass = true;
        }
    }
    key_engine(reconciler)->leads_pass = false;
    if (!reconciler->pass.due) {
        reconciler->pass.forced = false; // else it is the next one's
    }
}

int keys_lose_engine(struct reconciler *reconciler, const struct error *why)
{
    for (size_t i = 0; i < reconciler->key_count; i++) {
        struct key *key = reconciler->keys[i];
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
