#include "tests/support/fake_world.h"

#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NETWORK "kind"

static void copy(char *target, size_t size, const char *source)
{
    if (snprintf(target, size, "%s", source) >= (int)size) {
        abort();
    }
}

#define COPY(target, source) copy(target, sizeof(target), source)

static struct fake_node *find_node(const struct fake_world *world, const char *name)
{
    for (size_t i = 0; i < world->node_count; i++) {
        if (str_equal(world->nodes[i].name, name)) {
            return (struct fake_node *)&world->nodes[i];
        }
    }
    return NULL;
}

static struct fake_node *need_node(const struct fake_world *world, const char *name)
{
    struct fake_node *node = find_node(world, name);
    if (node == NULL) {
        abort(); // the test is wrong
    }
    return node;
}

void fake_node(struct fake_world *world, const char *cluster, const char *name, bool running)
{
    struct fake_node *node = find_node(world, name);
    if (node == NULL) {
        assert(world->node_count < FAKE_NODES_MAX);
        node = &world->nodes[world->node_count++];
        *node = (struct fake_node){0};
        COPY(node->name, name);
        (void)snprintf(node->id, sizeof(node->id), "n%u", ++world->serial);
        COPY(node->cluster, cluster);
    }
    node->running = running;
}

void fake_node_remove(struct fake_world *world, const char *name)
{
    struct fake_node *node = need_node(world, name);
    strmap_done(&node->files);
    *node = world->nodes[--world->node_count];
}

void fake_node_file(struct fake_world *world, const char *name, const char *alias,
                    const char *content)
{
    if (strmap_set(&need_node(world, name)->files, alias, content) < 0) {
        abort();
    }
}

size_t fake_node_files(const struct fake_world *world, const char *name)
{
    return need_node(world, name)->files.count;
}

struct model_cluster *fake_cluster(struct fake_world *world, const char *name)
{
    for (size_t i = 0; i < world->cluster_count; i++) {
        if (str_equal(world->clusters[i].name, name)) {
            return world->clusters[i].model;
        }
    }
    assert(world->cluster_count < FAKE_CLUSTERS_MAX);
    size_t index = world->cluster_count++;
    COPY(world->clusters[index].name, name);
    world->clusters[index].model = model_cluster_new(false);
    return world->clusters[index].model;
}

static struct fake_container *find_container(const struct fake_world *world, const char *name)
{
    for (size_t i = 0; i < world->container_count; i++) {
        const struct fake_container *container = &world->containers[i];
        if (str_equal(container->name, name) || str_equal(container->id, name)) {
            return (struct fake_container *)container;
        }
    }
    return NULL;
}

static struct fake_container *need_container(const struct fake_world *world, const char *name)
{
    struct fake_container *container = find_container(world, name);
    if (container == NULL) {
        abort(); // the test is wrong
    }
    return container;
}

void fake_container_stop(struct fake_world *world, const char *name)
{
    need_container(world, name)->state = "exited";
}

static void remove_container(struct fake_world *world, struct fake_container *container)
{
    json_decref(container->spec);
    *container = world->containers[--world->container_count];
}

void fake_container_remove(struct fake_world *world, const char *name)
{
    remove_container(world, need_container(world, name));
}

void fake_world_start_failed(struct fake_world *world, const char *name, const char *error)
{
    COPY(need_container(world, name)->error, error);
}

bool fake_container_exists(const struct fake_world *world, const char *name)
{
    return find_container(world, name) != NULL;
}

bool fake_container_runs(const struct fake_world *world, const char *name)
{
    const struct fake_container *container = find_container(world, name);
    return container != NULL && str_equal(container->state, "running");
}

// ---- observations, through the real decoders where the engine's answer is rich ----

