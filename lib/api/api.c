#include "lib/api/api.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_lines.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define PATH_BYTES_MAX (16u * 1024u)
#define WHAT_BYTES_MAX (16u * 1024u)
#define MESSAGE_BYTES_MAX 320 // of the other side's words in an error text
#define EXCERPT_BYTES_MAX 128 // of an answer that is none of its own: the page of a proxy
#define REASON_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

struct api_call {
    struct api *api;
    struct http_call *http;     // NULL while its end is told
    char *what;                 // "NAME: WHAT"
    char *about;                // the first argument, NULL: there is none
    struct api_request request; // its callbacks, ctx and what is static
    struct json_lines lines;
    struct error failure; // why the stream could not be read, or what it told
    LIST_ENTRY(api_call) link;
    _Alignas(max_align_t) char state[]; // the copy of ctx
};

static void call_free(struct api_call *call)
{
    if (call != NULL) {
        buf_done(&call->lines.partial);
        free(call->what);
        free(call->about);
        free(call);
    }
}
DEFINE_CLEANUP(struct api_call *, call_free)

// ---- the client

int api_open(struct api *api, struct http_transport *transport,
             const struct http_endpoint *endpoint, struct error *err)
{
    int r = transport->client_new(transport, endpoint, &api->http, err);
    if (r < 0) {
        return error_wrap(err, "%s", api->name);
    }
    LIST_INIT(&api->calls);
    return 0;
}

static void release(struct api *api)
{
    if (api->freed && LIST_EMPTY(&api->calls)) {
        http_client_free(api->http);
        free(api);
    }
}

void api_free(struct api *api)
{
    if (api != NULL) {
        api->freed = true;
        api->secrets = NULL;
        api_cancel(api, API_CHANGES);
        release(api);
    }
}

void api_cancel_about(struct api *api, const char *about, enum api_effect from)
{
    struct api_call *call;
    LIST_FOREACH(call, &api->calls, link)
    {
        if (call->request.effect >= from && (about == NULL || str_equal(call->about, about))) {
            http_cancel(api->http, call->http);
        }
    }
}

void api_cancel(struct api *api, enum api_effect from)
{
    api_cancel_about(api, NULL, from);
}

// ---- the answer

const char *api_check_object(const json_t *answer)
{
    return json_is_object(answer) ? NULL : "the answer is no JSON object";
}

// A registry's first error, with its detail, in which an errno of its storage may be:
// https://github.com/opencontainers/distribution-spec/blob/v1.0.1/spec.md#error-codes
// The caller frees it; NULL where there is none.
static char *registry_message(const json_t *json)
{
    const json_t *first = json_array_get(json_get_array(json, "errors", NULL), 0);
    const char *code = json_get_string(first, "code", NULL);
    const char *message = json_get_string(first, "message", NULL);
    _cleanup_free_ char *detail =
        json_dumps(json_get(first, "detail", NULL), JSON_COMPACT | JSON_ENCODE_ANY);
    return code == NULL ? NULL
                        : str_printf("%s%s%s%s%s", code, message == NULL ? "" : ": ",
                                     message == NULL ? "" : message, detail == NULL ? "" : " ",
                                     detail == NULL ? "" : detail);
}

// The other side's own words, or the beginning of what a proxy said in its place. The caller frees
// it.
static char *answer_message(const struct api *api, const json_t *json, const struct buf *body)
{
    _cleanup_free_ char *registry = registry_message(json);
    const char *message = registry == NULL ? json_get_string(json, "message", NULL) : registry;
    if (!str_empty(message)) {
        char *hidden = secrets_hide(api->secrets, message);
        str_trim_end(hidden);
        return hidden;
    }
    // Before it is cut: of a secret that is cut in two, a part would be seen.
    _cleanup_free_ char *hidden = secrets_hide(api->secrets, buf_str(body));
    char excerpt[EXCERPT_BYTES_MAX];
    str_excerpt(hidden, excerpt, sizeof(excerpt));
    return str_dup(excerpt);
}

