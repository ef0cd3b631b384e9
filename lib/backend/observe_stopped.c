// A closer look at a node that does not run: when it ended, and the address that it had. The
// address is in a file of the node, and reading one costs the engine a process: it is kept until
// the node's next end. What cannot be seen is left unknown, for none of it is needed but to be
// polite.
#include "lib/backend/backend_internal.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

#include <errno.h>

struct stopped_look {
    struct real_backend *backend;
    struct docker *docker;
    struct world_node *node;
    stopped_done_fn done;
    void *ctx;
};

static struct stopped_node *find(const struct real_backend *backend, const char *container_id)
{
    struct stopped_node *known = backend->stopped;
    while (known != NULL && !str_equal(known->container_id, container_id)) {
        known = known->next;
    }
    return known;
}

static void known_free(struct stopped_node *known)
{
    free(known->container_id);
    free(known->address);
    free(known);
}

// Without memory it is read again, no worse.
static void remember(struct real_backend *backend, const struct world_node *node)
{
    struct stopped_node *known = find(backend, node->id);
    if (known == NULL) {
        known = calloc(1, sizeof(*known));
        if (known == NULL) {
            return;
        }
        known->container_id = str_dup(node->id);
        if (known->container_id == NULL) {
            free(known);
            return;
        }
        known->next = backend->stopped;
        backend->stopped = known;
    }
    known->stopped_s = str_replace(&known->address, node->address) < 0 ? 0 : node->stopped_s;
}

void stopped_nodes_forget(struct real_backend *backend, const struct world_engine *still_there)
{
    for (struct stopped_node **at = &backend->stopped; *at != NULL;) {
        struct stopped_node *known = *at;
        bool there = false;
        for (size_t i = 0; still_there != NULL && i < still_there->node_count && !there; i++) {
            const struct world_node *node = &still_there->nodes[i];
            there = !node->running && str_equal(node->id, known->container_id);
        }
        if (there) {
            at = &known->next;
        } else {
            *at = known->next;
            known_free(known);
        }
    }
}

static void look_end(struct stopped_look *look, const struct error *err)
{
    if (err != NULL) {
        log_debug("%s: not looked at: %s", look->node->name, err->text);
    }
    look->done(look->ctx);
    free(look);
}

static void on_address(void *ctx, const struct docker_file *files, size_t count,
                       const struct error *err)
{
    struct stopped_look *look = ctx;
    bool read = err == NULL && count > 0 && files[0].content != NULL;
    if (read && world_node_set_address(look->node, files[0].content) < 0) {
        read = false;
    }
    if (read || (err != NULL && err->status == 404)) {
        remember(look->backend, look->node);
    }
    look_end(look, err);
}

static void on_inspect(void *ctx, json_t *answer, const struct error *err)
{
    struct stopped_look *look = ctx;
    struct error error = {0};
    if (err != NULL) {
        look_end(look, err);
        return;
    }
    look->node->stopped_s = world_container_stopped_s(answer);
    const struct stopped_node *known = find(look->backend, look->node->id);
    if (known != NULL && known->stopped_s == look->node->stopped_s) {
        (void)str_replace(&look->node->address, known->address);
        look_end(look, NULL);
    } else if (docker_archive_get(look->docker, look->node->id, WORLD_NODE_ADDRESS_FILE, on_address,
                                  look, &error) < 0) {
        look_end(look, &error);
    }
}

int observe_stopped_node(struct real_backend *backend, struct docker *docker,
                         struct world_node *node, stopped_done_fn done, void *ctx,
                         struct error *err)
{
    struct stopped_look *look = malloc(sizeof(*look));
    if (look == NULL) {
        return error_oom(err);
    }
    *look = (struct stopped_look){backend, docker, node, done, ctx};
    int r = docker_container_inspect(docker, node->id, on_inspect, look, err);
    if (r < 0) {
        free(look);
    }
    return r;
}
