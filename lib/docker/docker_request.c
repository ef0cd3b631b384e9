// The way of every request: path, status, error texts.
#include "lib/docker/docker_internal.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PATH_BYTES_MAX (16u * 1024u)
// Of a body that is not the engine's JSON, what an error text shows.
#define EXCERPT_BYTES_MAX 128
#define DATE_BYTES_MAX 64

void docker_call_free(struct docker_call *call)
{
    if (call != NULL) {
        if (call->destroy != NULL) {
            call->destroy(call);
        }
        free(call->what);
        free(call);
    }
}

static void call_link(struct docker_call *call)
{
    struct docker_call **head = &call->docker->calls;
    call->previous = NULL;
    call->next = *head;
    if (*head != NULL) {
        (*head)->previous = call;
    }
    *head = call;
}

static void call_unlink(struct docker_call *call)
{
    if (call->previous == NULL) {
        call->docker->calls = call->next;
    } else {
        call->previous->next = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
}

int docker_error(const struct docker_call *call, struct error *err, enum error_kind kind, int code,
                 const char *reason)
{
    return error_set(err, kind, code, "engine: %s: %s", call->what, reason);
}

// The engine's own words, or the beginning of what a proxy said in its place. The caller frees it;
// NULL when out of memory.
static char *answer_message(const struct buf *body)
{
    json_auto_t *answer = NULL;
    if (json_parse(buf_str(body), body->length, &answer, NULL) == -ENOMEM) {
        return NULL;
    }
    const char *message = json_get_string(answer, "message", NULL);
    _cleanup_free_ char *hidden = secret_hide(message != NULL ? message : buf_str(body));
    if (hidden == NULL || message != NULL) {
        return TAKE_PTR(hidden);
    }
    char excerpt[EXCERPT_BYTES_MAX];
    str_excerpt(hidden, excerpt, sizeof(excerpt));
    return str_dup(excerpt);
}

static bool is_tolerated(const struct docker_call *call, int status, const char *message)
{
    for (size_t i = 0; i < DOCKER_TOLERATED_MAX; i++) {
        const struct docker_tolerated *one = &call->tolerated[i];
        if (one->status == status &&
            (one->message == NULL || strstr(message, one->message) != NULL)) {
            return true;
        }
    }
    return false;
}

// Returns 0 for an answer that is a success, else fills err.
static int check_status(const struct docker_call *call, const struct http_response *response,
                        struct error *err)
{
    if (response->status >= 200 && response->status <= 299) {
        return 0;
    }
    _cleanup_free_ char *message = answer_message(&response->body);
    if (message == NULL) {
        return error_oom(err);
    }
    if (is_tolerated(call, response->status, message)) {
        return 0;
    }
    // "client version 1.44 is too new. Maximum supported API version is 1.41": the engine was
    // replaced by another one.
    bool other = response->status == 400 && str_starts_with(message, "client version");
    if (other) {
        call->docker->negotiated = false;
    }
    int r = error_set(err, other ? ERROR_TRANSIENT : http_status_kind(response->status),
                      other ? ENOTCONN : EREMOTEIO, "engine: %s%s%s (HTTP %d)", call->what,
                      *message == '\0' ? "" : ": ", message, response->status);
    if (err != NULL) {
        err->status = response->status;
        err->retry_ms = http_retry_after_ms(response);
    }
    return r;
}

// What shows that the engine has gone, and maybe another one comes.
static bool is_engine_gone(const struct error *err)
{
    return err->code == ENOENT || err->code == ECONNREFUSED || err->code == ECONNRESET;
}

static void call_done(void *ctx, struct http_response *response, const struct error *failure)
{
    struct docker_call *call = ctx;
    struct error err = {0};
    call->http = NULL;
    call_unlink(call);
    if (response == NULL) {
        err = *failure;
        if (is_engine_gone(&err)) {
            call->docker->negotiated = false;
        }
        (void)error_wrap(&err, "engine: %s", call->what);
    } else if (check_status(call, response, &err) < 0) {
        response = NULL;
    }
    call->answered(call, response, &err);
    // Not under way again: its caller was told. The client may be gone by now.
    if (call->http == NULL) {
        docker_call_free(call);
    }
}

static int build_path(const struct docker *docker, const struct docker_request *request,
                      struct buf *path, struct error *err)
{
    int r = request->unversioned ? 0 : buf_printf(path, "/v1.%u", docker->api_minor);
    for (size_t i = 0; i < DOCKER_SEGMENTS_MAX && request->path[i].text != NULL && r == 0; i++) {
        const struct docker_segment *segment = &request->path[i];
        r = buf_append_str(path, segment->text);
        if (r < 0 || segment->value == NULL) {
            continue;
        }
        if (*segment->value == '\0') {
            return error_set(err, ERROR_PERMANENT, EINVAL, "engine: %s: an empty name",
                             request->verb);
        }
        r = http_append_escaped(path, segment->value);
    }
    if (r == -EFBIG) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "engine: %s: the name is too long",
                         request->verb);
    }
    return r < 0 ? error_oom(err) : 0;
}

static char *describe(const struct docker_request *request)
{
    if (request->subject == NULL) {
        return str_dup(request->verb);
    }
    if (request->object == NULL) {
        return str_printf("%s %s", request->verb, request->subject);
    }
    return str_printf("%s %s %s %s", request->verb, request->subject, request->relation,
                      request->object);
}

