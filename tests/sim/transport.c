#include "tests/sim/transport.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

struct http_call {
    struct sim_client *client;
    uint64_t id;
    const char *method;
    char *path;
    char *headers;
    char *body;
    size_t body_length;
    uint64_t timeout_ms;
    size_t max_body;
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    int refused; // -errno of on_chunk, or of a cancel
    bool taken;  // by sim_transport_next
    TAILQ_ENTRY(http_call) link;
};

TAILQ_HEAD(call_list, http_call);

struct sim_client {
    struct http_client client; // first
    struct sim_transport *transport;
    char *endpoint;
    unsigned calls;
};

struct sim_transport {
    struct http_transport base; // first
    struct call_list calls;     // in the order of their sending
    struct sim_counts counts;
};

static const char *const method_names[] = {
    [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

// ---- what the program calls ----

static char *header_lines(const struct http_request *request)
{
    struct buf lines = BUF_INIT(HTTP_HEADER_BYTES_MAX);
    (void)buf_append_str(&lines, "");
    if (request->accept != NULL) {
        (void)buf_printf(&lines, "Accept: %s\r\n", request->accept);
    }
    if (request->content_type != NULL) {
        (void)buf_printf(&lines, "Content-Type: %s\r\n", request->content_type);
    }
    return buf_take(&lines);
}

static int send_call(struct http_client *client, const struct http_request *request,
                     struct http_call **ret, _unused_ struct error *err)
{
    struct sim_client *self = (struct sim_client *)client;
    struct http_call *call = xcalloc(1, sizeof(*call));
    *call = (struct http_call){
        .client = self,
        .id = ++self->transport->counts.requests,
        .method = method_names[request->method],
        .path = str_dup(request->path),
        .headers = header_lines(request),
        .body = str_dup_n(request->body == NULL ? "" : request->body, request->body_length),
        .body_length = request->body_length,
        .timeout_ms = request->timeout_ms,
        .max_body = request->max_body == 0 ? HTTP_BODY_MAX_DEFAULT : request->max_body,
        .on_chunk = request->on_chunk,
        .done = request->done,
        .ctx = request->ctx,
    };
    self->calls++;
    self->transport->counts.calls++;
    TAILQ_INSERT_TAIL(&self->transport->calls, call, link);
    if (ret != NULL) {
        *ret = call;
    }
    return 0;
}

static void cancel_call(_unused_ struct http_client *client, struct http_call *call)
{
    call->refused = -ECANCELED;
}

static void client_free(struct http_client *client)
{
    struct sim_client *self = (struct sim_client *)client;
    assert(self->calls == 0);
    self->transport->counts.clients--;
    free(self->endpoint);
    free(self);
}

static int client_new(struct http_transport *base, const struct http_endpoint *endpoint,
                      struct http_client **ret, _unused_ struct error *err)
{
    static const struct http_client_ops ops = {
        .send = send_call, .cancel = cancel_call, .free = client_free};
    struct sim_transport *transport = (struct sim_transport *)base;
    const char *where = endpoint->unix_socket != NULL ? endpoint->unix_socket : endpoint->base;
    struct sim_client *client = xcalloc(1, sizeof(*client));
    *client =
        (struct sim_client){.client.ops = &ops, .transport = transport, .endpoint = str_dup(where)};
    transport->counts.clients++;
    *ret = &client->client;
    return 0;
}

// ---- what comes back ----

static void finish(struct http_call *call, struct http_response *response, const struct error *err)
{
    struct sim_transport *transport = call->client->transport;
    TAILQ_REMOVE(&transport->calls, call, link);
    transport->counts.calls--;
    call->client->calls--;
    call->done(call->ctx, response, err); // may free the client
    free(call->path);
    free(call->headers);
    free(call->body);
    free(call);
}

static void break_off(struct http_call *call, int code)
{
    struct error err;
    (void)error_set(&err, ERROR_TRANSIENT, code, "%s %.*s: %s", call->method,
                    (int)strcspn(call->path, "?"), call->path, strerror(code));
    finish(call, NULL, &err);
}

// One that was cancelled gets nothing more but that.
static struct http_call *find(const struct sim_transport *transport, uint64_t id)
{
    struct http_call *call;
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        if (call->id == id) {
            return call->refused == 0 ? call : NULL;
        }
    }
    return NULL;
}

bool sim_transport_answer(struct sim_transport *transport, uint64_t id, int status,
                          const char *headers, const char *body, size_t length)
{
    struct http_call *call = find(transport, id);
    if (call == NULL) {
        return false;
    }
    struct http_response response = {.status = status,
                                     .headers = BUF_INIT(HTTP_HEADER_BYTES_MAX),
                                     .body = BUF_INIT(call->max_body)};
    int r = buf_append_str(&response.headers, headers);
    if (r == 0 && call->on_chunk != NULL && status >= 200 && status <= 299) {
        r = length == 0 ? 0 : call->on_chunk(call->ctx, body, length);
    } else if (r == 0) {
        r = buf_append(&response.body, body, length);
    }
    if (call->refused < 0) { // on_chunk has cancelled it
        r = call->refused;
    }
    if (r < 0) {
        break_off(call, -r);
    } else {
        finish(call, &response, NULL);
    }
    buf_done(&response.headers);
    buf_done(&response.body);
    return true;
}

bool sim_transport_chunk(struct sim_transport *transport, uint64_t id, const char *data,
                         size_t length)
{
    struct http_call *call = find(transport, id);
    if (call == NULL) {
        return false;
    }
    int r = call->on_chunk(call->ctx, data, length);
    if (r < 0 && call->refused == 0) {
        call->refused = r;
    }
    return true;
}

bool sim_transport_end(struct sim_transport *transport, uint64_t id, int code)
{
    struct http_call *call = find(transport, id);
    if (call != NULL && code != 0) {
        break_off(call, code);
    } else if (call != NULL) {
        finish(call, &(struct http_response){.status = 200}, NULL);
    }
    return call != NULL;
}

static struct http_call *refused(const struct sim_transport *transport)
{
    struct http_call *call;
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        if (call->refused != 0) {
            return call;
        }
    }
    return NULL;
}

bool sim_transport_is_due(const struct sim_transport *transport)
{
    return refused(transport) != NULL;
}

bool sim_transport_settle(struct sim_transport *transport)
{
    struct http_call *call = refused(transport);
    if (call != NULL) {
        break_off(call, -call->refused);
    }
    return call != NULL;
}

bool sim_transport_next(struct sim_transport *transport, struct sim_request *ret)
{
    struct http_call *call;
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        if (call->taken || call->refused != 0) {
            continue;
        }
        call->taken = true;
        *ret = (struct sim_request){
            .id = call->id,
            .endpoint = call->client->endpoint,
            .method = call->method,
            .path = call->path,
            .headers = call->headers,
            .body = call->body,
            .body_length = call->body_length,
            .timeout_ms = call->timeout_ms,
            .is_stream = call->on_chunk != NULL,
        };
        return true;
    }
    return false;
}

void sim_transport_count(const struct sim_transport *transport, struct sim_counts *ret)
{
    *ret = transport->counts;
}

struct sim_transport *sim_transport_new(void)
{
    struct sim_transport *transport = xcalloc(1, sizeof(*transport));
    transport->base.client_new = client_new;
    TAILQ_INIT(&transport->calls);
    return transport;
}

void sim_transport_free(struct sim_transport *transport)
{
    assert(transport->counts.clients == 0);
    free(transport);
}

struct http_transport *sim_transport_base(struct sim_transport *transport)
{
    return &transport->base;
}
