// What the files of lib/kube share.
#pragma once

#include "lib/kube/kube.h"

#define KUBE_PATH_BYTES_MAX 4096
// The server ends a watch by itself; a connection that is dead without a word ends soon after that.
#define KUBE_WATCH_TIMEOUT_MS ((KUBE_WATCH_SECONDS + 30u) * 1000u)

struct kube_watch;

struct kube_call {
    struct kube *kube;
    struct kube_call *previous;
    struct kube_call *next;
    struct http_call *http; // NULL once cancelled
    const char *method;
    char *path;               // without the query, for error texts
    bool reads;               // changes nothing
    bool missing_is_fine;     // 404 is success
    const char *list;         // the array that the answer has to have, NULL: none
    struct json_memo *memo;   // of the latest answer to the same request, NULL: none
    struct kube_watch *watch; // NULL for a request with one answer
    kube_done_fn done;
    void *ctx;
};

struct kube {
    struct http_client *client;
    uint64_t timeout_ms;
    struct kube_call *calls; // under way
};

struct kube_request {
    enum http_method method;
    const char *name; // of the method
    const char *content_type;
    const json_t *body; // NULL for none
    bool missing_is_fine;
    const char *list;
    struct json_memo *memo;
    struct kube_watch *watch; // taken over on success; the answer's body goes to it
};

// Sends a request to target: a path and, behind a '?', its query.
int kube_send(struct kube *kube, const struct kube_request *request, const char *target,
              kube_done_fn done, void *ctx, struct error *err);

// Appends PATH?labelSelector=SELECTOR, escaped.
int kube_append_selector(struct buf *target, const char *path, const char *label_selector,
                         struct error *err);

// kube_watch.c
int kube_watch_chunk(void *ctx, const char *data, size_t length); // ctx: the struct kube_call
// Replaces err by why the stream could not be followed, if there is a reason.
void kube_watch_explain(const struct kube_watch *watch, struct error *err);
void kube_watch_free(struct kube_watch *watch);
