// The Kubernetes API: the requests that the program needs, asynchronous with the contract of
// lib/http/http.h. An answer that is not 2xx is an error with the Status object's message, its
// status and the kind of http_status_kind().
#pragma once

#include "lib/api/api.h"
#include "lib/kube/kubeconfig.h"

#include <stdbool.h>
#include <stdint.h>

struct kube;

// Connects nothing yet; borrows credentials until return. secrets are hidden in what the API server
// says and borrowed until kube_free; the credentials' token is added to them. The transport must
// outlive the client.
int kube_new(struct http_transport *transport, const struct kube_credentials *credentials,
             uint64_t timeout_ms, struct secrets *secrets, struct kube **ret, struct error *err);

// Ends calls of this effect and of those below it early (a dry run only reads); each still runs its
// `done` with code ECANCELED.
void kube_cancel(struct kube *kube, enum api_effect from);

// Ends what is under way with code ECANCELED; memory goes with the last `done`, which still comes.
// NULL is fine.
void kube_free(struct kube *kube);
DEFINE_CLEANUP(struct kube *, kube_free)

// The decoded answer, borrowed until return, or NULL and an error.
typedef void (*kube_done_fn)(void *ctx, json_t *answer, const struct error *err);

// path is the collection or object path, e.g. "/apis/apps/v1/namespaces/hostk8s/deployments/x".
// The answer is NULL when the API server says that there is no such object.
int kube_get(struct kube *kube, const char *path, kube_done_fn done, void *ctx, struct error *err);

// GET of a collection with a label selector (NULL: all).
int kube_list(struct kube *kube, const char *path, const char *label_selector, kube_done_fn done,
              void *ctx, struct error *err);

// The first KUBE_FIRST_ITEMS of a collection with a label selector; where there are more,
// metadata.continue is not empty. As many as fit into an answer, each being of the largest size
// that etcd takes.
#define KUBE_FIRST_ITEMS 10
int kube_list_first(struct kube *kube, const char *path, const char *label_selector,
                    kube_done_fn done, void *ctx, struct error *err);

// Watches a collection: on_event gets each event ({type, object}), borrowed until return, from
// resource_version on, or with NULL first an ADDED event of all that is there. Bookmarks are asked
// for and come as events of type BOOKMARK. The server ends the stream after KUBE_WATCH_SECONDS;
// `done` then gets no error. An ERROR event ends it with that Status as the error: 410 when
// resource_version is too old. A negative return of on_event ends the stream too.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#define KUBE_WATCH_SECONDS 300
typedef int (*kube_event_fn)(void *ctx, const json_t *event);
int kube_watch(struct kube *kube, const char *path, const char *label_selector,
               const char *resource_version, kube_event_fn on_event, kube_done_fn done, void *ctx,
               struct error *err);

// Server-side apply of object (borrowed), forced, as the field manager (which needs no escaping).
// With dry_run nothing is stored, and the answer is the object as it would be then.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
int kube_apply(struct kube *kube, const char *path, const char *manager, const json_t *object,
               bool dry_run, kube_done_fn done, void *ctx, struct error *err);

// POST of object (borrowed) to its collection. One that is there already is status 409.
int kube_create(struct kube *kube, const char *collection_path, const json_t *object, bool dry_run,
                kube_done_fn done, void *ctx, struct error *err);

// Deletes in the background, only the object with this uid when uid is not NULL. 404 is success.
int kube_delete(struct kube *kube, const char *path, const char *uid, kube_done_fn done, void *ctx,
                struct error *err);

// The APIGroupList of what the server serves.
int kube_get_groups(struct kube *kube, kube_done_fn done, void *ctx, struct error *err);

// The APIResourceList of a group's version, "/api/v1" or "/apis/apps/v1".
int kube_get_resources(struct kube *kube, const char *path, kube_done_fn done, void *ctx,
                       struct error *err);

// Whether an APIGroupList has GROUP/VERSION, e.g. "discovery.k8s.io/v1".
bool kube_api_groups_serve(const json_t *groups, const char *group_version);
