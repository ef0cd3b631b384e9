#include "tests/support/fake_transport.h"

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fake_client {
    struct http_client client; // first
    struct fake_transport *fake;
    size_t endpoint;
};

struct http_call {
    struct fake_transport *fake;
    struct arena arena; // what is copied of it
    bool taken;         // by fake_transport_next
    struct fake_request request;
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    struct error refused; // by on_chunk
};

struct place {
    struct fake_endpoint endpoint;
    struct arena arena; // what is copied of it
};

struct fake_transport {
    struct http_transport transport; // first
    bool forgets;
    struct http_call **calls;
    size_t call_count;
    size_t sent;
    struct arena arena; // the script's
    struct fake_answer *script;
    size_t script_count;
    size_t script_next;
    struct place *places;
    size_t place_count;
    size_t refuse_count;
    int refuse_code;
};

// ---- what a client calls

static int fake_send(struct http_client *client, const struct http_request *request,
                     struct http_call **ret, struct error *err)
{
    const struct fake_client *from = (struct fake_client *)client;
    struct fake_transport *fake = from->fake;
    if (fake->refuse_count > 0) {
        fake->refuse_count--;
        return error_set(err, ERROR_TRANSIENT, fake->refuse_code, "refused by the test");
    }
    assert_non_null(request->done);
    struct arena arena = {0};
    const struct fake_request copy = {
        .id = fake->sent++,
        .method = request->method,
        .path = arena_dup(&arena, request->path),
        .accept = arena_dup(&arena, request->accept),
        .content_type = arena_dup(&arena, request->content_type),
        .body =
            arena_dup_n(&arena, request->body == NULL ? "" : request->body, request->body_length),
        .body_length = request->body_length,
        .timeout_ms = request->timeout_ms,
        .max_body = request->max_body,
        .streamed = request->on_chunk != NULL,
        .endpoint = from->endpoint,
    };
    struct http_call *call = xmalloc(sizeof(*call));
    *call = (struct http_call){
        .fake = fake,
        .arena = arena,
        .request = copy,
        .on_chunk = request->on_chunk,
        .done = request->done,
        .ctx = request->ctx,
    };
    *ARRAY_GROW(fake->calls, fake->call_count) = call;
    if (ret != NULL) {
        *ret = call;
    }
    return 0;
}

static void fake_cancel(_unused_ struct http_client *client, struct http_call *call)
{
    assert_false(call->request.done);
    call->request.cancelled = true;
}

static void fake_client_free(struct http_client *client)
{
    struct fake_client *self = (struct fake_client *)client;
    struct fake_transport *fake = self->fake;
    for (size_t i = 0; i < fake->call_count; i++) {
        assert_true(fake->calls[i]->request.done ||
                    fake->calls[i]->request.endpoint != self->endpoint);
    }
    assert_false(fake->places[self->endpoint].endpoint.freed);
    fake->places[self->endpoint].endpoint.freed = true;
    free(self);
}

static int fake_client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                           struct http_client **ret, _unused_ struct error *err)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    size_t index = fake->forgets ? 0 : fake->place_count;
    while (index < fake->place_count && !fake->places[index].endpoint.freed) {
        index++;
    }
    if (index == fake->place_count) {
        *ARRAY_GROW(fake->places, fake->place_count) = (struct place){0};
    }
    struct arena *arena = &fake->places[index].arena;
    struct fake_client *client = xmalloc(sizeof(*client));
    *client = (struct fake_client){{fake_send, fake_cancel, fake_client_free}, fake, index};
    arena_done(arena);
    fake->places[index].endpoint = (struct fake_endpoint){
        .unix_socket = arena_dup(arena, endpoint->unix_socket),
        .base = arena_dup(arena, endpoint->base),
        .ca_pem = arena_dup(arena, endpoint->ca_pem),
        .cert_pem = arena_dup(arena, endpoint->cert_pem),
        .key_pem = arena_dup(arena, endpoint->key_pem),
        .bearer_token = arena_dup(arena, endpoint->bearer_token),
        .tls_server_name = arena_dup(arena, endpoint->tls_server_name),
    };
    *ret = &client->client;
    return 0;
}

struct fake_transport *fake_transport_new(void)
{
    struct fake_transport *fake = xcalloc(1, sizeof(*fake));
    fake->transport.client_new = fake_client_new;
    return fake;
}

void fake_transport_forget(struct fake_transport *fake)
{
    fake->forgets = true;
}

static void free_call(struct http_call *call)
{
    arena_done(&call->arena);
    free(call);
}

void fake_transport_free(struct fake_transport *fake)
{
    assert_int_equal(fake_transport_clients(fake), 0);
    for (size_t i = 0; i < fake->place_count; i++) {
        arena_done(&fake->places[i].arena);
    }
    for (size_t i = 0; i < fake->call_count; i++) {
        free_call(fake->calls[i]);
    }
    arena_done(&fake->arena);
    free(fake->places);
    free(fake->calls);
    free(fake);
}

struct http_transport *fake_transport_http(struct fake_transport *fake)
{
    return &fake->transport;
}

// ---- the script

