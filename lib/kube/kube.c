#include "lib/kube/kube.h"

#include "lib/api/api.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

// The server ends a watch by itself; a connection that is dead without a word ends soon after that.
#define WATCH_TIMEOUT_MS ((KUBE_WATCH_SECONDS + 30) * 1000)
#define STRINGIFY(number) #number
#define DECIMAL(number) STRINGIFY(number)

int kube_new(struct http_transport *transport, const struct kube_credentials *credentials,
             uint64_t timeout_ms, struct secrets *secrets, struct api **ret, struct error *err)
{
    const struct http_endpoint endpoint = {
        .base = credentials->server,
        .ca_pem = credentials->ca_pem,
        .cert_pem = credentials->cert_pem,
        .key_pem = credentials->key_pem,
        .bearer_token = credentials->token,
        .tls_server_name = credentials->tls_server_name,
    };
    _cleanup_free_ struct api *kube = xmalloc(sizeof(*kube));
    *kube = (struct api){
        .name = "kube",
        .accept = "application/json",
        .timeout_ms = timeout_ms,
        .secrets = secrets,
    };
    int r = api_open(kube, transport, &endpoint, err);
    if (r < 0) {
        return r;
    }
    if (secrets != NULL) {
        secrets_add(secrets, credentials->token);
    }
    *ret = TAKE_PTR(kube);
    return 0;
}

// Sends a request with what it lacks: its path is what follows the object's or collection's.
static int ask(struct api *kube, struct api_request request, const char *path, api_done_fn done,
               void *ctx, struct error *err)
{
    request.prefix = path;
    request.done = done;
    request.ctx = ctx;
    return api_send(kube, &request, err);
}

// ---- reads

// The API server's own word: what stands in between may know nothing of the path.
static const struct api_tolerated gone = {.status = 404, .reason = "NotFound"};

int kube_get(struct api *kube, const char *path, api_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .effect = API_READS, .check = api_check_object, .tolerated = {gone}};
    return ask(kube, request, path, done, ctx, err);
}

// An empty list may be null in Go's JSON. Taking none for an empty one would tell of a cluster that
// has lost everything.
static bool has_list(const json_t *answer, const char *name)
{
    const json_t *list = json_object_get(answer, name);
    return json_is_array(list) || json_is_null(list);
}

static const char *check_items(const json_t *answer)
{
    return has_list(answer, "items") ? NULL : "the answer has no list of items";
}

static const char *check_apis(const json_t *answer)
{
    return has_list(answer, "groups") || has_list(answer, "resources")
               ? NULL
               : "the answer has no list of groups or resources";
}

int kube_list(struct api *kube, const char *path, const char *label_selector, bool first,
              api_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .path = first ? "?labelSelector=$0&limit=" DECIMAL(KUBE_FIRST_ITEMS) : "?labelSelector=$0",
        .args = {label_selector},
        .effect = API_READS,
        .check = check_items,
    };
    return ask(kube, request, path, done, ctx, err);
}

int kube_get_apis(struct api *kube, const char *path, api_done_fn done, void *ctx,
                  struct error *err)
{
    const struct api_request request = {.effect = API_READS, .check = check_apis};
    return ask(kube, request, path, done, ctx, err);
}

bool kube_api_groups_serve(const json_t *groups, const char *group_version)
{
    size_t i;
    const json_t *group;
    json_array_foreach (json_get_array(groups, "groups", NULL), i, group) {
        size_t j;
        const json_t *version;
        json_array_foreach (json_get_array(group, "versions", NULL), j, version) {
            if (str_equal(json_get_string(version, "groupVersion", NULL), group_version)) {
                return true;
            }
        }
    }
    return false;
}

// ---- watches

// {"type": "ERROR", "object": a Status}
static struct api_refusal find_refusal(const json_t *event)
{
    const char *message = json_get_string(event, "object", "message", NULL);
    int64_t status = json_get_int(event, 0, "object", "code", NULL);
    bool valid = status >= 100 && status <= 599;
    if (!str_equal(json_get_string(event, "type", NULL), "ERROR")) {
        return (struct api_refusal){0};
    }
    return (struct api_refusal){
        .message = message == NULL ? "an error" : message,
        .status = valid ? (int)status : 0,
        .kind = valid ? http_status_kind((int)status) : ERROR_TRANSIENT,
    };
}

int kube_watch(struct api *kube, const char *path, const char *label_selector, const char *version,
               api_event_fn on_event, api_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .path = "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" DECIMAL(
            KUBE_WATCH_SECONDS) "&labelSelector=$0&resourceVersion=$1",
        .args = {label_selector, str_empty(version) ? NULL : version},
        .effect = API_WATCHES,
        .timeout_ms = WATCH_TIMEOUT_MS,
        .on_event = on_event,
        .refused = find_refusal,
    };
    return ask(kube, request, path, done, ctx, err);
}

// ---- changes

int kube_apply(struct api *kube, const char *path, const char *manager, const json_t *object,
               bool dry_run, api_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_PATCH,
        .path = "?fieldManager=$0&force=true&dryRun=$1",
        .args = {manager, dry_run ? "All" : NULL},
        .effect = dry_run ? API_READS : API_CHANGES,
        // A JSON document is a YAML document; the API server knows no apply-patch+json here.
        .content_type = "application/apply-patch+yaml",
        .json = object,
        .check = api_check_object,
    };
    return ask(kube, request, path, done, ctx, err);
}

int kube_try_create(struct api *kube, const char *path, const json_t *object, api_done_fn done,
                    void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_POST,
        .path = "?dryRun=All",
        .effect = API_READS,
        .content_type = "application/json",
        .json = object,
        .check = api_check_object,
    };
    return ask(kube, request, path, done, ctx, err);
}

// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/
int kube_delete(struct api *kube, const char *path, const char *uid, api_done_fn done, void *ctx,
                struct error *err)
{
    json_auto_t *options = json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                                     "propagationPolicy", "Background");
    if (uid != NULL) {
        (void)json_object_set_new(options, "preconditions", json_pack("{s:s}", "uid", uid));
    }
    const struct api_request request = {
        .method = HTTP_DELETE,
        .content_type = "application/json",
        .json = options,
        .check = api_check_object,
        .tolerated = {gone},
    };
    return ask(kube, request, path, done, ctx, err);
}
