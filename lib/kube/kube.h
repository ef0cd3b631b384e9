// The Kubernetes API: the requests that the program needs, asynchronous with the contract of
// lib/http/http.h. An answer that is not 2xx is an error with the Status object's message, its
// status and the kind of http_status_kind().
#pragma once

#include "lib/api/api.h"
#include "lib/kube/kubeconfig.h"

#include <stdbool.h>
#include <stdint.h>

// A client, which connects nothing yet; borrows credentials until return. secrets are hidden in
// what the API server says and borrowed until api_free; the credentials' token is added to them.
// The transport must outlive the client.
int kube_new(struct http_transport *transport, const struct kube_credentials *credentials,
             uint64_t timeout_ms, struct secrets *secrets, struct api **ret, struct error *err);

// path is the collection or object path, e.g. "/apis/apps/v1/namespaces/hostk8s/deployments/x".
// The answer is NULL when the API server says that there is no such object.
int kube_get(struct api *kube, const char *path, api_done_fn done, void *ctx, struct error *err);

// GET of a collection with a label selector. With first, at most KUBE_FIRST_ITEMS come, as many as
// fit into an answer, each being of the largest size that etcd takes; where there are more,
// metadata.continue is not empty.
#define KUBE_FIRST_ITEMS 10
int kube_list(struct api *kube, const char *path, const char *label_selector, bool first,
              api_done_fn done, void *ctx, struct error *err);

// Watches a collection with a label selector from the version of a list on ("": from an ADDED event
// for each that is there): on_event gets each event ({type, object}), borrowed until return.
// Bookmarks come as events of type BOOKMARK. The server ends the stream after KUBE_WATCH_SECONDS;
// `done` then gets no error. An ERROR event ends it with that Status as the error. A negative
// return of on_event ends the stream too.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#define KUBE_WATCH_SECONDS 300
int kube_watch(struct api *kube, const char *path, const char *label_selector, const char *version,
               api_event_fn on_event, api_done_fn done, void *ctx, struct error *err);

// Server-side apply of object (borrowed), forced, as the field manager (which needs no escaping).
// With dry_run nothing is stored, and the answer is the object as it would be then.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
int kube_apply(struct api *kube, const char *path, const char *manager, const json_t *object,
               bool dry_run, api_done_fn done, void *ctx, struct error *err);

// POST of object (borrowed) to its collection, as a dry run: nothing is stored. One that is there
// already is status 409.
int kube_try_create(struct api *kube, const char *path, const json_t *object, api_done_fn done,
                    void *ctx, struct error *err);

// Deletes in the background, only the object with this uid when uid is not NULL. 404 is success.
int kube_delete(struct api *kube, const char *path, const char *uid, api_done_fn done, void *ctx,
                struct error *err);

// What the server serves: the APIGroupList of "/apis", or the APIResourceList of a group's version,
// "/api/v1" or "/apis/apps/v1".
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
int kube_get_apis(struct api *kube, const char *path, api_done_fn done, void *ctx,
                  struct error *err);

// Whether an APIGroupList has GROUP/VERSION, e.g. "discovery.k8s.io/v1".
bool kube_api_groups_serve(const json_t *groups, const char *group_version);
