#include "lib/kube/kube_internal.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_memo.h"
#include "lib/doc/json_text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define REQUEST_BYTES_MAX (1024u * 1024u) // above etcd's own bound of an object
#define MESSAGE_LENGTH_MAX 320            // of an API server's message in an error text
#define EXCERPT_BYTES_MAX 128
#define DIGITS "0123456789"
#define REASON_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static void call_free(struct kube_call *call)
{
    if (call != NULL) {
        kube_watch_free(call->watch);
        free(call->path);
        free(call);
    }
}
DEFINE_CLEANUP(struct kube_call *, call_free)

static void call_link(struct kube_call *call)
{
    call->next = call->kube->calls;
    if (call->next != NULL) {
        call->next->previous = call;
    }
    call->kube->calls = call;
}

static void call_unlink(struct kube_call *call)
{
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        call->kube->calls = call->next;
    }
}

int kube_new(struct http_transport *transport, const struct kube_credentials *credentials,
             uint64_t timeout_ms, struct kube **ret, struct error *err)
{
    _cleanup_free_ struct kube *kube = malloc(sizeof(*kube));
    if (kube == NULL) {
        return error_oom(err);
    }
    const struct http_endpoint endpoint = {
        .base = credentials->server,
        .ca_pem = credentials->ca_pem,
        .cert_pem = credentials->cert_pem,
        .key_pem = credentials->key_pem,
        .bearer_token = credentials->token,
        .tls_server_name = credentials->tls_server_name,
    };
    *kube = (struct kube){.timeout_ms = timeout_ms};
    int r = transport->client_new(transport, &endpoint, &kube->client, err);
    if (r < 0) {
        (void)error_wrap(err, "kube");
        return r;
    }
    *ret = TAKE_PTR(kube);
    return 0;
}

void kube_cancel_reads(struct kube *kube)
{
    for (struct kube_call *call = kube->calls; call != NULL; call = call->next) {
        if (call->reads) {
            http_cancel(kube->client, TAKE_PTR(call->http));
        }
    }
}

void kube_cancel_all(struct kube *kube)
{
    for (struct kube_call *call = kube->calls; call != NULL; call = call->next) {
        http_cancel(kube->client, TAKE_PTR(call->http));
    }
}

void kube_free(struct kube *kube)
{
    if (kube != NULL) {
        assert(kube->calls == NULL);
        http_client_free(kube->client);
        free(kube);
    }
}

// A list's own version tells of every write in the whole cluster, and nobody asks for it: without
// it the same objects are the same text.
static void blank_list_version(struct buf *body)
{
    static const char name[] = "\"resourceVersion\":\"";
    char *version = body->length == 0 ? NULL : memmem(body->data, body->length, name, strlen(name));
    if (version != NULL) {
        version += strlen(name);
        memset(version, '0', strspn(version, DIGITS));
    }
}

// Parses the answer's body. Returns 0 with *ret owned by the caller, NULL when it is no JSON
// object, or -ENOMEM.
static int parse_body(const struct kube_call *call, struct http_response *response, json_t **ret)
{
    json_auto_t *body = NULL;
    if (call->memo != NULL) {
        blank_list_version(&response->body);
    }
    if (json_memo_parse(call->memo, buf_str(&response->body), response->body.length, &body) ==
        -ENOMEM) {
        return -ENOMEM;
    }
    *ret = json_is_object(body) ? TAKE_PTR(body) : NULL;
    return 0;
}

// Explains an answer that is not 2xx. body is a Status object, or NULL for what is no JSON: the
// page of a proxy. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
static void explain_status(const struct kube_call *call, const struct http_response *response,
                           const json_t *body, struct error *err)
{
    char excerpt[EXCERPT_BYTES_MAX];
    const char *said = json_get_string(body, "message", NULL);
    _cleanup_free_ char *hidden = secret_hide(str_empty(said) ? buf_str(&response->body) : said);
    const char *message = hidden == NULL ? "" : hidden;
    if (str_empty(said)) {
        str_excerpt(message, excerpt, sizeof(excerpt));
        message = excerpt;
    }
    message = message[0] == '\0' ? "no message" : message;
    const char *reason = json_get_string(body, "reason", NULL);
    if (reason != NULL && reason[strspn(reason, REASON_CHARACTERS)] != '\0') {
        reason = NULL; // none of Kubernetes' own
    }
    (void)error_set(err, http_status_kind(response->status), EREMOTEIO,
                    "kube: %s %s: %.*s (HTTP %d%s%.64s)", call->method, call->path,
                    MESSAGE_LENGTH_MAX, message, response->status, reason == NULL ? "" : " ",
                    reason == NULL ? "" : reason);
    err->status = response->status;
    err->retry_ms = http_retry_after_ms(response);
}

