#include "lib/registry/push.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define LOCATION_BYTES_MAX 4096 // it has the upload's state, signed
#define DIGEST_BYTES_MAX 128
#define DATA_TYPE "application/octet-stream"

// The requests of an upload, in their order.
enum stage { STAGE_BEGIN, STAGE_DATA, STAGE_FINISH, STAGE_DISCARD, STAGE_END };

struct upload {
    struct api *api;
    struct registry_blob blob;
    enum stage stage; // the request that was sent last
    char *path;       // of the upload, as the latest answer gives it; NULL: there is none
    registry_pushed_fn done;
    void *ctx;
    struct error failure; // kind ERROR_NONE: none yet
};

static void on_answer(void *ctx, const struct api_answer *answer, const struct error *err);

static int send(struct upload *upload, enum stage stage, struct error *err)
{
    static const struct {
        enum http_method method;
        const char *what;
    } requests[] = {
        [STAGE_BEGIN] = {HTTP_POST, "begin an upload"},
        [STAGE_DATA] = {HTTP_PATCH, "upload"},
        [STAGE_FINISH] = {HTTP_PUT, "finish an upload"},
        [STAGE_DISCARD] = {HTTP_DELETE, "discard an upload"},
    };
    const struct registry_blob *blob = &upload->blob;
    _cleanup_free_ char *path =
        stage == STAGE_BEGIN ? str_printf("/v2/%s/blobs/uploads/", blob->repository)
        : stage == STAGE_FINISH
            ? str_printf("%s%cdigest=%s", upload->path,
                         strchr(upload->path, '?') == NULL ? '?' : '&', blob->digest)
            : str_dup(upload->path);
    const struct api_request request = {
        .method = requests[stage].method,
        .what = requests[stage].what,
        .prefix = path,
        .content_type = stage == STAGE_DISCARD ? NULL : DATA_TYPE,
        .body = stage == STAGE_DATA ? blob->data : "",
        .body_length = stage == STAGE_DATA ? blob->length : 0,
        .raw = on_answer,
        .ctx = upload,
    };
    upload->stage = stage;
    return api_send(upload->api, &request, err);
}

// Every answer says where the next request goes: an absolute URL, or a path.
static int take_location(struct upload *upload, const struct api_answer *answer, struct error *err)
{
    char location[LOCATION_BYTES_MAX];
    size_t length = strlen(upload->blob.origin);
    if (!http_response_header(answer->response, "Location", location, sizeof(location))) {
        return error_set(err, ERROR_PERMANENT, EPROTO, "%s: the answer has no Location",
                         answer->what);
    }
    bool here = str_starts_with(location, upload->blob.origin) && location[length] == '/';
    if (!here && location[0] != '/') {
        return error_set(err, ERROR_PERMANENT, EREMCHG, "%s: the answer sends the client to %.*s",
                         answer->what, (int)strcspn(location, "?"), location);
    }
    str_replace(&upload->path, here ? location + length : location);
    return 0;
}

static enum stage stage_after(const struct upload *upload)
{
    bool failed = upload->failure.kind != ERROR_NONE;
    if (upload->stage == STAGE_DISCARD || (upload->stage == STAGE_FINISH && !failed)) {
        return STAGE_END;
    }
    if (failed) { // what was cut short is not known to be there, and nobody waits
        bool none = upload->path == NULL || upload->failure.code == ECANCELED;
        return none ? STAGE_END : STAGE_DISCARD;
    }
    return upload->stage == STAGE_BEGIN  ? STAGE_DATA
           : upload->blob.digest != NULL ? STAGE_FINISH
                                         : STAGE_DISCARD;
}

static void fail(struct upload *upload, const struct error *err)
{
    if (upload->failure.kind == ERROR_NONE) {
        upload->failure = *err;
    }
}

static void on_answer(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct upload *upload = ctx;
    struct error error = {0};
    if (err != NULL) {
        fail(upload, err);
    } else if (upload->stage < STAGE_FINISH && take_location(upload, answer, &error) < 0) {
        fail(upload, &error);
    }
    enum stage next = STAGE_END;
    while ((next = stage_after(upload)) != STAGE_END) {
        if (send(upload, next, &error) == 0) {
            return;
        }
        fail(upload, &error);
    }
    upload->done(upload->ctx, upload->failure.kind == ERROR_NONE ? NULL : &upload->failure);
    free(upload->path);
    free(upload);
}

int registry_push_blob(struct api *api, const struct registry_blob *blob, registry_pushed_fn done,
                       void *ctx, struct error *err)
{
    struct upload *upload = xcalloc(1, sizeof(*upload));
    *upload = (struct upload){.api = api, .blob = *blob, .done = done, .ctx = ctx};
    int r = send(upload, STAGE_BEGIN, err);
    if (r < 0) {
        free(upload);
    }
    return r;
}

// ---- manifests ----

struct tagging {
    registry_tagged_fn done;
    void *ctx;
};

static void on_tagged(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct tagging *tagging = ctx;
    char digest[DIGEST_BYTES_MAX];
    struct error error = {0};
    if (err == NULL &&
        !http_response_header(answer->response, "Docker-Content-Digest", digest, sizeof(digest))) {
        (void)error_set(&error, ERROR_PERMANENT, EPROTO, "%s: the answer has no digest",
                        answer->what);
        err = &error;
    }
    tagging->done(tagging->ctx, err == NULL ? digest : NULL, err);
}

int registry_push_manifest(struct api *api, const char *repository, const char *tag,
                           const char *manifest, registry_tagged_fn done, void *ctx,
                           struct error *err)
{
    _cleanup_free_ char *prefix = str_printf("/v2/%s/manifests", repository);
    const struct api_request request = {
        .method = HTTP_PUT,
        .what = "put the manifest $0",
        .prefix = prefix,
        .path = "/$0",
        .args = {tag},
        .content_type = REGISTRY_MANIFEST_TYPE,
        .body = manifest,
        .body_length = strlen(manifest),
        .raw = on_tagged,
        .ctx = &(struct tagging){done, ctx},
        .ctx_size = sizeof(struct tagging),
    };
    return api_send(api, &request, err);
}