int docker_call_send(struct docker *docker, struct docker_call *call,
                     const struct docker_request *request, struct error *err)
{
    if (!request->unversioned && docker->api_minor == 0) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: %s: no connection yet",
                         request->verb);
    }
    _cleanup_buf_ struct buf path = BUF_INIT(PATH_BYTES_MAX);
    int r = build_path(docker, request, &path, err);
    if (r < 0) {
        return r;
    }
    char *what = describe(request);
    if (what == NULL) {
        return error_oom(err);
    }
    free(call->what);
    call->what = what;
    call->docker = docker;
    memcpy(call->tolerated, request->tolerated, sizeof(call->tolerated));

    uint64_t timeout_ms = request->timeout_ms == 0 ? docker->timeout_ms : request->timeout_ms;
    const struct http_request http = {
        .method = request->method,
        .path = buf_str(&path),
        .content_type = request->content_type,
        .body = request->body,
        .body_length = request->body_length,
        .timeout_ms = request->endless ? 0 : timeout_ms + request->extra_ms,
        .on_chunk = request->on_chunk,
        .done = call_done,
        .ctx = call,
    };
    r = http_send(docker->client, &http, &call->http, err);
    if (r < 0) {
        call->http = NULL;
        (void)error_wrap(err, "engine: %s", call->what);
        return r;
    }
    call_link(call);
    return 0;
}

static bool has_id(const json_t *entity)
{
    return !str_empty(json_get_string(entity, "Id", NULL));
}

// What the answer is not, NULL when it is of the shape.
static const char *shape_problem(const json_t *answer, enum docker_shape shape)
{
    if (shape != DOCKER_SHAPE_ENTITIES) {
        return !json_is_object(answer)                           ? "the answer is no object"
               : shape == DOCKER_SHAPE_ENTITY && !has_id(answer) ? "the answer has no id"
                                                                 : NULL;
    }
    if (!json_is_array(answer)) {
        return "the answer is no list";
    }
    size_t i;
    const json_t *entity;
    json_array_foreach (answer, i, entity) {
        if (!has_id(entity)) {
            return "an entry of the answer has no id";
        }
    }
    return NULL;
}

int docker_decode(const struct docker_call *call, const struct buf *body, enum docker_shape shape,
                  struct json_memo *memo, json_t **ret, struct error *err)
{
    json_auto_t *answer = NULL;
    int r = json_memo_parse(memo, buf_str(body), body->length, &answer);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        return docker_error(call, err, ERROR_TRANSIENT, EBADMSG, "the answer is no JSON");
    }
    const char *problem = shape_problem(answer, shape);
    if (problem != NULL) {
        return docker_error(call, err, ERROR_TRANSIENT, EBADMSG, problem);
    }
    *ret = TAKE_PTR(answer);
    return 0;
}

struct json_call {
    struct docker_call call;
    enum docker_shape shape;
    struct json_memo *memo;
    docker_done_fn done;
    void *ctx;
};

// "Date: Sun, 22 Nov 2026 22:22:14 GMT" (https://www.rfc-editor.org/rfc/rfc9110#field.date).
static int64_t answer_time_s(const struct http_response *response)
{
    char date[DATE_BYTES_MAX];
    struct tm tm = {0};
    bool said = http_response_header(response, "Date", date, sizeof(date)) &&
                strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) != NULL;
    return said ? (int64_t)timegm(&tm) : 0;
}

int64_t docker_time_s(const struct docker *docker)
{
    return docker->time_s;
}

static void json_answered(struct docker_call *call, struct http_response *response,
                          struct error *err)
{
    struct json_call *self = (struct json_call *)call;
    json_auto_t *answer = NULL;
    int r = response == NULL ? -err->code : 0;
    if (response != NULL && self->shape == DOCKER_SHAPE_ENTITIES) {
        call->docker->time_s = answer_time_s(response);
    }
    if (response != NULL && self->shape != DOCKER_SHAPE_NONE) {
        r = docker_decode(call, &response->body, self->shape, self->memo, &answer, err);
    }
    self->done(self->ctx, answer, r < 0 ? err : NULL);
}

int docker_submit(struct docker *docker, const struct docker_request *request, docker_done_fn done,
                  void *ctx, struct error *err)
{
    struct json_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    bool reads = request->method == HTTP_GET || request->method == HTTP_HEAD;
    *self = (struct json_call){
        .call = {.answered = json_answered, .effect = reads ? DOCKER_READS : DOCKER_CHANGES},
        .shape = request->shape,
        .memo = request->memo,
        .done = done,
        .ctx = ctx,
    };
    int r = docker_call_send(docker, &self->call, request, err);
    if (r < 0) {
        docker_call_free(&self->call);
    }
    return r;
}

int docker_print_body(const char *verb, const json_t *body, struct buf *ret, struct error *err)
{
    int r = json_print(ret, body, JSON_COMPACT);
    if (r == -EFBIG) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "engine: %s: more than %zu bytes to send",
                         verb, ret->max);
    }
    return r < 0 ? error_oom(err) : 0;
}

int docker_submit_json(struct docker *docker, struct docker_request request, const json_t *body,
                       docker_done_fn done, void *ctx, struct error *err)
{
    _cleanup_buf_ struct buf text = BUF_INIT(DOCKER_BODY_BYTES_MAX);
    int r = docker_print_body(request.verb, body, &text, err);
    if (r < 0) {
        return r;
    }
    request.content_type = "application/json";
    request.body = text.data;
    request.body_length = text.length;
    return docker_submit(docker, &request, done, ctx, err);
}
