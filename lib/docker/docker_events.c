// Events:
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemEvents
#include "lib/docker/docker_internal.h"

#include "lib/doc/json_lines.h"

#include <errno.h>
#include <stdio.h>

#define EVENT_LINE_MAX (1024u * 1024u)
#define FILTERS "{\"type\":[\"container\",\"network\"]}"

struct events_call {
    struct docker_call call;
    docker_event_fn on_event;
    docker_done_fn done;
    void *ctx;
    struct json_lines lines;
    struct error failure; // why the stream could not be read
};

static int event_line(void *ctx, json_t *line, _unused_ struct error *err)
{
    struct events_call *self = ctx;
    return self->on_event(self->ctx, line);
}

static int events_chunk(void *ctx, const char *data, size_t length)
{
    struct events_call *self = ctx;
    return json_lines_feed(&self->lines, data, length, &self->failure);
}

static void events_answered(struct docker_call *call, struct http_response *response,
                            struct error *err)
{
    struct events_call *self = (struct events_call *)call;
    if (self->failure.kind != ERROR_NONE && err->code != ECANCELED) {
        *err = self->failure;
        (void)error_wrap(err, "engine: %s", call->what);
        response = NULL;
    }
    self->done(self->ctx, NULL, response == NULL ? err : NULL);
}

static void events_destroy(struct docker_call *call)
{
    json_lines_done(&((struct events_call *)call)->lines);
}

int docker_events(struct docker *docker, int64_t since_s, docker_event_fn on_event,
                  docker_done_fn done, void *ctx, struct error *err)
{
    struct events_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    self->call.answered = events_answered;
    self->call.destroy = events_destroy;
    self->on_event = on_event;
    self->done = done;
    self->ctx = ctx;
    self->lines = JSON_LINES_INIT(EVENT_LINE_MAX, event_line, self);
    char since[24];
    (void)snprintf(since, sizeof(since), "%lld", (long long)since_s);
    const struct docker_request request = {
        .verb = "listen to events",
        .method = HTTP_GET,
        .path = {{"/events?filters=", FILTERS}, {"&since=", since}},
        .endless = true,
        .on_chunk = events_chunk,
    };
    int r = docker_call_send(docker, &self->call, &request, err);
    if (r < 0) {
        docker_call_free(&self->call);
    }
    return r;
}

void docker_events_cancel(struct docker *docker)
{
    for (struct docker_call *call = docker->calls; call != NULL; call = call->next) {
        if (call->answered == events_answered) {
            http_cancel(docker->client, call->http);
        }
    }
}
