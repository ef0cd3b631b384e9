#include "tests/support/fake_transport.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEADERS_MAX (64u * 1024u)

struct fake_client {
    struct http_client client;
    struct fake_transport *fake;
    size_t endpoint;
};

struct http_call {
    struct fake_request request;
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    int refused; // -errno of on_chunk
};

struct fake_transport {
    struct http_transport transport;
    struct http_call **calls;
    size_t call_count;
    struct fake_answer *script; // their strings are owned
    size_t script_count;
    size_t script_next;
    struct fake_endpoint *endpoints;
    size_t endpoint_count;
    size_t refuse_count;
    int refuse_code;
};

static void call_free(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    free(call->request.path);
    free(call->request.headers);
    free(call->request.content_type);
    free(call->request.body);
    free(call);
}
DEFINE_CLEANUP(struct http_call *, call_free)

static char *headers_copy(const struct http_request *request)
{
    _cleanup_buf_ struct buf text = BUF_INIT(HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        if (buf_printf(&text, "%s: %s\n", request->headers[i].name, request->headers[i].value) <
            0) {
            return NULL;
        }
    }
    return buf_take(&text);
}

static int fake_send(struct http_client *client, const struct http_request *request,
                     struct http_call **ret, struct error *err)
{
    struct fake_client *from = (struct fake_client *)client;
    struct fake_transport *fake = from->fake;
    if (fake->refuse_count > 0) {
        fake->refuse_count--;
        return error_set(err, ERROR_TRANSIENT, fake->refuse_code, "refused by the test");
    }
    assert_non_null(request->path);
    assert_int_equal(request->path[0], '/');
    assert_non_null(request->done);

    _cleanup_(call_freep) struct http_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return error_oom(err);
    }
    *call = (struct http_call){
        .request = {.method = request->method,
                    .path = str_dup(request->path),
                    .headers = headers_copy(request),
                    .content_type = str_dup(request->content_type),
                    .body = str_dup_n(request->body == NULL ? "" : request->body,
                                      request->body == NULL ? 0 : request->body_length),
                    .body_length = request->body_length,
                    .timeout_ms = request->timeout_ms,
                    .max_body = request->max_body,
                    .streamed = request->on_chunk != NULL,
                    .endpoint = from->endpoint},
        .on_chunk = request->on_chunk,
        .done = request->done,
        .ctx = request->ctx,
    };
    if (call->request.path == NULL || call->request.headers == NULL || call->request.body == NULL ||
        (request->content_type != NULL && call->request.content_type == NULL)) {
        return error_oom(err);
    }
    struct http_call **calls =
        realloc(fake->calls, (fake->call_count + 1) * sizeof(struct http_call *));
    if (calls == NULL) {
        return error_oom(err);
    }
    fake->calls = calls;
    if (ret != NULL) {
        *ret = call;
    }
    fake->calls[fake->call_count++] = TAKE_PTR(call);
    return 0;
}

static void fake_cancel(struct http_client *client, struct http_call *call)
{
    (void)client;
    assert_false(call->request.done);
    call->request.cancelled = true;
}

static void fake_client_free(struct http_client *client)
{
    struct fake_client *self = (struct fake_client *)client;
    const struct fake_transport *fake = self->fake;
    for (size_t i = 0; i < fake->call_count; i++) {
        if (fake->calls[i]->request.endpoint == self->endpoint) {
            assert_true(fake->calls[i]->request.done);
        }
    }
    assert_false(fake->endpoints[self->endpoint].freed);
    fake->endpoints[self->endpoint].freed = true;
    free(self);
}

static const struct http_client_ops fake_ops = {
    .send = fake_send,
    .cancel = fake_cancel,
    .free = fake_client_free,
};

#define ENDPOINT_STRINGS 7

static void endpoint_done(struct fake_endpoint *endpoint)
{
    free(endpoint->unix_socket);
    free(endpoint->base);
    free(endpoint->ca_pem);
    free(endpoint->cert_pem);
    free(endpoint->key_pem);
    free(endpoint->bearer_token);
    free(endpoint->tls_server_name);
}

