#include "lib/kinds/route/observe.h"

#include "lib/base/alloc.h"
#include "lib/http/http.h"
#include "lib/kinds/io.h"
#include "lib/kinds/route/current.h"

#define BODY_MAX (256u * 1024u) // the UI's page has some 5 KiB
#define HEADER_MAX 1024         // a longer one counts as none

struct request {
    struct observation *observation;
    struct route_answer *answer;
    struct http_call *call; // NULL: not under way
};

struct observation {
    struct route_current *current;
    struct request page;
    struct request api;
    size_t pending;
    observe_done_fn done;
    void *ctx;
};

// What is kept: one connection for both.
struct memory {
    struct http_client *client;
    struct observation observation; // under way while something is pending
};

// Which of the errors says nothing of the other side; NULL: none.
static const struct error *own_error(const struct route_current *current)
{
    return error_is_own(&current->page.error)  ? &current->page.error
           : error_is_own(&current->api.error) ? &current->api.error
                                               : NULL;
}

// NULL when there is none.
static const char *header(const struct http_response *response, const char *name, char *value)
{
    return http_response_header(response, name, value, HEADER_MAX) ? value : NULL;
}

static void take(struct arena *arena, const struct http_response *response,
                 struct route_answer *ret)
{
    char server[HEADER_MAX];
    char location[HEADER_MAX];
    char api_version[HEADER_MAX];
    const struct route_headers headers = {
        .server = header(response, "Server", server),
        .location = header(response, "Location", location),
        .api_version = header(response, "Docker-Distribution-Api-Version", api_version),
    };
    *ret = route_answer_decode(arena, response->status, &headers, buf_str(&response->body));
    // A controller takes seconds to take a change up (404), and pods to become ready (5xx).
    ret->stays = http_status_kind(response->status) == ERROR_PERMANENT;
}

static void on_answer(void *ctx, struct http_response *response, const struct error *err)
{
    struct request *request = ctx;
    struct observation *o = request->observation;
    request->call = NULL;
    if (err == NULL) {
        take(&o->current->arena, response, request->answer);
    } else {
        request->answer->error = *err;
    }
    if (--o->pending > 0) {
        return;
    }
    struct route_current *current = TAKE_PTR(o->current);
    const struct error *own = own_error(current);
    if (own == NULL) {
        o->done(o->ctx, current, NULL);
    } else {
        o->done(o->ctx, NULL, own);
        route_current_free(current);
    }
}

static void ask(struct memory *memory, struct request *request, const char *path,
                uint64_t timeout_ms)
{
    const struct http_request sent = {
        .method = HTTP_GET,
        .path = path,
        .timeout_ms = timeout_ms,
        .max_body = BODY_MAX,
        .done = on_answer,
        .ctx = request,
    };
    if (http_send(memory->client, &sent, &request->call, &request->answer->error) == 0) {
        memory->observation.pending++;
    }
}

int route_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                  void *ctx, struct error *err)
{
    struct memory *kept = *memory;
    if (kept == NULL) {
        const struct http_endpoint endpoint = {.base = input->config->ui.url};
        struct http_client *client = NULL;
        int r = io->transport->client_new(io->transport, &endpoint, &client, err);
        if (r < 0) {
            return r;
        }
        kept = *memory = xcalloc(1, sizeof(*kept));
        kept->client = client;
    }
    struct observation *o = &kept->observation;
    struct route_current *current = xcalloc(1, sizeof(*current));
    *o = (struct observation){.current = current,
                              .page = {o, &current->page, NULL},
                              .api = {o, &current->api, NULL},
                              .done = done,
                              .ctx = ctx};
    ask(kept, &o->page, input->config->ui.path, input->config->reconcile.timeout_ms);
    ask(kept, &o->api, "/v2/", input->config->reconcile.timeout_ms);
    if (o->pending == 0) {
        *err = current->page.error;
        route_current_free(TAKE_PTR(o->current));
        return -err->code;
    }
    return 0;
}

void route_cancel(_unused_ struct io *io, memory_t memory, _unused_ bool changes_too)
{
    struct memory *kept = memory;
    if (kept != NULL) {
        http_cancel(kept->client, kept->observation.page.call);
        http_cancel(kept->client, kept->observation.api.call);
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
