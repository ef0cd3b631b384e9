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
#define STRING_(text) #text
#define STRING(text) STRING_(text)
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

static const char *check_exit(const json_t *answer)
{
    return json_is_integer(json_get(answer, "StatusCode", NULL)) ? NULL
                                                                 : "the answer has no exit code";
}

// $0 is the name, $1 the argument.
static const struct api_request requests[] = {
    [DOCKER_INFO] = {HTTP_GET, "ask what it is", "/info", API_READS, .check = api_check_object},
    [DOCKER_LIST] = {HTTP_GET, "list containers", "/containers/json?all=1", .effect = API_READS,
                     .check = check_list},
    [DOCKER_INSPECT] = {HTTP_GET, "inspect container $0", "/containers/$0/json", API_READS,
                        .check = docker_check_entity},
    [DOCKER_CREATE] = {HTTP_POST, "create container $0", "/containers/create?name=$0",
                       .content_type = DOCKER_JSON, .check = docker_check_entity},
    [DOCKER_START] = {HTTP_POST, "start container $0", "/containers/$0/start",
                      .tolerated = {{.status = 304}}},
    [DOCKER_STOP] = {HTTP_POST, "stop container $0",
                     "/containers/$0/stop?t=" STRING(DOCKER_STOP_SECONDS),
                     .tolerated = {{.status = 304}}},
    [DOCKER_UNPAUSE] = {HTTP_POST, "unpause container $0", "/containers/$0/unpause",
                        .effect = API_CHANGES},
    [DOCKER_RENAME] = {HTTP_POST, "rename container $0 to $1", "/containers/$0/rename?name=$1",
                       .effect = API_CHANGES},
    [DOCKER_UPDATE] = {HTTP_POST, "update container $0", "/containers/$0/update",
                       .content_type = DOCKER_JSON, .check = api_check_object},
    [DOCKER_REMOVE] = {HTTP_DELETE, "remove container $0", "/containers/$0?force=1&v=0",
                       .tolerated = {{.status = 404}}},
    [DOCKER_WAIT] = {HTTP_POST, "wait for container $0", "/containers/$0/wait", API_WATCHES,
                     .check = check_exit},
    [DOCKER_LOG] = {HTTP_GET, "read the log of container $0",
                    "/containers/$0/logs?stdout=1&stderr=1&tail=" STRING(DOCKER_LOG_LINES),
                    .effect = API_READS},
    [DOCKER_NETWORK_INSPECT] = {HTTP_GET, "inspect network $0", "/networks/$0", API_READS,
                                .check = docker_check_entity},
    [DOCKER_CONNECT] = {HTTP_POST, "connect $0 to network $1", "/networks/$1/connect",
                        .content_type = DOCKER_JSON,
                        .tolerated = {{.status = 403, .message = "already exists in network"}}},
    // 404: no such network or container. Engine 20.10 answers 500 for a container that is not on
    // the network, and only its message says so.
    [DOCKER_DISCONNECT] = {HTTP_POST, "disconnect $0 from network $1", "/networks/$1/disconnect",
                           .content_type = DOCKER_JSON,
                           .tolerated = {{.status = 404},
                                         {.status = 500, .message = "is not connected to"},
                                         {.status = 403, .message = "is not connected to"}}},
    [DOCKER_IMAGE_INSPECT] = {HTTP_GET, "inspect image $0", "/images/$0/json", API_READS,
                              .check = docker_check_entity},
};

int docker_ask(struct docker *docker, enum docker_op op, const char *name, const char *argument,
               const json_t *body, docker_done_fn done, void *ctx, struct error *err)
{
    struct api_request request = requests[op];
    if (op == DOCKER_STOP) {
        request.timeout_ms = docker->api.timeout_ms + DOCKER_STOP_SECONDS * 1000u;
    }
    request.args[0] = name;
    request.args[1] = argument;
    request.json = body;
    request.done = done;
    request.ctx = ctx;
    return docker_send(docker, &request, err);
}

int docker_ask_raw(struct docker *docker, enum docker_op op, const char *name, api_raw_fn done,
                   void *ctx, struct error *err)
{
    struct api_request request = requests[op];
    request.args[0] = name;
    request.raw = done;
    request.ctx = ctx;
    return docker_send(docker, &request, err);
}

// "Date: Sun, 22 Nov 2026 22:22:14 GMT" (https://www.rfc-editor.org/rfc/rfc9110#field.date).
int64_t docker_time_s(const struct api_answer *answer)
{
    char date[DATE_BYTES_MAX];
    struct tm tm = {0};
    bool said = http_response_header(answer->response, "Date", date, sizeof(date)) &&
                strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) != NULL;
    return said ? (int64_t)timegm(&tm) : 0;
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
        .args = {EVENT_FILTERS, since},
        .on_event = on_event,
        .done = done,
        .ctx = ctx,
    };
    return docker_send(docker, &request, err);
}