static int endpoint_copy(const struct http_endpoint *from, struct fake_endpoint *ret)
{
    const char *const strings[ENDPOINT_STRINGS] = {
        from->unix_socket, from->base,         from->ca_pem,         from->cert_pem,
        from->key_pem,     from->bearer_token, from->tls_server_name};
    struct fake_endpoint copy = {0};
    char **const copies[ENDPOINT_STRINGS] = {
        &copy.unix_socket, &copy.base,         &copy.ca_pem,         &copy.cert_pem,
        &copy.key_pem,     &copy.bearer_token, &copy.tls_server_name};
    for (size_t i = 0; i < ENDPOINT_STRINGS; i++) {
        if (str_replace(copies[i], strings[i]) < 0) {
            endpoint_done(&copy);
            return -ENOMEM;
        }
    }
    *ret = copy;
    return 0;
}

static int fake_client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                           struct http_client **ret, struct error *err)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    assert_non_null(endpoint->base);

    _cleanup_free_ struct fake_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return error_oom(err);
    }
    struct fake_endpoint *endpoints =
        realloc(fake->endpoints, (fake->endpoint_count + 1) * sizeof(*endpoints));
    if (endpoints == NULL) {
        return error_oom(err);
    }
    fake->endpoints = endpoints;
    if (endpoint_copy(endpoint, &fake->endpoints[fake->endpoint_count]) < 0) {
        return error_oom(err);
    }
    *client = (struct fake_client){
        .client = {.ops = &fake_ops}, .fake = fake, .endpoint = fake->endpoint_count};
    fake->endpoint_count++;
    *ret = &TAKE_PTR(client)->client;
    return 0;
}

struct fake_transport *fake_transport_new(void)
{
    struct fake_transport *fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->transport.client_new = fake_client_new;
    return fake;
}

void fake_transport_free(struct fake_transport *fake)
{
    if (fake == NULL) {
        return;
    }
    for (size_t i = 0; i < fake->endpoint_count; i++) {
        assert_true(fake->endpoints[i].freed);
        endpoint_done(&fake->endpoints[i]);
    }
    for (size_t i = 0; i < fake->call_count; i++) {
        call_free(fake->calls[i]);
    }
    for (size_t i = 0; i < fake->script_count; i++) {
        free((char *)fake->script[i].headers);
        free((char *)fake->script[i].body);
    }
    free(fake->endpoints);
    free(fake->calls);
    free(fake->script);
    free(fake);
}

struct http_transport *fake_transport_http(struct fake_transport *fake)
{
    return &fake->transport;
}

void fake_transport_answer(struct fake_transport *fake, const struct fake_answer *answer)
{
    assert_true(answer->status != 0 || answer->error.kind != ERROR_NONE);
    struct fake_answer *script = realloc(fake->script, (fake->script_count + 1) * sizeof(*script));
    assert_non_null(script);
    fake->script = script;

    struct fake_answer copy = *answer;
    const char *body = answer->body == NULL ? "" : answer->body;
    copy.length = answer->length == 0 ? strlen(body) : answer->length;
    copy.headers = str_dup(answer->headers == NULL ? "" : answer->headers);
    copy.body = str_dup_n(body, copy.length);
    assert_non_null(copy.headers);
    assert_non_null(copy.body);
    fake->script[fake->script_count++] = copy;
}

void fake_transport_reply(struct fake_transport *fake, int status, const char *body)
{
    fake_transport_answer(fake, &(struct fake_answer){.status = status, .body = body});
}

void fake_transport_fail(struct fake_transport *fake, enum error_kind kind, int code,
                         const char *text)
{
    struct fake_answer answer = {0};
    (void)error_set(&answer.error, kind, code, "%s", text);
    fake_transport_answer(fake, &answer);
}

static void refused_error(struct error *err, int refused)
{
    (void)error_set(err, ERROR_TRANSIENT, -refused, "stopped by its reader");
}