void fake_transport_answer(struct fake_transport *fake, const struct fake_answer *answer)
{
    assert_true(answer->status != 0 || answer->error.kind != ERROR_NONE);
    struct fake_answer copy = *answer;
    const char *body = answer->body == NULL ? "" : answer->body;
    copy.length = answer->length == 0 ? strlen(body) : answer->length;
    copy.headers = arena_dup(&fake->arena, answer->headers == NULL ? "" : answer->headers);
    copy.body = arena_dup_n(&fake->arena, body, copy.length);
    *ARENA_GROW(&fake->arena, fake->script, fake->script_count) = copy;
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

void fake_transport_refuse(struct fake_transport *fake, size_t count, int code)
{
    fake->refuse_count = count;
    fake->refuse_code = code;
}

// ---- its delivery

static int give_chunk(struct http_call *call, const char *data, size_t length)
{
    // The piece is a copy of its own, so that reading beyond its end shows.
    char *piece = xmalloc(length);
    memcpy(piece, data, length);
    int r = call->on_chunk(call->ctx, piece, length);
    free(piece);
    return r < 0 ? error_set(&call->refused, ERROR_TRANSIENT, -r, "stopped by its reader") : 0;
}

static void end_call(struct http_call *call, struct http_response *response,
                     const struct error *err)
{
    struct fake_transport *fake = call->fake;
    bool forgets = fake->forgets;
    for (size_t i = 0; forgets && i < fake->call_count; i++) {
        if (fake->calls[i] == call) {
            memmove(&fake->calls[i], &fake->calls[i + 1],
                    (--fake->call_count - i) * sizeof(struct http_call *));
            break;
        }
    }
    call->request.done = true;
    call->done(call->ctx, response, err);
    if (forgets) {
        free_call(call);
    }
}

static const struct error cancelled = {
    .kind = ERROR_TRANSIENT, .code = ECANCELED, .text = "cancelled"};

static void deliver(struct http_call *call, const struct fake_answer *answer)
{
    size_t max = call->request.max_body == 0 ? HTTP_BODY_MAX_DEFAULT : call->request.max_body;
    struct http_response response = {.status = answer->status,
                                     .headers = BUF_INIT(HTTP_HEADER_BYTES_MAX),
                                     .body = BUF_INIT(max)};
    bool streams = call->on_chunk != NULL && answer->status >= 200 && answer->status <= 299;
    size_t step = answer->chunk == 0 ? answer->length : answer->chunk;
    int r = buf_append_str(&response.headers, answer->headers);
    if (!streams && buf_append(&response.body, answer->body, answer->length) < 0) {
        r = error_set(&call->refused, ERROR_TRANSIENT, EFBIG, "answer above %zu bytes", max);
    }
    for (size_t at = 0; streams && r == 0 && at < answer->length; at += step) {
        size_t length = answer->length - at < step ? answer->length - at : step;
        r = give_chunk(call, answer->body + at, length);
    }
    const struct error *err = call->request.cancelled            ? &cancelled // by on_chunk
                              : r < 0                            ? &call->refused
                              : answer->error.kind != ERROR_NONE ? &answer->error
                                                                 : NULL;
    end_call(call, err == NULL ? &response : NULL, err);
    buf_done(&response.headers);
    buf_done(&response.body);
}

static bool is_refused(const struct http_call *call)
{
    return call->request.cancelled || call->refused.kind != ERROR_NONE;
}

bool fake_transport_advance(struct fake_transport *fake)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        struct http_call *call = fake->calls[i];
        bool ends = is_refused(call);
        if (call->request.done || (!ends && fake->script_next == fake->script_count)) {
            continue;
        }
        if (ends) {
            end_call(call, NULL, call->request.cancelled ? &cancelled : &call->refused);
        } else {
            // A copy: `done` may lengthen the script.
            struct fake_answer answer = fake->script[fake->script_next++];
            deliver(call, &answer);
        }
        return true;
    }
    return false;
}

size_t fake_transport_run(struct fake_transport *fake)
{
    size_t count = 0;
    while (fake_transport_advance(fake)) {
        count++;
    }
    return count;
}

// One that is under way, and was neither cancelled nor given up; NULL: there is none.
static struct http_call *find(const struct fake_transport *fake, size_t id)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        struct http_call *call = fake->calls[i];
        if (call->request.id == id && !call->request.done && !is_refused(call)) {
            return call;
        }
    }
    return NULL;
}

bool fake_transport_push(struct fake_transport *fake, size_t request, const char *data,
                         size_t length)
{
    struct http_call *call = find(fake, request);
    if (call != NULL) {
        assert_non_null(call->on_chunk);
        (void)give_chunk(call, data, length);
    }
    return call != NULL;
}

bool fake_transport_answer_now(struct fake_transport *fake, size_t request,
                               const struct fake_answer *answer)
{
    struct http_call *call = find(fake, request);
    if (call != NULL) {
        deliver(call, answer);
    }
    return call != NULL;
}

bool fake_transport_is_due(const struct fake_transport *fake)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        if (!fake->calls[i]->request.done && is_refused(fake->calls[i])) {
            return true;
        }
    }
    return false;
}

const struct fake_request *fake_transport_next(struct fake_transport *fake)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        struct http_call *call = fake->calls[i];
        if (!call->taken && !is_refused(call)) {
            call->taken = true;
            return &call->request;
        }
    }
    return NULL;
}

// ---- what was asked for

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
    return fake_transport_request(fake, fake->call_count - 1);
}

size_t fake_transport_endpoint_count(const struct fake_transport *fake)
{
    return fake->place_count;
}

const struct fake_endpoint *fake_transport_endpoint(const struct fake_transport *fake, size_t index)
{
    assert_true(index < fake->place_count);
    return &fake->places[index].endpoint;
}

size_t fake_transport_clients(const struct fake_transport *fake)
{
    size_t count = 0;
    for (size_t i = 0; i < fake->place_count; i++) {
        count += !fake->places[i].endpoint.freed;
    }
    return count;
}
