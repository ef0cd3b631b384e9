// The transport, its clients and their calls. curl's callbacks only store: no request may be made
// or ended from inside them. Whoever waits is told from the loop (deliver).
//
// Each client has connections of its own, since with each request curl walks through all those of
// its multi handle.
#include "lib/http/curl_transport.h"

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/http/curl_error.h"
#include "lib/http/curl_loop.h"
#include "lib/http/curl_origin.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/param.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 10000L // or the request's, if that is sooner
// Bytes of a stream between two turns of the loop. curl reads at most 100 buffers in a row.
#define STREAM_PENDING_MAX (8u * 1024u * 1024u)
// curl's buffers, of each call that is under way: there are a dozen at once, and a stream waits
// with its own for minutes. An event has a few KiB.
#define RECEIVE_BUFFER_BYTES 4096L
#define SEND_BUFFER_BYTES 16384L // the least that curl takes

struct curl_transport {
    struct http_transport transport; // first
    uv_loop_t *loop;
    unsigned clients;
};

struct curl_client {
    struct http_client client; // first
    struct curl_transport *transport;
    struct curl_origin origin;
    struct curl_loop *loop;
    CURLSH *share;  // of TLS sessions: by itself each call of curl 7.88 has its own
    uv_idle_t idle; // runs while `ready` has calls; the client goes with it
    LIST_HEAD(http_call_list, http_call) active; // calls that curl knows
    TAILQ_HEAD(queue, http_call) ready;          // those that have something to deliver
    unsigned calls;                              // whose `done` has not begun
};

struct http_call {
    struct curl_client *client; // NULL from the moment `done` runs
    CURL *easy;
    bool active;
    bool ready;
    LIST_ENTRY(http_call) active_link;
    TAILQ_ENTRY(http_call) ready_link;
    struct curl_slist *headers; // not copied by curl
    char *label;                // "GET /path?query", for the log
    uint64_t timeout_ms;
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    struct http_response response;
    bool headers_complete; // of the last answer, not of an interim one
    struct buf chunk;      // streamed, not yet handed to on_chunk
    int socket_errno;      // why there is no socket, 0: there is, or none was needed
    struct error err;      // why there is no answer; kind ERROR_NONE: there is one
    char detail[CURL_ERROR_SIZE];
};

static void call_free(struct http_call *call)
{
    if (call != NULL) {
        curl_easy_cleanup(call->easy);
        curl_slist_free_all(call->headers);
        buf_done(&call->response.headers);
        buf_done(&call->response.body);
        buf_done(&call->chunk);
        free(call->label);
        free(call);
    }
}
DEFINE_CLEANUP(struct http_call *, call_free)

// ---- its end, told from the loop

static void deliver(struct http_call *call);

static void on_idle(uv_idle_t *idle)
{
    struct curl_client *client = idle->data;
    // One batch a turn, so that calls which end at once cannot starve the loop.
    struct queue batch = TAILQ_HEAD_INITIALIZER(batch);
    TAILQ_CONCAT(&batch, &client->ready, ready_link);
    struct http_call *call;
    while ((call = TAILQ_FIRST(&batch)) != NULL) {
        TAILQ_REMOVE(&batch, call, ready_link);
        call->ready = false;
        deliver(call);
    }
    if (TAILQ_EMPTY(&client->ready)) {
        (void)uv_idle_stop(idle);
    }
}

static void deliver_later(struct http_call *call)
{
    if (!call->ready) {
        call->ready = true;
        TAILQ_INSERT_TAIL(&call->client->ready, call, ready_link);
        (void)uv_idle_start(&call->client->idle, on_idle);
    }
}

static void call_end(struct http_call *call)
{
    if (call->active) {
        call->active = false;
        LIST_REMOVE(call, active_link);
        curl_loop_remove(call->client->loop, call->easy);
    }
    deliver_later(call);
}

static void deliver_chunk(struct http_call *call)
{
    _cleanup_buf_ struct buf chunk = TAKE(call->chunk, BUF_INIT(STREAM_PENDING_MAX));
    int r = call->on_chunk(call->ctx, chunk.data, chunk.length);
    if (r < 0 && call->err.code != ECANCELED) {
        (void)error_set(&call->err, ERROR_TRANSIENT, -r, "its reader gave up: %s",
                        strerrordesc_np(-r));
        call_end(call);
    }
}

static void deliver(struct http_call *call)
{
    if (call->chunk.length > 0) {
        deliver_chunk(call);
    }
    // The end may have come just now, then the call is to be delivered once more.
    if (call->active || call->ready) {
        return;
    }
    // From here the call needs its client no more, which its owner may free.
    curl_easy_cleanup(TAKE_PTR(call->easy));
    TAKE_PTR(call->client)->calls--;
    bool answered = call->err.kind == ERROR_NONE;
    call->done(call->ctx, answered ? &call->response : NULL, answered ? NULL : &call->err);
    call_free(call);
}

