// One request: its options, what curl hands over, and its end. curl's callbacks only store, since
// no curl function may be called from them; whoever waits is told by curl_call_deliver.
#include "lib/http/curl_internal.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

// What of a path an error names.
#define LABEL_PATH_MAX 200
// Bytes of a stream between two turns of the loop. curl reads at most 100 times 16 KiB in a row.
#define STREAM_PENDING_MAX (8u * 1024u * 1024u)

static const struct {
    const char *name;
    bool body; // always sent, if only an empty one
} methods[] = {
    [HTTP_GET] = {"GET", false}, [HTTP_HEAD] = {"HEAD", false},  [HTTP_POST] = {"POST", true},
    [HTTP_PUT] = {"PUT", true},  [HTTP_PATCH] = {"PATCH", true}, [HTTP_DELETE] = {"DELETE", false},
};

static bool status_is_success(const struct http_call *call)
{
    return call->response.status >= 200 && call->response.status < 300;
}

// Both callbacks below: anything but the length ends the transfer, and err says why.
static size_t store_failed(struct http_call *call, int r, const char *what, size_t max)
{
    if (r == -EFBIG) {
        (void)error_set(&call->err, ERROR_TRANSIENT, EFBIG, "%s: %s than %zu", call->label, what,
                        max);
    } else {
        (void)error_oom(&call->err);
    }
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
        call->header_count = 0;
        call->headers_complete = false;
        call->response.status = (int)status;
        return length;
    }
    if (line[0] == '\r' || line[0] == '\n') {
        call->headers_complete = call->response.status >= 200;
        return length;
    }
    call->header_count++;
    if (call->header_count > HTTP_HEADERS_MAX) {
        return store_failed(call, -EFBIG, "answer has more headers", HTTP_HEADERS_MAX);
    }
    int r = buf_append(&call->response.headers, line, length);
    return r < 0 ? store_failed(call, r, "answer's headers have more bytes", HTTP_HEADER_BYTES_MAX)
                 : length;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t length = size * count;
    bool stream = call->on_chunk != NULL && status_is_success(call);
    struct buf *buf = stream ? &call->chunk : &call->response.body;
    int r = buf_append(buf, data, length);
    if (r < 0) {
        return store_failed(call, r, "answer has more bytes", buf->max);
    }
    if (stream) {
        curl_driver_deliver_later(call->client->driver, call);
    }
    return length;
}

// As curl does by itself, but it does not tell why there is no socket.
static curl_socket_t on_open_socket(void *ctx, _unused_ curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct http_call *call = ctx;
    curl_socket_t fd = curl_socket_open(call->client->driver, address);
    call->socket_errno = fd == CURL_SOCKET_BAD ? errno : 0;
    return fd;
}

static int append_line(struct curl_slist **list, const char *line, struct error *err)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return error_oom(err);
    }
    *list = longer;
    return 0;
}

static int append_header(struct curl_slist **list, const char *name, const char *value,
                         struct error *err)
{
    // "Name:" would take the header away, "Name;" sends it empty (CURLOPT_HTTPHEADER(3)).
    _cleanup_free_ char *line =
        value[0] == '\0' ? str_printf("%s;", name) : str_printf("%s: %s", name, value);
    return line == NULL ? error_oom(err) : append_line(list, line, err);
}

static bool has_body(const struct http_request *request)
{
    return methods[request->method].body || request->body_length > 0;
}

static int call_set_headers(struct http_call *call, const struct http_request *request,
                            struct error *err)
{
    // Not CURLOPT_USERAGENT: curl would put that together letter by letter, twice for each request.
    int r = append_line(&call->headers, "User-Agent: hostk8s-registryd/" PROGRAM_VERSION, err);
    if (r == 0 && call->client->authorization != NULL) {
        r = append_line(&call->headers, call->client->authorization, err);
    }
    if (r == 0 && has_body(request)) {
        r = append_line(&call->headers, "Expect:", err);
    }
    if (r == 0 && has_body(request)) {
        // Without a value curl's own for a POST is left out.
        r = request->content_type == NULL
                ? append_line(&call->headers, "Content-Type:", err)
                : append_header(&call->headers, "Content-Type", request->content_type, err);
    }
    for (size_t i = 0; r == 0 && i < request->header_count; i++) {
        r = append_header(&call->headers, request->headers[i].name, request->headers[i].value, err);
    }
    return r;
}

// The handle may have another request's method yet: HTTPGET undoes NOBODY and POST.
static CURLcode set_method(const struct http_call *call, const struct http_request *request)
{
    bool head = request->method == HTTP_HEAD;
    CURLcode code = curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L);
    if (code == CURLE_OK && head) {
        code = curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
    }
    if (code == CURLE_OK && has_body(request)) {
        code = curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)request->body_length);
        if (code == CURLE_OK) {
            code = curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS,
                                    request->body_length > 0 ? request->body : "");
        }
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST,
                                head ? NULL : methods[request->method].name);
    }
    return code;
}

static long to_timeout(uint64_t ms)
{
    return ms < INT_MAX ? (long)ms : INT_MAX;
}