static json_t *inspect(const struct fake_container *container)
{
    char started[32] = "0001-01-01T00:00:00Z";
    if (container->started_s > 0) {
        struct tm tm = {0};
        time_t time = (time_t)container->started_s;
        (void)strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
    }
    char storage[256] = "";
    const char *bind = json_string_value(json_array_get(
        json_object_get(json_object_get(container->spec, "HostConfig"), "Binds"), 0));
    (void)snprintf(storage, sizeof(storage), "%.*s", (int)strcspn(bind, ":"), bind);
    json_t *networks = json_object();
    if (container->network_id[0] != '\0') {
        char address[32] = "";
        if (str_equal(container->state, "running")) {
            (void)snprintf(address, sizeof(address), "172.18.0.%d", container->address);
        }
        (void)json_object_set_new(networks, NETWORK,
                                  json_pack("{s:s, s:s, s:[s]}", "NetworkID", container->network_id,
                                            "IPAddress", address, "Aliases", container->name));
    }
    char name[80];
    (void)snprintf(name, sizeof(name), "/%s", container->name);
    return json_pack(
        "{s:s, s:s, s:s, s:{s:O, s:O, s:O}, s:O, s:[{s:s, s:s, s:s}], s:{s:s, s:s, s:s}, "
        "s:{s:o}}",
        "Id", container->id, "Name", name, "Image", "sha256:1", "Config", "Image",
        json_object_get(container->spec, "Image"), "Env", json_object_get(container->spec, "Env"),
        "Labels", json_object_get(container->spec, "Labels"), "HostConfig",
        json_object_get(container->spec, "HostConfig"), "Mounts", "Type", "bind", "Source", storage,
        "Destination", WORLD_REGISTRY_STORAGE, "State", "Status", container->state, "StartedAt",
        started, "Error", container->error, "NetworkSettings", "Networks", networks);
}

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const struct world_node *)a)->name, ((const struct world_node *)b)->name);
}

struct world_engine *fake_world_engine(const struct fake_world *world)
{
    struct world_engine *engine = calloc(1, sizeof(*engine));
    engine->now_s = world->now_s;
    engine->image_present = !world->image_missing;
    engine->network_present = world->network_id[0] != '\0';
    engine->network_id = engine->network_present ? str_dup(world->network_id) : NULL;
    engine->containers = calloc(world->container_count + 1, sizeof(*engine->containers));
    for (size_t i = 0; i < world->container_count; i++) {
        json_auto_t *json = inspect(&world->containers[i]);
        int r = world_container_decode(json, &engine->containers[engine->container_count++], NULL);
        assert(r == 0);
        (void)r;
        if (engine->containers[i].state == CONTAINER_RUNNING) {
            engine->probe = world->probe;
        }
    }
    engine->nodes = calloc(world->node_count + 1, sizeof(*engine->nodes));
    engine->apis = calloc(world->node_count + 1, sizeof(*engine->apis));
    for (size_t i = 0; i < world->node_count; i++) {
        const struct fake_node *node = &world->nodes[i];
        engine->nodes[engine->node_count++] = (struct world_node){
            .id = str_dup(node->id),
            .name = str_dup(node->name),
            .cluster = str_dup(node->cluster),
            .running = node->running,
            .status = str_dup(node->running ? "running" : "exited"),
        };
        if (world_engine_api(engine, node->cluster) == NULL) {
            engine->apis[engine->api_count++] = (struct world_api){
                .cluster = str_dup(node->cluster),
                .host_address = str_dup("127.0.0.1"),
                .host_port = 6443,
            };
        }
    }
    qsort(engine->nodes, engine->node_count, sizeof(*engine->nodes), compare_nodes);
    return engine;
}

struct world_node_files *fake_world_node(const struct fake_world *world, const char *name)
{
    const struct fake_node *node = find_node(world, name);
    struct world_node_files *files = calloc(1, sizeof(*files));
    files->config_path = CONFIG_PATH_ENABLED;
    if (node == NULL) {
        return files;
    }
    files->dirs = calloc(node->files.count + 1, sizeof(*files->dirs));
    strmap_foreach (&node->files, entry) {
        files->dirs[files->dir_count++] = (struct world_hosts_dir){
            .name = str_dup(entry->key),
            .content = str_dup(entry->value),
        };
    }
    return files;
}

// ---- actions ----

static void create(struct fake_world *world, const struct action *action)
{
    assert(world->container_count < FAKE_CONTAINERS_MAX);
    struct fake_container *container = &world->containers[world->container_count++];
    *container = (struct fake_container){.spec = json_deep_copy(action->body), .state = "created"};
    COPY(container->name, action->target);
    (void)snprintf(container->id, sizeof(container->id), "id%u", ++world->serial);
}

