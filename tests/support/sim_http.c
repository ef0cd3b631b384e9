#include "tests/support/sim_http.h"

#include "lib/base/str.h"
#include "tests/support/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include <cmocka.h>

#define SERVERS_MAX 16
#define ADDRESS_MAX 160
#define FAULTS_MAX 4
#define STREAM_PENDING_MAX (1024u * 1024u)

struct server {
    char address[ADDRESS_MAX];
    sim_serve_fn serve;
    void *ctx; // NULL: nobody is there
};

struct sim_client {
    struct http_client client; // first
    struct sim_http *http;
    struct server *server;
    unsigned calls;
};

struct http_call {
    struct sim_client *client;
    char *line;
    char *body;
    size_t body_length;
    enum http_method method;
    size_t max_body;
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    bool cancelled;
    bool is_open;       // a stream, its answer has begun
    bool ended;         // by its server
    int refused;        // -errno of on_chunk
    struct buf pending; // of a stream
    TAILQ_ENTRY(http_call) link;
};

TAILQ_HEAD(call_list, http_call);

struct sim_http {
    struct http_transport transport; // first
    struct server servers[SERVERS_MAX];
    size_t server_count;
    struct call_list calls;
    size_t clients;
    uint64_t requests;
    struct random *random;
    struct buf *log;
    struct sim_fault fault;
};

static const char *const method_names[] = {
    [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

static struct server *server_at(struct sim_http *http, const char *address)
{
    for (size_t i = 0; i < http->server_count; i++) {
        if (str_equal(http->servers[i].address, address)) {
            return &http->servers[i];
        }
    }
    assert_true(http->server_count < SERVERS_MAX && strlen(address) < ADDRESS_MAX);
    struct server *server = &http->servers[http->server_count++];
    *server = (struct server){0};
    (void)snprintf(server->address, sizeof(server->address), "%s", address);
    return server;
}

static void call_free(struct http_call *call)
{
    free(call->line);
    free(call->body);
    buf_done(&call->pending);
    free(call);
}

// ---- what the program calls ----

static int send(struct http_client *client, const struct http_request *request,
                struct http_call **ret, struct error *err)
{
    struct sim_client *self = (struct sim_client *)client;
    struct http_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return error_oom(err);
    }
    ALLOC_LOOK_AWAY;
    *call = (struct http_call){
        .client = self,
        .line = str_printf("%s %s", method_names[request->method], request->path),
        .body = str_dup_n(request->body == NULL ? "" : request->body, request->body_length),
        .body_length = request->body_length,
        .method = request->method,
        .max_body = request->max_body == 0 ? HTTP_BODY_MAX_DEFAULT : request->max_body,
        .on_chunk = request->on_chunk,
        .done = request->done,
        .ctx = request->ctx,
        .pending = BUF_INIT(STREAM_PENDING_MAX),
    };
    assert_non_null(call->line);
    assert_non_null(call->body);
    self->calls++;
    self->http->requests++;
    TAILQ_INSERT_TAIL(&self->http->calls, call, link);
    if (self->http->log != NULL) {
        assert_int_equal(buf_printf(self->http->log, "%s\n", call->line), 0);
    }
    if (ret != NULL) {
        *ret = call;
    }
    return 0;
}

static void cancel(_unused_ struct http_client *client, struct http_call *call)
{
    call->cancelled = true;
}

static void client_free(struct http_client *client)
{
    struct sim_client *self = (struct sim_client *)client;
    assert_int_equal(self->calls, 0);
    self->http->clients--;
    free(self);
}

static int client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                      struct http_client **ret, struct error *err)
{
    static const struct http_client_ops ops = {.send = send, .cancel = cancel, .free = client_free};
    struct sim_http *http = (struct sim_http *)transport;
    struct sim_client *client = malloc(sizeof(*client));
    if (client == NULL) {
        return error_oom(err);
    }
    *client = (struct sim_client){.client.ops = &ops, .http = http};
    client->server =
        server_at(http, endpoint->unix_socket != NULL ? endpoint->unix_socket : endpoint->base);
    http->clients++;
    *ret = &client->client;
    return 0;
}

