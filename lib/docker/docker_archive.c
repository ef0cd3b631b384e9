// Files in a container, running or not, through the engine's archive requests.
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/PutContainerArchive
#include "lib/docker/docker_internal.h"

#include "lib/base/base64.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TAR_BYTES_MAX (16u * 1024u * 1024u)
#define STAT_HEADER "X-Docker-Container-Path-Stat"
#define STAT_HEADER_MAX (12u * 1024u)    // a link's target may have 4096 bytes
#define STAT_MODE_DIRECTORY (1ull << 31) // Go's fs.ModeDir

struct stat_call {
    struct docker_call call;
    docker_stat_fn done;
    void *ctx;
};

// {"name":"hosts.toml","size":295,"mode":420,"mtime":"2026-01-02T03:04:05Z","linkTarget":""}
static int decode_stat(const struct docker_call *call, const struct http_response *response,
                       struct docker_stat *ret, struct error *err)
{
    char header[STAT_HEADER_MAX];
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    if (!http_response_header(response, STAT_HEADER, header, sizeof(header))) {
        return docker_error(call, err, ERROR_TRANSIENT, EBADMSG, "the answer has no " STAT_HEADER);
    }
    json_auto_t *stat = NULL;
    int r = base64_decode(header, strlen(header), &text, &length);
    if (r == 0) {
        r = json_parse(text, length, &stat, NULL);
    }
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    const char *mtime = json_get_string(stat, "mtime", NULL);
    int64_t size = json_get_int(stat, -1, "size", NULL);
    int64_t mode = json_get_int(stat, -1, "mode", NULL);
    if (mtime == NULL || strlen(mtime) >= sizeof(ret->mtime) || size < 0 || mode < 0) {
        return docker_error(call, err, ERROR_TRANSIENT, EBADMSG,
                            "the answer's " STAT_HEADER " is not readable");
    }
    *ret = (struct docker_stat){
        .exists = true,
        .is_directory = ((uint64_t)mode & STAT_MODE_DIRECTORY) != 0,
        .size = (uint64_t)size,
    };
    (void)snprintf(ret->mtime, sizeof(ret->mtime), "%s", mtime);
    return 0;
}

static void stat_answered(struct docker_call *call, struct http_response *response,
                          struct error *err)
{
    struct stat_call *self = (struct stat_call *)call;
    struct docker_stat stat = {0};
    int r = response == NULL ? -err->code : 0;
    // A missing container is 404 as well, and a HEAD has no message to tell them apart.
    if (response != NULL && response->status != 404) {
        r = decode_stat(call, response, &stat, err);
    }
    self->done(self->ctx, r < 0 ? NULL : &stat, r < 0 ? err : NULL);
}

int docker_path_stat(struct docker *docker, const char *container, const char *path,
                     docker_stat_fn done, void *ctx, struct error *err)
{
    struct stat_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    *self = (struct stat_call){.call.answered = stat_answered, .done = done, .ctx = ctx};
    const struct docker_request request = {
        .verb = "look at",
        .subject = path,
        .relation = "in container",
        .object = container,
        .method = HTTP_HEAD,
        .path = {{"/containers/", container}, {"/archive?path=", path}},
        .tolerated = {{404, NULL}},
    };
    int r = docker_call_send(docker, &self->call, &request, err);
    if (r < 0) {
        docker_call_free(&self->call);
    }
    return r;
}

struct files_call {
    struct docker_call call;
    docker_files_fn done;
    void *ctx;
};

static void files_answered(struct docker_call *call, struct http_response *response,
                           struct error *err)
{
    struct files_call *self = (struct files_call *)call;
    struct docker_file *files = NULL;
    size_t count = 0;
    int r = response == NULL ? -err->code : 0;
    if (response != NULL) {
        r = docker_tar_read(buf_str(&response->body), response->body.length, &files, &count, err);
        if (r < 0) {
            (void)error_wrap(err, "engine: %s", call->what);
        }
    }
    self->done(self->ctx, files, count, r < 0 ? err : NULL);
    docker_files_free(files, count);
}

int docker_archive_get(struct docker *docker, const char *container, const char *path,
                       docker_files_fn done, void *ctx, struct error *err)
{
    struct files_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    *self = (struct files_call){.call.answered = files_answered, .done = done, .ctx = ctx};
    const struct docker_request request = {
        .verb = "read",
        .subject = path,
        .relation = "in container",
        .object = container,
        .method = HTTP_GET,
        .path = {{"/containers/", container}, {"/archive?path=", path}},
    };
    int r = docker_call_send(docker, &self->call, &request, err);
    if (r < 0) {
        docker_call_free(&self->call);
    }
    return r;
}

int docker_archive_put(struct docker *docker, const char *container, const char *path,
                       const struct docker_file *files, size_t count, docker_done_fn done,
                       void *ctx, struct error *err)
{
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_BYTES_MAX);
    int r = docker_tar_write(files, count, &tar, err);
    if (r < 0) {
        (void)error_wrap(err, "engine: write below %s in container %s", path, container);
        return r;
    }
    // The flag: where a directory lies in a file's place, or the other way round, nothing is lost.
    const struct docker_request request = {
        .verb = "write below",
        .subject = path,
        .relation = "in container",
        .object = container,
        .method = HTTP_PUT,
        .path = {{"/containers/", container},
                 {"/archive?path=", path},
                 {"&noOverwriteDirNonDir=true", NULL}},
        .content_type = "application/x-tar",
        .body = buf_str(&tar),
        .body_length = tar.length,
    };
    return docker_submit(docker, &request, done, ctx, err);
}
