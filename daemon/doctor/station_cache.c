// A pull-through cache, as a node reaches it. What its upstream says is in its container's
// condition: no image is known that could be pulled through it.
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

#define NAME_UNKNOWN 2 // of the command

static const char *const command[] = {"sh", "-c",
                                      ("timeout -k 1 10 getent ahosts \"$0\" >/dev/null || exit 2; "
                                       "command -v curl >/dev/null || exit 0; "
                                       "curl -fsS -m 10 -o /dev/null \"http://$0:5000/v2/\" 2>&1")};

static const struct engine_node *running_node(const struct doctor *doctor)
{
    const struct engine *engine = doctor->engine;
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (node->running && config_has_cluster(doctor->config, node->cluster)) {
            return node;
        }
    }
    return NULL;
}

void station_cache(struct doctor *doctor, const char *subject)
{
    struct arena *arena = &doctor->arena;
    const struct engine_node *node = running_node(doctor);
    const struct config_cache *cache = doctor->config->caches;
    while (!str_equal(cache->upstream, subject)) {
        cache++;
    }
    if (node == NULL) {
        doctor_skip(doctor, "needs a node that runs");
        return;
    }
    const char *const argv[] = {command[0], command[1], command[2], cache->container, NULL};
    int code = doctor_exec(doctor, node->id, argv, API_READS, NULL);
    if (code > 0) {
        struct fault fault = {
            code == NAME_UNKNOWN
                ? arena_printf(arena, "%s knows no host %s", node->name, cache->container)
                : arena_printf(arena, "%s gets no answer from %s: %s", node->name, cache->container,
                               doctor->output),
            arena_printf(arena,
                         "run `hostk8s-registryd apply`, and see `docker logs %s`; nodes ask the "
                         "upstream itself meanwhile",
                         cache->container)};
        doctor_fault(doctor, fault);
    }
    doctor_did(doctor, "%s answers in %s", cache->container, node->name);
}