// ---- deliveries; they begin watched ----

static void finish(struct http_call *call, struct http_response *response, const struct error *err)
{
    struct sim_http *http = call->client->http;
    TAILQ_REMOVE(&http->calls, call, link);
    call->client->calls--;
    // The client may be freed by its owner now.
    call->done(call->ctx, err == NULL ? response : NULL, err);
    call_free(call);
}

static void break_off(struct http_call *call, int code, const char *why)
{
    struct error err;
    if (code == ENOMEM) {
        (void)error_oom(&err);
    } else {
        (void)error_set(&err, ERROR_TRANSIENT, code, "%.*s: %s", (int)strcspn(call->line, "?"),
                        call->line, why);
    }
    finish(call, NULL, &err);
}

static bool hand_over(struct http_call *call, const char *data, size_t length)
{
    int r = call->on_chunk(call->ctx, data, length);
    call->refused = r < 0 ? r : 0;
    return r >= 0;
}

static bool is_success(int status)
{
    return status >= 200 && status <= 299;
}

static void answer(struct http_call *call, const struct sim_reply *reply)
{
    const char *body = reply->body == NULL ? "" : reply->body;
    size_t length = reply->length == 0 ? strlen(body) : reply->length;
    if (reply->is_stream) {
        call->is_open = true;
        return;
    }
    struct http_response response = {.status = reply->status,
                                     .headers = BUF_INIT(HTTP_HEADER_BYTES_MAX),
                                     .body = BUF_INIT(call->max_body)};
    int r = reply->headers == NULL ? 0 : buf_append_str(&response.headers, reply->headers);
    if (r == 0 && call->on_chunk != NULL && is_success(reply->status)) {
        r = hand_over(call, body, length) ? 0 : call->refused;
    } else if (r == 0) {
        r = buf_append(&response.body, body, length);
    }
    if (r < 0) {
        break_off(call, -r, call->refused < 0 ? "its reader gave up" : "answer not taken");
    } else {
        finish(call, &response, NULL);
    }
    buf_done(&response.headers);
    buf_done(&response.body);
}

// Whether the fault is for this request.
static bool take_fault(const struct http_call *call, struct sim_fault *ret)
{
    struct sim_fault *fault = &call->client->http->fault;
    if (fault->count == 0 || strstr(call->line, fault->line) == NULL) {
        return false;
    }
    fault->count--;
    *ret = *fault;
    return true;
}

// Takes the place of the server.
static void spoil(struct http_call *call, const struct sim_fault *fault)
{
    static char page[] = "<html><body>a page of a proxy</body></html>";
    static char garbage[] = "{\"Id\": nonsense";
    static char shapeless[] = "[[], {\"Id\": 1, \"items\": {}}]";
    switch (fault->kind) {
    case SIM_REFUSED:
        break_off(call, ECONNREFUSED, "cannot connect: connection refused");
        break;
    case SIM_SILENT:
        break_off(call, ETIMEDOUT, "no answer in time");
        break;
    case SIM_LOST:
        break_off(call, ECONNRESET, "answer ended early");
        break;
    case SIM_STATUS:
        answer(call, &(struct sim_reply){.status = fault->status, .body = page});
        break;
    case SIM_GARBAGE:
        answer(call, &(struct sim_reply){.status = 200, .body = garbage});
        break;
    case SIM_SHAPELESS:
        answer(call, &(struct sim_reply){.status = 200, .body = shapeless});
        break;
    }
}

static void ask_server(const struct http_call *call, struct sim_reply *reply)
{
    ALLOC_LOOK_AWAY;
    const struct sim_request request = {
        .method = call->method,
        .line = call->line,
        .path = strchr(call->line, ' ') + 1,
        .body = call->body,
        .body_length = call->body_length,
    };
    call->client->server->serve(call->client->server->ctx, &request, reply);
}