// In words of the API server's own: what stands in between may know nothing of the path.
static bool says_missing(const struct http_response *response, const json_t *body)
{
    return response->status == 404 && str_equal(json_get_string(body, "reason", NULL), "NotFound");
}

// Decodes the answer. Returns 0 with *ret owned by the caller (NULL for a missing object that is
// fine), or -errno.
static int decode_answer(const struct kube_call *call, struct http_response *response, json_t **ret,
                         struct error *err)
{
    json_auto_t *body = NULL;
    if (parse_body(call, response, &body) < 0) {
        return error_oom(err);
    }
    if (call->missing_is_fine && says_missing(response, body)) {
        *ret = NULL;
        return 0;
    }
    if (response->status < 200 || response->status > 299) {
        explain_status(call, response, body, err);
        return -err->code;
    }
    if (body == NULL) {
        (void)error_set(err, ERROR_TRANSIENT, EBADMSG, "kube: %s %s: the answer is no JSON object",
                        call->method, call->path);
        err->status = response->status;
        return -EBADMSG;
    }
    // An empty list may be null in Go's JSON. Taking none for an empty one would tell of a cluster
    // that has lost everything.
    const json_t *list = call->list == NULL ? NULL : json_object_get(body, call->list);
    if (call->list != NULL && !json_is_array(list) && !json_is_null(list)) {
        (void)error_set(err, ERROR_TRANSIENT, EBADMSG, "kube: %s %s: the answer has no list of %s",
                        call->method, call->path, call->list);
        err->status = response->status;
        return -EBADMSG;
    }
    *ret = TAKE_PTR(body);
    return 0;
}

static void call_done(void *ctx, struct http_response *response, const struct error *err)
{
    _cleanup_(call_freep) struct kube_call *call = ctx;
    call_unlink(call);

    json_auto_t *answer = NULL;
    struct error own = {0};
    if (response == NULL) {
        own = *err;
        (void)error_wrap(&own, "kube");
    } else if (call->watch == NULL || response->status < 200 || response->status > 299) {
        (void)decode_answer(call, response, &answer, &own);
    }
    if (call->watch != NULL && own.code != ECANCELED) {
        kube_watch_explain(call->watch, &own);
    }
    call->done(call->ctx, answer, own.kind == ERROR_NONE ? NULL : &own);
}

static int print_body(const json_t *body, struct buf *to, struct error *err)
{
    int r = body == NULL ? 0 : json_print(to, body, JSON_COMPACT);
    if (r == 0) {
        return 0;
    }
    if (r == -EFBIG) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "kube: an object of more than %u bytes",
                         REQUEST_BYTES_MAX);
    }
    return error_oom(err);
}

int kube_send(struct kube *kube, const struct kube_request *request, const char *target,
              kube_done_fn done, void *ctx, struct error *err)
{
    static const struct http_header accept = {"Accept", "application/json"};
    _cleanup_(call_freep) struct kube_call *call = malloc(sizeof(*call));
    if (call == NULL) {
        return error_oom(err);
    }
    *call = (struct kube_call){
        .kube = kube,
        .method = request->name,
        .path = str_dup_n(target, strcspn(target, "?")),
        .reads = request->method == HTTP_GET,
        .missing_is_fine = request->missing_is_fine,
        .list = request->list,
        .memo = request->memo,
        .done = done,
        .ctx = ctx,
    };
    _cleanup_buf_ struct buf body = BUF_INIT(REQUEST_BYTES_MAX);
    if (call->path == NULL) {
        return error_oom(err);
    }
    int r = print_body(request->body, &body, err);
    if (r < 0) {
        return r;
    }
    const struct http_request http = {
        .method = request->method,
        .path = target,
        .headers = &accept,
        .header_count = 1,
        .content_type = request->content_type,
        .body = body.data,
        .body_length = body.length,
        .timeout_ms = request->watch == NULL ? kube->timeout_ms : KUBE_WATCH_TIMEOUT_MS,
        .on_chunk = request->watch == NULL ? NULL : kube_watch_chunk,
        .done = call_done,
        .ctx = call,
    };
    r = http_send(kube->client, &http, &call->http, err);
    if (r < 0) {
        (void)error_wrap(err, "kube");
        return r;
    }
    call->watch = request->watch;
    call_link(call);
    (void)TAKE_PTR(call);
    return 0;
}