static void update(struct fake_container *container, const struct action *action)
{
    (void)json_object_update(json_object_get(container->spec, "HostConfig"), action->body);
}

static void remove_files(struct fake_node *node, const struct action *action)
{
    struct strmap kept = {0};
    strmap_foreach (&node->files, entry) {
        bool removed = false;
        for (size_t i = 0; i < action->file_count; i++) {
            removed = removed || str_equal(action->files[i].alias, entry->key);
        }
        if (!removed) {
            (void)strmap_set(&kept, entry->key, entry->value);
        }
    }
    strmap_done(&node->files);
    node->files = kept;
}

static int act_on_container(struct fake_world *world, const struct action *action)
{
    struct fake_container *container = find_container(world, action->target);
    if (container == NULL) {
        return -ENOENT;
    }
    if (action->type == ACTION_CONTAINER_START || action->type == ACTION_CONTAINER_UNPAUSE) {
        container->state = "running";
        container->started_s = world->now_s;
        container->error[0] = '\0';
        container->address = world->address;
    } else if (action->type == ACTION_CONTAINER_STOP) {
        container->state = "exited";
    } else if (action->type == ACTION_CONTAINER_RENAME) {
        COPY(container->name, action->argument);
    } else if (action->type == ACTION_CONTAINER_UPDATE) {
        update(container, action);
    } else if (action->type == ACTION_CONTAINER_REMOVE) {
        remove_container(world, container);
    } else if (action->type == ACTION_NETWORK_CONNECT) {
        COPY(container->network_id, world->network_id);
        container->address = world->address;
    } else if (action->type == ACTION_NETWORK_DISCONNECT) {
        COPY(container->network_id, "");
    }
    return 0;
}

int fake_world_act(struct fake_world *world, const struct action *action)
{
    switch (action->type) {
    case ACTION_STORAGE_MAKE:
        return 0;
    case ACTION_IMAGE_PULL:
        world->image_missing = false;
        return 0;
    case ACTION_CONTAINER_CREATE:
        create(world, action);
        return 0;
    case ACTION_CONTAINER_START:
    case ACTION_CONTAINER_STOP:
    case ACTION_CONTAINER_UNPAUSE:
    case ACTION_CONTAINER_RENAME:
    case ACTION_CONTAINER_UPDATE:
    case ACTION_CONTAINER_REMOVE:
    case ACTION_NETWORK_CONNECT:
    case ACTION_NETWORK_DISCONNECT:
        return act_on_container(world, action);
    case ACTION_HOSTS_WRITE: {
        for (size_t i = 0; i < action->file_count; i++) {
            fake_node_file(world, strrchr(action->resource, '/') + 1, action->files[i].alias,
                           action->files[i].content);
        }
        return 0;
    }
    case ACTION_HOSTS_REMOVE:
        remove_files(need_node(world, strrchr(action->resource, '/') + 1), action);
        return 0;
    case ACTION_OBJECT_APPLY:
    case ACTION_OBJECT_DELETE: {
        struct model_cluster *model = fake_cluster(world, action->cluster);
        int r = model_cluster_act(model, action);
        model_cluster_settle(model);
        return r;
    }
    case _ACTION_TYPE_COUNT:
        break;
    }
    return -EINVAL;
}

void fake_world_init(struct fake_world *world)
{
    *world = (struct fake_world){
        .probe = PROBE_ANSWERS,
        .address = 9,
        .now_s = 1767225600,
        .network_id = "net1",
    };
}

void fake_world_done(struct fake_world *world)
{
    for (size_t i = 0; i < world->container_count; i++) {
        json_decref(world->containers[i].spec);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        strmap_done(&world->nodes[i].files);
    }
    for (size_t i = 0; i < world->cluster_count; i++) {
        model_cluster_free(world->clusters[i].model);
    }
}

void fake_world_swap(struct fake_world *a, struct fake_world *b)
{
    struct fake_world saved = *a;
    *a = *b;
    *b = saved;
}
