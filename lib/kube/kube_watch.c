// Watches: one answer that does not end, a JSON object a line.
#include "lib/kube/kube_internal.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_lines.h"

#include <errno.h>

#define EVENT_LINE_MAX (8u * 1024u * 1024u)

struct kube_watch {
    kube_event_fn on_event;
    void *ctx;
    struct json_lines lines;
    struct error failure;
};

// {"type": "ERROR", "object": a Status}
static int explain_error_event(const json_t *event, struct error *err)
{
    int64_t status = json_get_int(event, 0, "object", "code", NULL);
    _cleanup_free_ char *message = secret_hide(json_get_string(event, "object", "message", NULL));
    bool valid = status >= 100 && status <= 599;
    (void)error_set(err, valid ? http_status_kind((int)status) : ERROR_TRANSIENT, EREMOTEIO,
                    "kube: watch: %.320s", message == NULL ? "an error" : message);
    err->status = valid ? (int)status : 0;
    return -EREMOTEIO;
}

static int event_line(void *ctx, json_t *event, struct error *err)
{
    struct kube_watch *watch = ctx;
    if (str_equal(json_get_string(event, "type", NULL), "ERROR")) {
        return explain_error_event(event, err);
    }
    return watch->on_event(watch->ctx, event);
}

int kube_watch_chunk(void *ctx, const char *data, size_t length)
{
    struct kube_watch *watch = ((struct kube_call *)ctx)->watch;
    return json_lines_feed(&watch->lines, data, length, &watch->failure);
}

void kube_watch_explain(const struct kube_watch *watch, struct error *err)
{
    if (watch->failure.kind != ERROR_NONE) {
        *err = watch->failure;
    }
}

void kube_watch_free(struct kube_watch *watch)
{
    if (watch != NULL) {
        json_lines_done(&watch->lines);
        free(watch);
    }
}

int kube_watch(struct kube *kube, const char *path, const char *label_selector,
               const char *resource_version, kube_event_fn on_event, kube_done_fn done, void *ctx,
               struct error *err)
{
    _cleanup_buf_ struct buf target = BUF_INIT(KUBE_PATH_BYTES_MAX);
    int r = kube_append_selector(&target, path, label_selector, err);
    if (r < 0) {
        return r;
    }
    r = buf_printf(&target, "&watch=1&allowWatchBookmarks=true&timeoutSeconds=%u",
                   KUBE_WATCH_SECONDS);
    if (r == 0 && resource_version != NULL) {
        r = buf_append_str(&target, "&resourceVersion=");
    }
    if (r == 0 && resource_version != NULL) {
        r = http_append_escaped(&target, resource_version);
    }
    struct kube_watch *watch = r < 0 ? NULL : calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return error_oom(err);
    }
    *watch = (struct kube_watch){.on_event = on_event, .ctx = ctx};
    watch->lines = JSON_LINES_INIT(EVENT_LINE_MAX, event_line, watch);
    const struct kube_request request = {.method = HTTP_GET, .name = "GET", .watch = watch};
    r = kube_send(kube, &request, buf_str(&target), done, ctx, err);
    if (r < 0) {
        kube_watch_free(watch);
    }
    return r;
}

void kube_watch_cancel_all(struct kube *kube)
{
    for (struct kube_call *call = kube->calls; call != NULL; call = call->next) {
        if (call->watch != NULL) {
            http_cancel(kube->client, TAKE_PTR(call->http));
        }
    }
}
