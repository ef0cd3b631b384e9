// Containers, networks, images and events: one request each.
// https://docs.docker.com/reference/api/engine/version/v1.41/
#include "lib/docker/docker_client.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NUMBER_DIGITS_MAX 24
#define DATE_BYTES_MAX 64
#define EVENT_FILTERS "{\"type\":[\"container\",\"network\"]}"

static const char *check_list(const json_t *answer)
{
    size_t i;
    const json_t *entity;
    json_array_foreach (answer, i, entity) {
        if (docker_check_entity(entity) != NULL) {
            return "an entry of the answer has no id";
        }
    }
    return json_is_array(answer) ? NULL : "the answer is no list";
}

// Sends a request with what it lacks.
static int ask(struct docker *docker, const struct api_request *request, const char *first,
               const char *second, const json_t *json, docker_done_fn done, void *ctx,
               struct error *err)
{
    struct api_request whole = *request;
    whole.args[0] = first;
    whole.args[1] = second;
    whole.json = json;
    whole.done = done;
    whole.ctx = ctx;
    return docker_send(docker, &whole, err);
}

int docker_info(struct docker *docker, docker_done_fn done, void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_GET, "ask what it is", "/info",
                                               .effect = API_READS, .check = api_check_object};
    return ask(docker, &request, NULL, NULL, NULL, done, ctx, err);
}

struct listing {
    struct docker *docker;
    docker_done_fn done;
    void *ctx;
};

// "Date: Sun, 22 Nov 2026 22:22:14 GMT" (https://www.rfc-editor.org/rfc/rfc9110#field.date).
static int64_t answer_time_s(const struct http_response *response)
{
    char date[DATE_BYTES_MAX];
    struct tm tm = {0};
    bool said = http_response_header(response, "Date", date, sizeof(date)) &&
                strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) != NULL;
    return said ? (int64_t)timegm(&tm) : 0;
}

static void on_list(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct listing *listing = ctx;
    if (err == NULL) {
        listing->docker->time_s = answer_time_s(answer->response);
    }
    listing->done(listing->ctx, answer->json, err);
}

int docker_container_list(struct docker *docker, docker_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_GET,
        .what = "list containers",
        .path = "/containers/json?all=1",
        .effect = API_READS,
        .check = check_list,
        .raw = on_list,
        .ctx = &(struct listing){docker, done, ctx},
        .ctx_size = sizeof(struct listing),
    };
    return docker_send(docker, &request, err);
}

int64_t docker_time_s(const struct docker *docker)
{
    return docker->time_s;
}

int docker_container_inspect(struct docker *docker, const char *container, docker_done_fn done,
                             void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_GET, "inspect container $0",
                                               "/containers/$0/json", .effect = API_READS,
                                               .check = docker_check_entity};
    return ask(docker, &request, container, NULL, NULL, done, ctx, err);
}

int docker_container_create(struct docker *docker, const char *name, const json_t *spec,
                            docker_done_fn done, void *ctx, struct error *err)
{
    static const struct api_request request = {
        HTTP_POST, "create container $0", "/containers/create?name=$0", .content_type = DOCKER_JSON,
        .check = docker_check_entity};
    return ask(docker, &request, name, NULL, spec, done, ctx, err);
}

int docker_container_start(struct docker *docker, const char *container, docker_done_fn done,
                           void *ctx, struct error *err)
{
    static const struct api_request request = {
        HTTP_POST, "start container $0", "/containers/$0/start", .tolerated = {{.status = 304}}};
    return ask(docker, &request, container, NULL, NULL, done, ctx, err);
}

int docker_container_stop(struct docker *docker, const char *container, unsigned seconds,
                          docker_done_fn done, void *ctx, struct error *err)
{
    char text[NUMBER_DIGITS_MAX];
    (void)snprintf(text, sizeof(text), "%u", seconds);
    const struct api_request request = {
        .method = HTTP_POST,
        .what = "stop container $0",
        .path = "/containers/$0/stop?t=$1",
        .timeout_ms = docker->api.timeout_ms + (uint64_t)seconds * 1000,
        .tolerated = {{.status = 304}},
    };
    return ask(docker, &request, container, text, NULL, done, ctx, err);
}

int docker_container_unpause(struct docker *docker, const char *container, docker_done_fn done,
                             void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_POST, "unpause container $0",
                                               "/containers/$0/unpause", .effect = API_CHANGES};
    return ask(docker, &request, container, NULL, NULL, done, ctx, err);
}

int docker_container_rename(struct docker *docker, const char *container, const char *name,
                            docker_done_fn done, void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_POST, "rename container $0 to $1",
                                               "/containers/$0/rename?name=$1",
                                               .effect = API_CHANGES};
    return ask(docker, &request, container, name, NULL, done, ctx, err);
}