static bool is_tolerated(const struct api_request *request, int status, const char *message,
                         const char *reason)
{
    for (size_t i = 0; i < API_TOLERATED_MAX; i++) {
        const struct api_tolerated *one = &request->tolerated[i];
        if (one->status == status &&
            (one->message == NULL || strstr(message, one->message) != NULL) &&
            (one->reason == NULL || str_equal(reason, one->reason))) {
            return true;
        }
    }
    return false;
}

// Of an answer that is not 2xx: err stays as it is when that is tolerated.
static void explain_status(const struct api_call *call, const struct http_response *response,
                           struct error *err)
{
    struct api *api = call->api;
    json_auto_t *json = json_loadb(buf_str(&response->body), response->body.length, 0, NULL);
    _cleanup_free_ char *message = answer_message(api, json, &response->body);
    // Kubernetes' word for what is wrong.
    const char *reason = json_get_string(json, "reason", NULL);
    bool has_reason = !str_empty(reason) && reason[strspn(reason, REASON_CHARACTERS)] == '\0';
    if (is_tolerated(&call->request, response->status, message, has_reason ? reason : NULL)) {
        return;
    }
    (void)error_set(err, http_status_kind(response->status), EREMOTEIO, "%s%s%.*s (HTTP %d%s%.64s)",
                    call->what, *message == '\0' ? "" : ": ", MESSAGE_BYTES_MAX, message,
                    response->status, has_reason ? " " : "", has_reason ? reason : "");
    err->status = response->status;
    err->retry_ms = http_retry_after_ms(response);
    if (api->failed != NULL) {
        api->failed(api, message, err);
    }
}

// There was no answer, or not all of it.
static void explain_failure(const struct api_call *call, const struct error *failure,
                            struct error *err)
{
    struct api *api = call->api;
    bool cancelled = failure->code == ECANCELED;
    *err = cancelled || call->failure.kind == ERROR_NONE ? *failure : call->failure;
    (void)error_wrap(err, "%s", call->what);
    if (!cancelled && api->failed != NULL) {
        api->failed(api, NULL, err);
    }
}

// Returns what is wrong with an answer that is 2xx, NULL when nothing is, with *ret for the caller,
// NULL when nobody asks for it.
static const char *decode(const struct api_request *request, const struct http_response *response,
                          json_t **ret)
{
    if (request->check == NULL) {
        return NULL;
    }
    json_auto_t *json = json_loadb(buf_str(&response->body), response->body.length, 0, NULL);
    const char *problem = json == NULL ? "the answer is no JSON" : request->check(json);
    *ret = problem == NULL ? TAKE_PTR(json) : NULL;
    return problem;
}

static void on_done(void *ctx, struct http_response *response, const struct error *failure)
{
    struct api_call *call = ctx;
    const struct api_request *request = &call->request;
    struct api *api = call->api;
    struct error err = {0};
    const char *problem = NULL;
    json_auto_t *json = NULL;
    call->http = NULL;
    if (response == NULL) {
        explain_failure(call, failure, &err);
    } else if (response->status < 200 || response->status > 299) {
        explain_status(call, response, &err);
    } else if (request->on_event != NULL && json_lines_end(&call->lines, &call->failure) < 0) {
        explain_failure(call, &call->failure, &err);
    } else if ((problem = decode(request, response, &json)) != NULL) {
        (void)error_set(&err, ERROR_TRANSIENT, EBADMSG, "%s: %s", call->what, problem);
        err.status = response->status;
    }
    const struct error *told = err.kind == ERROR_NONE ? NULL : &err;
    if (request->done != NULL) {
        request->done(request->ctx, json, told);
    } else {
        const struct api_answer answer = {
            .what = call->what, .response = told == NULL ? response : NULL, .json = json};
        request->raw(request->ctx, &answer, told);
    }
    LIST_REMOVE(call, link);
    call_free(call);
    release(api);
}

static int on_line(void *ctx, json_t *line, struct error *err)
{
    const struct api_call *call = ctx;
    const struct api_request *request = &call->request;
    const struct api_refusal refusal =
        request->refused != NULL ? request->refused(line) : (struct api_refusal){0};
    if (refusal.message == NULL) {
        return request->on_event(request->ctx, line);
    }
    _cleanup_free_ char *hidden = secrets_hide(call->api->secrets, refusal.message);
    int r = error_set(err, refusal.kind, EREMOTEIO, "%s", hidden);
    if (err != NULL) {
        err->status = refusal.status;
    }
    return r;
}

