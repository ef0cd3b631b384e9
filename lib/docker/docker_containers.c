// Containers: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container
#include "lib/docker/docker_internal.h"

#include <stdio.h>

#define SECONDS_DIGITS_MAX 12

int docker_container_list(struct docker *docker, const char *filters, docker_done_fn done,
                          void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "list containers",
        .method = HTTP_GET,
        .path = {{"/containers/json?all=1", NULL}, {filters == NULL ? NULL : "&filters=", filters}},
        .shape = DOCKER_SHAPE_ENTITIES,
        .memo = &docker->list,
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_inspect(struct docker *docker, const char *container, docker_done_fn done,
                             void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "inspect container",
        .subject = container,
        .method = HTTP_GET,
        .path = {{"/containers/", container}, {"/json", NULL}},
        .shape = DOCKER_SHAPE_ENTITY,
        .memo = &docker->inspected,
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_create(struct docker *docker, const char *name, const json_t *spec,
                            docker_done_fn done, void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "create container",
        .subject = name,
        .method = HTTP_POST,
        .path = {{"/containers/create?name=", name}},
        .shape = DOCKER_SHAPE_ENTITY,
    };
    return docker_submit_json(docker, request, spec, done, ctx, err);
}

int docker_container_start(struct docker *docker, const char *container, docker_done_fn done,
                           void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "start container",
        .subject = container,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/start", NULL}},
        .tolerated = {{304, NULL}},
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_stop(struct docker *docker, const char *container, unsigned seconds,
                          docker_done_fn done, void *ctx, struct error *err)
{
    char text[SECONDS_DIGITS_MAX];
    (void)snprintf(text, sizeof(text), "%u", seconds);
    const struct docker_request request = {
        .verb = "stop container",
        .subject = container,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/stop?t=", text}},
        .extra_ms = (uint64_t)seconds * 1000,
        .tolerated = {{304, NULL}},
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_unpause(struct docker *docker, const char *container, docker_done_fn done,
                             void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "unpause container",
        .subject = container,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/unpause", NULL}},
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_rename(struct docker *docker, const char *container, const char *name,
                            docker_done_fn done, void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "rename container",
        .subject = container,
        .relation = "to",
        .object = name,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/rename?name=", name}},
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_remove(struct docker *docker, const char *container, docker_done_fn done,
                            void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "remove container",
        .subject = container,
        .method = HTTP_DELETE,
        .path = {{"/containers/", container}, {"?force=1&v=0", NULL}},
        .tolerated = {{404, NULL}},
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_container_update(struct docker *docker, const char *container, const json_t *changes,
                            docker_done_fn done, void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "update container",
        .subject = container,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/update", NULL}},
        .shape = DOCKER_SHAPE_OBJECT,
    };
    return docker_submit_json(docker, request, changes, done, ctx, err);
}
