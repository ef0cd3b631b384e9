// Networks: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Network
#include "lib/docker/docker_internal.h"

int docker_network_inspect(struct docker *docker, const char *network, docker_done_fn done,
                           void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "inspect network",
        .subject = network,
        .method = HTTP_GET,
        .path = {{"/networks/", network}},
        .shape = DOCKER_SHAPE_ENTITY,
    };
    return docker_submit(docker, &request, done, ctx, err);
}

int docker_network_connect(struct docker *docker, const char *network, const char *container,
                           const char *alias, docker_done_fn done, void *ctx, struct error *err)
{
    const struct docker_request request = {
        .verb = "connect",
        .subject = container,
        .relation = "to network",
        .object = network,
        .method = HTTP_POST,
        .path = {{"/networks/", network}, {"/connect", NULL}},
        .tolerated = {{403, "already exists in network"}},
    };
    json_auto_t *body =
        json_pack("{s:s, s:{s:[s]}}", "Container", container, "EndpointConfig", "Aliases", alias);
    return docker_submit_json(docker, request, body, done, ctx, err);
}

int docker_network_disconnect(struct docker *docker, const char *network, const char *container,
                              docker_done_fn done, void *ctx, struct error *err)
{
    // 404: no such network or container. Engine 20.10 answers 500 for a container that is not on
    // the network, and only its message says so.
    const struct docker_request request = {
        .verb = "disconnect",
        .subject = container,
        .relation = "from network",
        .object = network,
        .method = HTTP_POST,
        .path = {{"/networks/", network}, {"/disconnect", NULL}},
        .tolerated = {{404, NULL}, {500, "is not connected to"}, {403, "is not connected to"}},
    };
    json_auto_t *body = json_pack("{s:s, s:b}", "Container", container, "Force", 1);
    return docker_submit_json(docker, request, body, done, ctx, err);
}
