#include "lib/registry/push.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define LOCATION_BYTES_MAX 4096 // it has the upload's state, signed
#define DIGEST_BYTES_MAX 128
#define DATA_TYPE "application/octet-stream"

struct upload {
    struct api *api;
    struct registry_blob blob;
    char *path; // of the upload, as the latest answer gives it; NULL: there is none
    registry_pushed_fn done;
    void *ctx;
    struct error failure; // kind ERROR_NONE: none yet
};

static void end(struct upload *upload)
{
    upload->done(upload->ctx, upload->failure.kind == ERROR_NONE ? NULL : &upload->failure);
    free(upload->path);
    free(upload);
}

static int send(struct upload *upload, struct api_request request, const char *path,
                struct error *err)
{
    request.prefix = path;
    request.ctx = upload;
    return api_send(upload->api, &request, err);
}

// ---- the end of an upload ----

static void on_discarded(void *ctx, _unused_ const struct api_answer *answer,
                         const struct error *err)
{
    struct upload *upload = ctx;
    if (err != NULL && upload->failure.kind == ERROR_NONE) {
        upload->failure = *err;
    }
    end(upload);
}

static void discard(struct upload *upload)
{
    struct error err = {0};
    const struct api_request request = {
        .method = HTTP_DELETE, .what = "discard an upload", .raw = on_discarded};
    // What was cut short is not known to be there, and nobody waits.
    bool none = upload->path == NULL || upload->failure.code == ECANCELED;
    if (none || send(upload, request, upload->path, &err) < 0) {
        end(upload);
    }
}

static void fail(struct upload *upload, const struct error *err)
{
    upload->failure = *err;
    discard(upload);
}

static void on_finished(void *ctx, _unused_ const struct api_answer *answer,
                        const struct error *err)
{
    if (err != NULL) {
        fail(ctx, err);
    } else {
        end(ctx);
    }
}

static void finish(struct upload *upload)
{
    struct error err = {0};
    const struct api_request request = {.method = HTTP_PUT,
                                        .what = "finish an upload",
                                        .content_type = DATA_TYPE,
                                        .body = "",
                                        .raw = on_finished};
    _cleanup_free_ char *path =
        str_printf("%s%cdigest=%s", upload->path, strchr(upload->path, '?') == NULL ? '?' : '&',
                   upload->blob.digest);
    if (send(upload, request, path, &err) < 0) {
        fail(upload, &err);
    }
}

// ---- from answer to answer ----

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

static void on_taken(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct upload *upload = ctx;
    struct error error = {0};
    if (err != NULL) {
        fail(upload, err);
    } else if (take_location(upload, answer, &error) < 0) {
        fail(upload, &error);
    } else if (upload->blob.digest != NULL) {
        finish(upload);
    } else {
        discard(upload);
    }
}

static void on_begun(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct upload *upload = ctx;
    struct error error = {0};
    const struct api_request request = {.method = HTTP_PATCH,
                                        .what = "upload",
                                        .content_type = DATA_TYPE,
                                        .body = upload->blob.data,
                                        .body_length = upload->blob.length,
                                        .raw = on_taken};
    if (err != NULL) {
        fail(upload, err);
    } else if (take_location(upload, answer, &error) < 0 ||
               send(upload, request, upload->path, &error) < 0) {
        fail(upload, &error);
    }
}

int registry_push_blob(struct api *api, const struct registry_blob *blob, registry_pushed_fn done,
                       void *ctx, struct error *err)
{
    const struct api_request request = {.method = HTTP_POST,
                                        .what = "begin an upload",
                                        .content_type = DATA_TYPE,
                                        .body = "",
                                        .raw = on_begun};
    _cleanup_free_ char *path = str_printf("/v2/%s/blobs/uploads/", blob->repository);
    struct upload *upload = xcalloc(1, sizeof(*upload));
    *upload = (struct upload){.api = api, .blob = *blob, .done = done, .ctx = ctx};
    int r = send(upload, request, path, err);
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
