#include "lib/kinds/engine.h"

#include "lib/base/str.h"
#include "lib/config/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_node(const void *name, const void *node)
{
    return strcmp(name, ((const struct engine_node *)node)->name);
}

const struct engine_node *engine_node(const struct engine *engine, const char *name)
{
    return engine->node_count == 0 ? NULL
                                   : bsearch(name, engine->nodes, engine->node_count,
                                             sizeof(*engine->nodes), compare_node);
}

const struct engine_node *engine_first_control_plane(const struct engine *engine,
                                                     const char *cluster)
{
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (node->role == NODE_CONTROL_PLANE && str_equal(node->cluster, cluster)) {
            return node;
        }
    }
    return NULL;
}

const struct engine_api *engine_api(const struct engine *engine, const char *cluster)
{
    for (size_t i = 0; i < engine->api_count; i++) {
        if (str_equal(engine->apis[i].cluster, cluster)) {
            return &engine->apis[i];
        }
    }
    return NULL;
}

bool engine_has_cluster(const struct engine *engine, const char *cluster)
{
    bool has = engine_api(engine, cluster) != NULL;
    for (size_t i = 0; i < engine->node_count && !has; i++) {
        has = str_equal(engine->nodes[i].cluster, cluster);
    }
    return has;
}

void engine_published_host(const struct config *config, const char *address, char *host,
                           size_t size)
{
    static const struct {
        const char *wildcard;
        const char *loopback;
    } wildcards[] = {{"", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};

    static const char scheme[] = "tcp://";
    const char *remote = config->docker.host;
    if (str_starts_with(remote, scheme)) {
        remote += strlen(scheme);
        const char *port = strrchr(remote, ':');
        size_t length = port == NULL ? strlen(remote) : (size_t)(port - remote);
        (void)snprintf(host, size, "%.*s", (int)length, remote);
        return;
    }
    for (size_t i = 0; i < ELEMENTS(wildcards); i++) {
        if (str_equal(address, wildcards[i].wildcard)) {
            address = wildcards[i].loopback;
            break;
        }
    }
    (void)snprintf(host, size, "%s", address_bracketed(address).text);
}

struct engine *engine_ref(struct engine *engine)
{
    if (engine != NULL) {
        engine->refs++;
    }
    return engine;
}

void engine_unref(struct engine *engine)
{
    if (engine != NULL && --engine->refs == 0) {
        arena_done(&engine->arena);
        free(engine);
    }
}