static int on_chunk(void *ctx, const char *data, size_t length)
{
    struct api_call *call = ctx;
    return json_lines_feed(&call->lines, data, length, &call->failure);
}

// ---- the request

// Appends a template. Returns 0, -EFBIG, or -EINVAL for an empty argument that is to be encoded.
static int expand(const char *template, const char *const *args, bool encode, struct buf *buf)
{
    size_t parameter = buf->length; // where the last one of the query begins
    int r = 0;
    for (; *template != '\0' && r == 0; template ++) {
        if (*template != '$') {
            parameter = strchr("?&", *template) == NULL ? parameter : buf->length;
            r = buf_append(buf, template, 1);
            continue;
        }
        const char *arg = args[*++template - '0'];
        if (arg == NULL) {
            buf_truncate(buf, parameter);
        } else if (!encode) {
            r = buf_append_str(buf, arg);
        } else {
            r = *arg == '\0' ? -EINVAL : http_append_escaped(buf, arg);
        }
    }
    return r;
}

static char *describe(const struct api *api, const struct api_request *request)
{
    struct buf what = BUF_INIT(WHAT_BYTES_MAX);
    (void)buf_printf(&what, "%s: ", api->name);
    if (request->what == NULL) {
        (void)buf_printf(&what, "%s %s", http_method_name(request->method), request->prefix);
    } else {
        (void)expand(request->what, request->args, false, &what);
    }
    return buf_take(&what);
}

static int print(const struct api_request *request, const char *what, struct buf *path,
                 struct buf *body, struct error *err)
{
    int r = request->prefix == NULL ? 0 : buf_append_str(path, request->prefix);
    r = r < 0 || request->path == NULL ? r : expand(request->path, request->args, true, path);
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "%s: %s", what,
                         r == -EINVAL ? "an empty name" : "the path is too long");
    }
    if (request->content_type == NULL || request->body != NULL) {
        return 0;
    }
    r = json_print(body, request->json, JSON_COMPACT);
    return r == 0 ? 0
                  : error_set(err, ERROR_PERMANENT, -r, "%s: cannot be sent: %s", what,
                              r == -EFBIG ? "it is too large" : "it is no valid text");
}

int api_send(struct api *api, const struct api_request *request, struct error *err)
{
    _cleanup_(call_freep) struct api_call *call = xcalloc(1, sizeof(*call) + request->ctx_size);
    call->api = api;
    call->what = describe(api, request);
    call->about = str_dup(request->args[0]);
    call->request = *request;
    call->lines = JSON_LINES_INIT(API_LINE_BYTES_MAX, on_line, call);
    if (request->ctx_size > 0) {
        call->request.ctx = memcpy(call->state, request->ctx, request->ctx_size);
    }
    if (api->freed) {
        return error_set(err, ERROR_TRANSIENT, ECANCELED, "%s: cancelled", call->what);
    }
    _cleanup_buf_ struct buf path = BUF_INIT(PATH_BYTES_MAX);
    _cleanup_buf_ struct buf body = BUF_INIT(API_BODY_BYTES_MAX);
    int r = print(request, call->what, &path, &body, err);
    if (r < 0) {
        return r;
    }
    uint64_t timeout_ms = request->timeout_ms == 0 ? api->timeout_ms : request->timeout_ms;
    const struct http_request http = {
        .method = request->method,
        .path = buf_str(&path),
        .accept = api->accept,
        .content_type = request->content_type,
        .body = request->body == NULL ? body.data : request->body,
        .body_length = request->body == NULL ? body.length : request->body_length,
        .timeout_ms = timeout_ms == API_ENDLESS ? 0 : timeout_ms,
        .on_chunk = request->on_event == NULL ? NULL : on_chunk,
        .done = on_done,
        .ctx = call,
    };
    r = http_send(api->http, &http, &call->http, err);
    if (r < 0) {
        return error_wrap(err, "%s", call->what);
    }
    LIST_INSERT_HEAD(&api->calls, call, link);
    (void)TAKE_PTR(call);
    return 0;
}