// Streams the body in pieces; false when the exchange ended in err.
static bool deliver_body(struct http_call *call, const struct fake_answer *answer,
                         struct http_response *response, struct error *err)
{
    if (call->on_chunk == NULL || answer->status < 200 || answer->status > 299) {
        size_t max = call->request.max_body == 0 ? HTTP_BODY_MAX_DEFAULT : call->request.max_body;
        response->body = BUF_INIT(max);
        int r = buf_append(&response->body, answer->body, answer->length);
        if (r == -ENOMEM) {
            (void)error_oom(err);
        } else if (r < 0) {
            (void)error_set(err, ERROR_TRANSIENT, -r, "answer above %zu bytes", max);
        }
        return r == 0;
    }
    size_t step = answer->chunk == 0 ? answer->length : answer->chunk;
    for (size_t at = 0; at < answer->length; at += step) {
        size_t length = answer->length - at < step ? answer->length - at : step;
        // The piece is a copy of its own, so that reading beyond its end shows.
        _cleanup_free_ char *piece = malloc(length);
        if (piece == NULL) {
            (void)error_oom(err);
            return false;
        }
        memcpy(piece, answer->body + at, length);
        int r = call->on_chunk(call->ctx, piece, length);
        if (r < 0) {
            refused_error(err, r);
            return false;
        }
    }
    return true;
}

static void deliver(struct http_call *call, const struct fake_answer *answer)
{
    struct http_response response = {.status = answer->status,
                                     .headers = BUF_INIT(HTTP_HEADER_BYTES_MAX)};
    struct error err = answer->error;
    bool complete = false;
    if (answer->status != 0) {
        if (buf_append_str(&response.headers, answer->headers) < 0) {
            (void)error_oom(&err);
        } else if (deliver_body(call, answer, &response, &err)) {
            complete = answer->error.kind == ERROR_NONE;
        }
    }
    call->request.done = true;
    call->done(call->ctx, complete ? &response : NULL, complete ? NULL : &err);
    buf_done(&response.headers);
    buf_done(&response.body);
}

bool fake_transport_step(struct fake_transport *fake)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        struct http_call *call = fake->calls[i];
        if (call->request.done) {
            continue;
        }
        if (call->request.cancelled || call->refused < 0) {
            struct fake_answer end = {0};
            if (call->request.cancelled) {
                (void)error_set(&end.error, ERROR_TRANSIENT, ECANCELED, "cancelled");
            } else {
                refused_error(&end.error, call->refused);
            }
            deliver(call, &end);
            return true;
        }
        if (fake->script_next < fake->script_count) {
            // A copy: `done` may lengthen the script.
            struct fake_answer answer = fake->script[fake->script_next++];
            deliver(call, &answer);
            return true;
        }
    }
    return false;
}

size_t fake_transport_run(struct fake_transport *fake)
{
    size_t count = 0;
    while (fake_transport_step(fake)) {
        count++;
    }
    return count;
}

void fake_transport_push(struct fake_transport *fake, size_t request, const char *data,
                         size_t length)
{
    assert_true(request < fake->call_count);
    struct http_call *call = fake->calls[request];
    assert_false(call->request.done);
    assert_true(call->on_chunk != NULL);
    if (call->refused == 0 && !call->request.cancelled) {
        int r = call->on_chunk(call->ctx, data, length);
        call->refused = r < 0 ? r : 0;
    }
}

void fake_transport_refuse(struct fake_transport *fake, size_t count, int code)
{
    fake->refuse_count = count;
    fake->refuse_code = code;
}

size_t fake_transport_count(const struct fake_transport *fake)
{
    return fake->call_count;
}

size_t fake_transport_under_way(const struct fake_transport *fake)
{
    size_t count = 0;
    for (size_t i = 0; i < fake->call_count; i++) {
        count += !fake->calls[i]->request.done;
    }
    return count;
}

const struct fake_request *fake_transport_request(const struct fake_transport *fake, size_t index)
{
    assert_true(index < fake->call_count);
    return &fake->calls[index]->request;
}

const struct fake_request *fake_transport_last(const struct fake_transport *fake)
{
    assert_true(fake->call_count > 0);
    return &fake->calls[fake->call_count - 1]->request;
}

size_t fake_transport_endpoint_count(const struct fake_transport *fake)
{
    return fake->endpoint_count;
}

const struct fake_endpoint *fake_transport_endpoint(const struct fake_transport *fake, size_t index)
{
    assert_true(index < fake->endpoint_count);
    return &fake->endpoints[index];
}
