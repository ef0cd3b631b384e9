#include "lib/kinds/hints.h"

#include "lib/base/str.h"

static const struct strv *copy(struct arena *arena, const struct strv *list)
{
    struct strv *copied = arena_alloc(arena, sizeof(*copied));
    for (size_t i = 0; i < list->count; i++) {
        *ARENA_GROW(arena, copied->items, copied->count) = arena_dup(arena, list->items[i]);
    }
    return copied;
}

struct docker_hints hints_make(const struct config *config, struct arena *arena)
{
    const struct config_docker *docker = &config->docker;
    const struct config_docker_search *search = &docker->search;
    bool given = !str_empty(docker->host);
    return (struct docker_hints){
        .host = arena_dup(arena, given ? docker->host : search->host),
        .host_source = given ? "docker.host" : "DOCKER_HOST",
        .tls = docker->tls,
        .ca = arena_dup(arena, docker->ca),
        .cert = arena_dup(arena, docker->cert),
        .key = arena_dup(arena, docker->key),
        .context = arena_dup(arena, search->context),
        .config_dir = arena_dup(arena, search->config_dir),
        .sockets = copy(arena, &search->sockets),
    };
}