static CURLcode call_configure(struct http_call *call, const char *target)
{
    const struct {
        CURLoption option;
        void *value;
    } pointers[] = {
        {CURLOPT_PRIVATE, call},
        {CURLOPT_HEADERDATA, call},
        {CURLOPT_WRITEDATA, call},
        {CURLOPT_HTTPHEADER, call->headers},
        {CURLOPT_ERRORBUFFER, call->detail},
        {CURLOPT_OPENSOCKETDATA, call},
    };
    CURLcode code = curl_easy_setopt(call->easy, CURLOPT_REQUEST_TARGET, target);
    for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(pointers); i++) {
        code = curl_easy_setopt(call->easy, pointers[i].option, pointers[i].value);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_header);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, to_timeout(call->timeout_ms));
    }
    if (code == CURLE_OK) {
        code =
            curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, to_timeout(call->connect_ms));
    }
    return code;
}

static int call_prepare(struct http_call *call, const struct http_request *request,
                        struct error *err)
{
    _cleanup_free_ char *target = str_printf("%s%s", call->client->path, request->path);
    call->label = str_printf("%s %.*s", methods[request->method].name,
                             (int)strnlen(request->path, LABEL_PATH_MAX), request->path);
    if (target == NULL || call->label == NULL) {
        return error_oom(err);
    }
    call->label[strcspn(call->label, "?")] = '\0';
    int r = call_set_headers(call, request, err);
    if (r < 0) {
        return r;
    }
    CURLcode code = curl_client_take_easy(call->client, &call->easy);
    if (code == CURLE_OK) {
        code = call_configure(call, target);
    }
    if (code == CURLE_OK) {
        code = set_method(call, request);
    }
    if (code == CURLE_OUT_OF_MEMORY) {
        return error_oom(err);
    }
    return code == CURLE_OK ? 0
                            : error_set(err, ERROR_PERMANENT, ENOTSUP, "%s: libcurl: %s",
                                        call->label, curl_easy_strerror(code));
}

int curl_call_new(struct curl_client *client, const struct http_request *request,
                  struct http_call **ret, struct error *err)
{
    _cleanup_(curl_call_freep) struct http_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return error_oom(err);
    }
    size_t max_body = request->max_body > 0 ? request->max_body : HTTP_BODY_MAX_DEFAULT;
    bool bounded = request->timeout_ms > 0 && request->timeout_ms < CONNECT_TIMEOUT_MAX_MS;
    call->client = client;
    call->timeout_ms = request->timeout_ms;
    call->connect_ms = bounded ? request->timeout_ms : CONNECT_TIMEOUT_MAX_MS;
    call->on_chunk = request->on_chunk;
    call->done = request->done;
    call->ctx = request->ctx;
    call->response.headers = BUF_INIT(HTTP_HEADER_BYTES_MAX);
    call->response.body = BUF_INIT(max_body);
    call->chunk = BUF_INIT(STREAM_PENDING_MAX);
    client->calls++;
    int r = call_prepare(call, request, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(call);
    return 0;
}

// From here the call needs its client no more, which its owner may free.
static void call_leave_client(struct http_call *call)
{
    curl_client_give_easy(call->client, TAKE_PTR(call->easy));
    call->client->calls--;
    call->client = NULL;
}

void curl_call_free(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    if (call->client != NULL) {
        call_leave_client(call);
    }
    curl_slist_free_all(call->headers);
    buf_done(&call->response.headers);
    buf_done(&call->response.body);
    buf_done(&call->chunk);
    free(call->label);
    free(call);
}

bool curl_call_is_connected(const struct http_call *call)
{
    curl_off_t begun = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &begun);
    return begun > 0;
}

void curl_call_finished(struct http_call *call, CURLcode result)
{
    log_debug("http: %s: %d %s", call->label, call->response.status, curl_easy_strerror(result));
    if (result == CURLE_OK && !call->headers_complete) {
        result =
            CURLE_PARTIAL_FILE; // curl takes a connection closed amid the headers for an answer
    }
    // What a callback of ours refused is explained already.
    if (result == CURLE_OK || call->err.kind != ERROR_NONE) {
        return;
    }
    long os_errno = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct curl_failure failure = {
        .result = result,
        .os_errno = call->socket_errno > 0 ? call->socket_errno : (int)os_errno,
        .connected = curl_call_is_connected(call),
        .timeout_ms = call->timeout_ms,
        .connect_ms = call->connect_ms,
        .label = call->label,
        .target = call->client->target,
        .detail = call->detail,
    };
    (void)curl_failure_explain(&failure, &call->err);
}

void curl_call_cancel(struct http_call *call)
{
    if (call->client == NULL) {
        return; // its `done` is what runs right now
    }
    buf_done(&call->chunk);
    (void)error_set(&call->err, ERROR_TRANSIENT, ECANCELED, "%s: cancelled", call->label);
    curl_driver_end(call->client->driver, call);
}

static void deliver_chunk(struct http_call *call)
{
    struct buf chunk = call->chunk;
    call->chunk = BUF_INIT(STREAM_PENDING_MAX);
    int r = call->on_chunk(call->ctx, chunk.data, chunk.length);
    buf_done(&chunk);
    if (r < 0 && call->err.code != ECANCELED) {
        (void)error_set(&call->err, r == -ENOMEM ? ERROR_FATAL : ERROR_TRANSIENT, -r,
                        "%s: its reader gave up: %s", call->label, strerrordesc_np(-r));
        curl_driver_end(call->client->driver, call);
    }
}

void curl_call_deliver(struct http_call *call)
{
    if (call->chunk.length > 0) {
        deliver_chunk(call);
    }
    // The end may have come just now, then the call is to be delivered once more.
    if (call->active || call->ready) {
        return;
    }
    call_leave_client(call);
    bool answered = call->err.kind == ERROR_NONE;
    call->done(call->ctx, answered ? &call->response : NULL, answered ? NULL : &call->err);
    curl_call_free(call);
}