int kube_get(struct kube *kube, const char *path, struct json_memo *memo, kube_done_fn done,
             void *ctx, struct error *err)
{
    const struct kube_request request = {
        .method = HTTP_GET, .name = "GET", .missing_is_fine = true, .memo = memo};
    return kube_send(kube, &request, path, done, ctx, err);
}

int kube_append_selector(struct buf *target, const char *path, const char *label_selector,
                         struct error *err)
{
    int r = buf_printf(target, "%s?labelSelector=", path);
    if (r == 0) {
        r = http_append_escaped(target, label_selector);
    }
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "kube: GET %s: the label selector is too long",
                         path);
    }
    return 0;
}

int kube_list(struct kube *kube, const char *path, const char *label_selector,
              struct json_memo *memo, kube_done_fn done, void *ctx, struct error *err)
{
    const struct kube_request request = {
        .method = HTTP_GET, .name = "GET", .list = "items", .memo = memo};
    if (label_selector == NULL) {
        return kube_send(kube, &request, path, done, ctx, err);
    }
    _cleanup_buf_ struct buf target = BUF_INIT(KUBE_PATH_BYTES_MAX);
    int r = kube_append_selector(&target, path, label_selector, err);
    return r < 0 ? r : kube_send(kube, &request, buf_str(&target), done, ctx, err);
}

int kube_list_first(struct kube *kube, const char *path, const char *label_selector,
                    kube_done_fn done, void *ctx, struct error *err)
{
    static const struct kube_request request = {.method = HTTP_GET, .name = "GET", .list = "items"};
    _cleanup_buf_ struct buf target = BUF_INIT(KUBE_PATH_BYTES_MAX);
    int r = kube_append_selector(&target, path, label_selector, err);
    if (r < 0) {
        return r;
    }
    if (buf_printf(&target, "&limit=%d", KUBE_FIRST_ITEMS) < 0) {
        return error_oom(err);
    }
    return kube_send(kube, &request, buf_str(&target), done, ctx, err);
}

int kube_apply(struct kube *kube, const char *path, const char *manager, const json_t *object,
               kube_done_fn done, void *ctx, struct error *err)
{
    _cleanup_free_ char *target = str_printf("%s?fieldManager=%s&force=true", path, manager);
    if (target == NULL) {
        return error_oom(err);
    }
    const struct kube_request request = {
        .method = HTTP_PATCH,
        .name = "PATCH",
        // A JSON document is a YAML document; the API server knows no apply-patch+json here.
        .content_type = "application/apply-patch+yaml",
        .body = object,
    };
    return kube_send(kube, &request, target, done, ctx, err);
}

// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/
int kube_delete(struct kube *kube, const char *path, const char *uid, kube_done_fn done, void *ctx,
                struct error *err)
{
    json_auto_t *options = json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                                     "propagationPolicy", "Background");
    if (options == NULL) {
        return error_oom(err);
    }
    if (uid != NULL &&
        json_object_set_new(options, "preconditions", json_pack("{s:s}", "uid", uid)) < 0) {
        return error_oom(err);
    }
    const struct kube_request request = {
        .method = HTTP_DELETE,
        .name = "DELETE",
        .content_type = "application/json",
        .body = options,
        .missing_is_fine = true,
    };
    return kube_send(kube, &request, path, done, ctx, err);
}