static void serve(struct http_call *call)
{
    const struct server *server = call->client->server;
    struct sim_fault fault;
    struct sim_reply reply = {0};
    if (server->ctx == NULL) {
        break_off(call, server->address[0] == '/' ? ENOENT : ECONNREFUSED, "cannot connect");
        return;
    }
    bool hit = take_fault(call, &fault);
    if (!hit || fault.kind == SIM_LOST) {
        ask_server(call, &reply);
    }
    if (hit) {
        spoil(call, &fault);
    } else if (reply.status == 0) {
        break_off(call, ECONNRESET, "answer ended early");
    } else {
        answer(call, &reply);
    }
    free(reply.headers);
    free(reply.body);
}

static bool has_something(const struct http_call *call)
{
    return call->cancelled || call->refused < 0 || call->ended || !call->is_open ||
           call->pending.length > 0;
}

static struct http_call *choose(const struct sim_http *http)
{
    struct http_call *chosen = NULL;
    uint32_t count = 0;
    struct http_call *call;
    TAILQ_FOREACH(call, &http->calls, link)
    {
        if (!has_something(call)) {
            continue;
        }
        if (http->random == NULL) {
            return call;
        }
        count++;
        if (random_below(http->random, count) == 0) {
            chosen = call;
        }
    }
    return chosen;
}

bool sim_http_step(struct sim_http *http)
{
    struct http_call *call = choose(http);
    if (call == NULL) {
        return false;
    }
    if (call->cancelled) {
        break_off(call, ECANCELED, "cancelled");
    } else if (call->refused < 0) {
        break_off(call, -call->refused, "its reader gave up");
    } else if (call->pending.length > 0) {
        struct buf pending = call->pending;
        call->pending = BUF_INIT(STREAM_PENDING_MAX);
        (void)hand_over(call, pending.data, pending.length);
        buf_done(&pending);
    } else if (call->ended) {
        finish(call, &(struct http_response){.status = 200}, NULL);
    } else {
        serve(call);
    }
    return true;
}

// ---- what the test calls ----

struct sim_http *sim_http_new(void)
{
    struct sim_http *http = calloc(1, sizeof(*http));
    assert_non_null(http);
    http->transport.client_new = client_new;
    TAILQ_INIT(&http->calls);
    return http;
}

void sim_http_free(struct sim_http *http)
{
    assert_int_equal(http->clients, 0);
    free(http);
}

struct http_transport *sim_http_transport(struct sim_http *http)
{
    return &http->transport;
}

void sim_http_serve(struct sim_http *http, const char *address, sim_serve_fn serve_fn, void *ctx)
{
    struct server *server = server_at(http, address);
    if (ctx == NULL && server->ctx != NULL) {
        sim_http_tell(http, server->ctx, "", NULL);
    }
    server->serve = serve_fn;
    server->ctx = ctx;
}

void sim_http_tell(struct sim_http *http, const void *ctx, const char *line, const char *text)
{
    struct http_call *call;
    TAILQ_FOREACH(call, &http->calls, link)
    {
        if (!call->is_open || call->client->server->ctx != ctx ||
            !str_starts_with(call->line, line)) {
            continue;
        }
        if (text == NULL) {
            call->ended = true;
        } else if (!call->ended) {
            assert_int_equal(buf_append_str(&call->pending, text), 0);
        }
    }
}

void sim_http_shuffle(struct sim_http *http, struct random *random)
{
    http->random = random;
}

size_t sim_http_under_way(const struct sim_http *http)
{
    size_t count = 0;
    const struct http_call *call;
    TAILQ_FOREACH(call, &http->calls, link)
    {
        count++;
    }
    return count;
}

size_t sim_http_streams(const struct sim_http *http)
{
    size_t count = 0;
    const struct http_call *call;
    TAILQ_FOREACH(call, &http->calls, link)
    {
        count += call->is_open;
    }
    return count;
}

uint64_t sim_http_requests(const struct sim_http *http)
{
    return http->requests;
}

void sim_http_record(struct sim_http *http, struct buf *log)
{
    http->log = log;
}

void sim_http_fault(struct sim_http *http, const struct sim_fault *fault)
{
    http->fault = fault == NULL ? (struct sim_fault){0} : *fault;
}
