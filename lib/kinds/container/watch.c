// The engine's events, as far as they tell of something that an observation would see. Their own
// content only says whose key they are for.
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/observe.h"
#include "lib/kinds/name.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct watch {
    struct container_memory *memory;
    bool ending;
    struct container_specs specs; // of the configuration at the start
    watch_dirty_fn dirty;
    watch_done_fn done;
    void *ctx;
};

static void watch_free(struct watch *watch)
{
    memory_unref(watch->memory);
    container_specs_done(&watch->specs);
    free(watch);
}

// Events of a container's insides, and what only reads, say nothing of its state.
static bool is_of_insides(const char *action)
{
    return str_matches(action, "^(exec|archive-path|extract-to-dir|top|resize|attach|detach|export|"
                               "health_|commit|copy)");
}

// Whether the name is, or begins with, one of ours: NAME, NAME-previous. An old name has a slash.
static bool is_ours(const struct watch *watch, const char *name)
{
    bool is = false;
    for (size_t i = 0; i < watch->specs.count && name != NULL && !is; i++) {
        is = str_starts_with(name + strspn(name, "/"), watch->specs.items[i].name);
    }
    return is;
}

// Somebody has copied files into the node (NULL: may have into each).
static void count_write(struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->node_count; i++) {
        if (name == NULL || str_equal(engine->nodes[i].name, name)) {
            engine->nodes[i].writes++;
        }
    }
}

static void on_container_event(struct watch *watch, const char *action, const json_t *attributes)
{
    const char *name = json_get_string(attributes, "name", NULL);
    bool node = json_get_string(attributes, KIND_LABEL_CLUSTER, NULL) != NULL && name != NULL &&
                name_is_valid(name);
    bool own = json_get_string(attributes, CONTAINER_LABEL_OWNER, NULL) != NULL ||
               is_ours(watch, name) ||
               is_ours(watch, json_get_string(attributes, "oldName", NULL)); // of a rename
    bool copied = str_equal(action, "extract-to-dir");
    if (node && copied) {
        count_write(watch->memory->engine, name);
    }
    // What ran in a node may have changed its files. podman: exec_died
    if (node && (copied || str_starts_with(action, "exec_die"))) {
        _cleanup_free_ char *key = str_printf("node/%s", name);
        watch->dirty(watch->ctx, key);
    } else if ((node || own) && !is_of_insides(action)) {
        watch->dirty(watch->ctx, "engine");
    }
}

// Docker tells the network as "name" and the container beside it. podman tells the container's name
// as "name"; its newer versions name the network beside it, those before 5 nowhere.
static bool is_of_network(const struct watch *watch, const json_t *attributes)
{
    const char *network = watch->specs.items[0].network;
    const char *beside = json_get_string(attributes, "network", NULL);
    const char *name = json_get_string(attributes, "name", NULL);
    bool names_container = json_get_string(attributes, "container", NULL) == NULL &&
                           json_get_string(attributes, "type", NULL) == NULL;
    return beside != NULL ? str_equal(beside, network)
                          : str_equal(name, network) || names_container;
}

static int on_event(void *ctx, const json_t *event)
{
    struct watch *watch = ctx;
    const char *type = json_get_string(event, "Type", NULL);
    const char *action = json_get_string(event, "Action", NULL);
    const json_t *attributes = json_get_object(event, "Actor", "Attributes", NULL);
    if (watch->ending || type == NULL || action == NULL) {
        return 0;
    }
    if (str_equal(type, "container")) {
        on_container_event(watch, action, attributes);
    } else if (is_of_network(watch, attributes)) {
        watch->dirty(watch->ctx, "engine");
    }
    return 0;
}

static void on_end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct watch *watch = ctx;
    watch->memory->watch = NULL;
    count_write(watch->memory->engine, NULL); // of which nobody is told now
    watch->done(watch->ctx, err);
    watch_free(watch);
}

int container_watch(struct io *io, memory_t *memory, const struct input *input,
                    watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err)
{
    struct container_memory *kept = *memory;
    if (io->docker == NULL || kept == NULL || kept->watch != NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: no connection for its events");
    }
    struct watch *watch = xcalloc(1, sizeof(*watch));
    *watch =
        (struct watch){.memory = memory_take(memory), .dirty = dirty, .done = done, .ctx = ctx};
    container_specs_make(input->config, &watch->specs);
    // By the engine's clock, which its answer had: when it was asked at the latest.
    int64_t since_s = kept->engine->now_s - (time(NULL) - kept->listed_s) - 1;
    int r = docker_events(io->docker, since_s, on_event, on_end, watch, err);
    if (r < 0) {
        watch_free(watch);
        return r;
    }
    kept->watch = watch;
    return 0;
}

void container_unwatch(struct io *io, memory_t memory)
{
    const struct container_memory *kept = memory;
    if (kept != NULL && kept->watch != NULL && io->docker != NULL) {
        kept->watch->ending = true;
        docker_cancel(io->docker, API_WATCHES);
    }
}