int docker_container_remove(struct docker *docker, const char *container, docker_done_fn done,
                            void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_DELETE, "remove container $0",
                                               "/containers/$0?force=1&v=0",
                                               .tolerated = {{.status = 404}}};
    return ask(docker, &request, container, NULL, NULL, done, ctx, err);
}

struct waiting {
    docker_exit_fn done;
    void *ctx;
};

static const char *check_exit(const json_t *answer)
{
    return json_is_integer(json_get(answer, "StatusCode", NULL)) ? NULL
                                                                 : "the answer has no exit code";
}

static void on_exit_code(void *ctx, json_t *answer, const struct error *err)
{
    const struct waiting *waiting = ctx;
    waiting->done(waiting->ctx, (int)json_get_int(answer, -1, "StatusCode", NULL), err);
}

int docker_container_wait(struct docker *docker, const char *container, docker_exit_fn done,
                          void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_POST,
        .what = "wait for container $0",
        .path = "/containers/$0/wait",
        .args = {container},
        .effect = API_WATCHES,
        .check = check_exit,
        .timeout_ms = API_ENDLESS,
        .done = on_exit_code,
        .ctx = &(struct waiting){done, ctx},
        .ctx_size = sizeof(struct waiting),
    };
    return docker_send(docker, &request, err);
}

struct logging {
    docker_text_fn done;
    void *ctx;
};

static void on_log(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct logging *logging = ctx;
    logging->done(logging->ctx, err != NULL ? NULL : buf_str(&answer->response->body), err);
}

int docker_container_log(struct docker *docker, const char *container, docker_text_fn done,
                         void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_GET,
        .what = "read the log of container $0",
        .path = "/containers/$0/logs?stdout=1&stderr=1&tail=" DOCKER_LOG_LINES,
        .args = {container},
        .effect = API_READS,
        .raw = on_log,
        .ctx = &(struct logging){done, ctx},
        .ctx_size = sizeof(struct logging),
    };
    return docker_send(docker, &request, err);
}

int docker_container_update(struct docker *docker, const char *container, const json_t *changes,
                            docker_done_fn done, void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_POST, "update container $0",
                                               "/containers/$0/update", .content_type = DOCKER_JSON,
                                               .check = api_check_object};
    return ask(docker, &request, container, NULL, changes, done, ctx, err);
}

int docker_network_inspect(struct docker *docker, const char *network, docker_done_fn done,
                           void *ctx, struct error *err)
{
    static const struct api_request request = {HTTP_GET, "inspect network $0", "/networks/$0",
                                               .effect = API_READS, .check = docker_check_entity};
    return ask(docker, &request, network, NULL, NULL, done, ctx, err);
}

int docker_network_connect(struct docker *docker, const char *network, const char *container,
                           const char *alias, docker_done_fn done, void *ctx, struct error *err)
{
    static const struct api_request request = {
        HTTP_POST, "connect $1 to network $0", "/networks/$0/connect", .content_type = DOCKER_JSON,
        .tolerated = {{.status = 403, .message = "already exists in network"}}};
    json_auto_t *body =
        json_pack("{s:s, s:{s:[s]}}", "Container", container, "EndpointConfig", "Aliases", alias);
    return ask(docker, &request, network, container, body, done, ctx, err);
}

int docker_network_disconnect(struct docker *docker, const char *network, const char *container,
                              docker_done_fn done, void *ctx, struct error *err)
{
    // 404: no such network or container. Engine 20.10 answers 500 for a container that is not on
    // the network, and only its message says so.
    static const struct api_request request = {
        HTTP_POST, "disconnect $1 from network $0", "/networks/$0/disconnect",
        .content_type = DOCKER_JSON,
        .tolerated = {{.status = 404},
                      {.status = 500, .message = "is not connected to"},
                      {.status = 403, .message = "is not connected to"}}};
    json_auto_t *body = json_pack("{s:s, s:b}", "Container", container, "Force", 1);
    return ask(docker, &request, network, container, body, done, ctx, err);
}

int docker_image_inspect(struct docker *docker, const char *image, docker_done_fn done, void *ctx,
                         struct error *err)
{
    static const struct api_request request = {HTTP_GET, "inspect image $0", "/images/$0/json",
                                               .effect = API_READS, .check = docker_check_entity};
    return ask(docker, &request, image, NULL, NULL, done, ctx, err);
}

int docker_events(struct docker *docker, int64_t since_s, docker_event_fn on_event,
                  docker_done_fn done, void *ctx, struct error *err)
{
    char since[NUMBER_DIGITS_MAX];
    (void)snprintf(since, sizeof(since), "%" PRId64, since_s);
    const struct api_request request = {
        .method = HTTP_GET,
        .what = "watch events",
        .path = "/events?filters=$0&since=$1",
        .effect = API_WATCHES,
        .timeout_ms = API_ENDLESS,
        .on_event = on_event,
    };
    return ask(docker, &request, EVENT_FILTERS, since, NULL, done, ctx, err);
}