static void call_ended(struct http_call *call, CURLcode result)
{
    log_debug("http: %s: %d %s", call->label, call->response.status, curl_easy_strerror(result));
    if (result == CURLE_OK && !call->headers_complete) {
        // curl takes a connection closed amid the headers for an answer.
        result = CURLE_PARTIAL_FILE;
    }
    // What a callback of ours refused is explained already.
    if (result != CURLE_OK && call->err.kind == ERROR_NONE) {
        long os_errno = 0;
        curl_off_t begun = 0;
        (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
        (void)curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &begun);
        bool whole = begun > 0 || (call->timeout_ms > 0 && call->timeout_ms < CONNECT_TIMEOUT_MS);
        const struct curl_failure failure = {
            .result = result,
            .os_errno = call->socket_errno > 0 ? call->socket_errno : (int)os_errno,
            .connected = begun > 0,
            .timeout_ms = whole ? call->timeout_ms : CONNECT_TIMEOUT_MS,
            .target = call->client->origin.target,
            .detail = call->detail,
        };
        (void)curl_failure_explain(&failure, &call->err);
    }
    call_end(call);
}

static void on_ended(void *ctx, CURL *easy, CURLcode result)
{
    struct curl_client *client = ctx;
    if (easy != NULL) {
        char *call = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
        call_ended((struct http_call *)(void *)call, result);
        return;
    }
    while (!LIST_EMPTY(&client->active)) {
        call_ended(LIST_FIRST(&client->active), result);
    }
}

// ---- curl's callbacks

// Ends the transfer, and err says why.
static size_t refuse(struct http_call *call, const char *what, size_t max)
{
    (void)error_set(&call->err, ERROR_TRANSIENT, EFBIG, "%s than %zu", what, max);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t length = size * count;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        // Of several answers (100 Continue) the last one counts.
        long status = 0;
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        buf_done(&call->response.headers);
        call->headers_complete = false;
        call->response.status = (int)status;
    } else if (line[0] == '\r' || line[0] == '\n') {
        call->headers_complete = call->response.status >= 200;
    } else if (buf_append(&call->response.headers, line, length) < 0) {
        return refuse(call, "answer's headers have more bytes", HTTP_HEADER_BYTES_MAX);
    }
    return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t length = size * count;
    bool success = call->response.status >= 200 && call->response.status < 300;
    bool stream = call->on_chunk != NULL && success;
    struct buf *buf = stream ? &call->chunk : &call->response.body;
    if (buf_append(buf, data, length) < 0) {
        return refuse(call, "answer has more bytes", buf->max);
    }
    if (stream) {
        deliver_later(call);
    }
    return length;
}

