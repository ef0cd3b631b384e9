#include "lib/kinds/route/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/http/http.h"
#include "lib/kinds/io.h"
#include "lib/kinds/route/current.h"

#include <sys/param.h>

#define BODY_MAX (256u * 1024u) // the UI's page has some 5 KiB
#define HEADER_MAX 1024         // a longer one counts as none
// Of a request while other resources are on their way: for a registry that is gone an ingress holds
// it for a minute, and the route is observed again when they have come right.
#define UNSETTLED_TIMEOUT_MS 1000u

struct memory {
    struct http_client *client; // of the observation under way, as all below
    struct request {
        struct memory *memory;
        struct http_call *call; // NULL: not under way
    } requests[ROUTE_QUESTIONS];
    size_t pending;
    struct route_current *current;
    observe_done_fn done;
    void *ctx;
};

static const char *header(const struct http_response *response, const char *name, char *value)
{
    return http_response_header(response, name, value, HEADER_MAX) ? value : NULL;
}

static struct route_answer decode(struct arena *arena, const struct http_response *response)
{
    char server[HEADER_MAX];
    char location[HEADER_MAX];
    char version[HEADER_MAX];
    struct route_answer answer =
        route_answer_decode(arena, response->status, header(response, "Server", server),
                            header(response, "Location", location), buf_str(&response->body));
    answer.has_api =
        str_equal(header(response, "Docker-Distribution-Api-Version", version), "registry/2.0");
    // A controller takes seconds to take a change up (404), and pods to become ready (5xx).
    answer.stays = http_status_kind(response->status) == ERROR_PERMANENT;
    return answer;
}

static void on_answer(void *ctx, struct http_response *response, const struct error *err)
{
    struct request *request = ctx;
    struct memory *memory = request->memory;
    struct route_answer *answer = &memory->current->answers[request - memory->requests];
    request->call = NULL;
    if (err == NULL) {
        *answer = decode(&memory->current->arena, response);
    } else {
        answer->error = *err;
    }
    if (--memory->pending > 0) {
        return;
    }
    http_client_free(TAKE_PTR(memory->client));
    struct route_current *current = TAKE_PTR(memory->current);
    const struct error *own = NULL; // says nothing of the other side
    for (size_t i = ROUTE_QUESTIONS; i-- > 0;) {
        own = error_is_own(&current->answers[i].error) ? &current->answers[i].error : own;
    }
    memory->done(memory->ctx, own == NULL ? current : NULL, own);
    if (own != NULL) {
        route_current_free(current);
    }
}

static void ask(struct memory *memory, const struct input *input, enum route_question question)
{
    uint64_t timeout_ms = input->config->reconcile.timeout_ms;
    const struct http_request request = {
        .method = HTTP_GET,
        .path = question == ROUTE_PAGE ? input->config->ui.path : "/v2/",
        .timeout_ms = input->unsettled ? MIN(timeout_ms, UNSETTLED_TIMEOUT_MS) : timeout_ms,
        .max_body = BODY_MAX,
        .done = on_answer,
        .ctx = &memory->requests[question],
    };
    memory->requests[question] = (struct request){.memory = memory};
    memory->pending += http_send(memory->client, &request, &memory->requests[question].call,
                                 &memory->current->answers[question].error) == 0;
}

int route_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                  void *ctx, struct error *err)
{
    const struct http_endpoint endpoint = {.base = input->config->ui.url};
    if (*memory == NULL) {
        *memory = xcalloc(1, sizeof(struct memory));
    }
    struct memory *kept = *memory;
    int r = io->transport->client_new(io->transport, &endpoint, &kept->client, err);
    if (r < 0) {
        return r;
    }
    kept->current = xcalloc(1, sizeof(*kept->current));
    kept->done = done;
    kept->ctx = ctx;
    ask(kept, input, ROUTE_PAGE);
    ask(kept, input, ROUTE_API);
    if (kept->pending == 0) {
        *err = kept->current->answers[ROUTE_PAGE].error;
        http_client_free(TAKE_PTR(kept->client));
        route_current_free(TAKE_PTR(kept->current));
        return -err->code;
    }
    return 0;
}

void route_cancel(_unused_ struct io *io, memory_t memory, _unused_ bool changes_too)
{
    struct memory *kept = memory;
    for (size_t i = 0; i < ROUTE_QUESTIONS && kept != NULL; i++) {
        http_cancel(kept->client, kept->requests[i].call);
    }
}

void route_invalidate(_unused_ struct io *io, memory_t *memory)
{
    struct memory *kept = TAKE_PTR(*memory);
    if (kept != NULL) {
        http_client_free(kept->client);
        free(kept);
    }
}