// As curl does by itself, but it does not tell why there is no socket.
static curl_socket_t on_open_socket(void *ctx, _unused_ curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct http_call *call = ctx;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    call->socket_errno = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

// ---- a call

static void add_header(struct http_call *call, const char *name, const char *value)
{
    _cleanup_free_ char *line = str_printf("%s%s", name, value);
    call->headers = curl_slist_append(call->headers, line);
}

static CURLcode set_request(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    CURLcode code = CURLE_OK;
    bool has_body = request->method == HTTP_POST || request->method == HTTP_PUT ||
                    request->method == HTTP_PATCH || request->body_length > 0;
    if (request->method == HTTP_HEAD) {
        CURL_SET(CURLOPT_NOBODY, 1L);
    } else {
        CURL_SET(CURLOPT_CUSTOMREQUEST, http_method_name(request->method));
    }
    add_header(call, "User-Agent: hostk8s-registryd/", PROGRAM_VERSION);
    if (call->client->origin.authorization != NULL) {
        add_header(call, call->client->origin.authorization, "");
    }
    if (request->accept != NULL) {
        add_header(call, "Accept: ", request->accept);
    }
    if (has_body) {
        add_header(call, "Expect:", ""); // none
        // Without a type none as well, and not curl's own.
        add_header(call,
                   "Content-Type: ", request->content_type == NULL ? "" : request->content_type);
        CURL_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        CURL_SET(CURLOPT_COPYPOSTFIELDS, request->body_length > 0 ? request->body : "");
    }
    CURL_SET(CURLOPT_HTTPHEADER, call->headers);
    CURL_SET(CURLOPT_REQUEST_TARGET, request->path);
    return code;
}

static CURLcode set_options(struct http_call *call)
{
    CURL *easy = call->easy;
    CURLcode code = curl_origin_apply(&call->client->origin, easy);
    CURL_SET(CURLOPT_SHARE, call->client->share);
    CURL_SET(CURLOPT_PRIVATE, call);
    CURL_SET(CURLOPT_ERRORBUFFER, call->detail);
    CURL_SET(CURLOPT_HEADERFUNCTION, on_header);
    CURL_SET(CURLOPT_HEADERDATA, call);
    CURL_SET(CURLOPT_WRITEFUNCTION, on_body);
    CURL_SET(CURLOPT_WRITEDATA, call);
    CURL_SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    CURL_SET(CURLOPT_OPENSOCKETDATA, call);
    CURL_SET(CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    CURL_SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    CURL_SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    CURL_SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
    return code;
}

static int client_send(struct http_client *client, const struct http_request *request,
                       struct http_call **ret, struct error *err)
{
    struct curl_client *self = (struct curl_client *)client;
    uint64_t timeout_ms = MIN(request->timeout_ms, INT_MAX);
    size_t max_body = request->max_body > 0 ? request->max_body : HTTP_BODY_MAX_DEFAULT;
    _cleanup_(call_freep) struct http_call *call = xcalloc(1, sizeof(*call));
    *call = (struct http_call){
        .client = self,
        .easy = curl_easy_init(),
        .label = str_printf("%s %s", http_method_name(request->method), request->path),
        .timeout_ms = timeout_ms,
        .on_chunk = request->on_chunk,
        .done = request->done,
        .ctx = request->ctx,
        .response = {.headers = BUF_INIT(HTTP_HEADER_BYTES_MAX), .body = BUF_INIT(max_body)},
        .chunk = BUF_INIT(STREAM_PENDING_MAX),
    };
    CURLcode code = set_options(call);
    code = code != CURLE_OK ? code : set_request(call, request);
    if (code != CURLE_OK || curl_loop_add(self->loop, call->easy) != CURLM_OK) {
        return error_set(err, ERROR_PERMANENT, ENOTSUP, "libcurl: %s", curl_easy_strerror(code));
    }
    call->active = true;
    LIST_INSERT_HEAD(&self->active, call, active_link);
    self->calls++;
    if (ret != NULL) {
        *ret = call;
    }
    (void)TAKE_PTR(call);
    return 0;
}

static void client_cancel(_unused_ struct http_client *client, struct http_call *call)
{
    if (call->client == NULL) {
        return; // its `done` is what runs right now
    }
    buf_done(&call->chunk);
    (void)error_set(&call->err, ERROR_TRANSIENT, ECANCELED, "cancelled");
    call_end(call);
}

// ---- clients

static void on_closed(uv_handle_t *idle)
{
    free(idle->data);
}

static void client_free(struct http_client *client)
{
    struct curl_client *self = (struct curl_client *)client;
    assert(self->calls == 0);
    curl_loop_free(self->loop);
    (void)curl_share_cleanup(self->share);
    curl_origin_done(&self->origin);
    self->transport->clients--;
    uv_close((uv_handle_t *)&self->idle, on_closed);
}

static int client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                      struct http_client **ret, struct error *err)
{
    struct curl_transport *owner = (struct curl_transport *)transport;
    struct curl_origin origin;
    int r = curl_origin_init(&origin, endpoint, err);
    if (r < 0) {
        return r;
    }
    struct curl_client *self = xcalloc(1, sizeof(*self));
    self->client = (struct http_client){client_send, client_cancel, client_free};
    self->transport = owner;
    self->origin = origin;
    self->loop = curl_loop_new(owner->loop, on_ended, self);
    self->share = curl_share_init();
    (void)curl_share_setopt(self->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    LIST_INIT(&self->active);
    TAILQ_INIT(&self->ready);
    (void)uv_idle_init(owner->loop, &self->idle); // does not fail
    self->idle.data = self;
    owner->clients++;
    *ret = &self->client;
    return 0;
}

int curl_transport_new(uv_loop_t *loop, struct http_transport **ret, struct error *err)
{
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, xmalloc, free, xrealloc, str_dup, xcalloc) !=
        CURLE_OK) {
        return error_set(err, ERROR_FATAL, EIO, "libcurl cannot be initialised");
    }
    struct curl_transport *transport = xcalloc(1, sizeof(*transport));
    transport->transport.client_new = client_new;
    transport->loop = loop;
    *ret = &transport->transport;
    return 0;
}

void curl_transport_close(struct http_transport *transport)
{
    if (transport != NULL) {
        assert(((struct curl_transport *)transport)->clients == 0);
        curl_global_cleanup();
        free(transport);
    }
}
