// Files in a container, running or not, through the engine's archive requests.
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/PutContainerArchive
#include "lib/docker/docker_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define TAR_BYTES_MAX (16u * 1024u * 1024u)
#define STAT_HEADER "X-Docker-Container-Path-Stat"
#define STAT_HEADER_MAX (12u * 1024u) // a link's target may have 4096 bytes

struct stamp_call {
    struct docker_call call;
    docker_stamp_fn done;
    void *ctx;
};

static void stamp_answered(struct docker_call *call, struct http_response *response,
                           struct error *err)
{
    struct stamp_call *self = (struct stamp_call *)call;
    char header[STAT_HEADER_MAX];
    if (response == NULL) {
        self->done(self->ctx, NULL, err);
    } else if (response->status == 404) {
        // A missing container is 404 as well, and a HEAD has no message to tell them apart.
        self->done(self->ctx, NULL, NULL);
    } else if (!http_response_header(response, STAT_HEADER, header, sizeof(header))) {
        (void)docker_error(call, err, ERROR_TRANSIENT, EBADMSG, "the answer has no " STAT_HEADER);
        self->done(self->ctx, NULL, err);
    } else {
        self->done(self->ctx, header, NULL);
    }
}

int docker_path_stamp(struct docker *docker, const char *container, const char *path,
                      docker_stamp_fn done, void *ctx, struct error *err)
{
    struct stamp_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    *self = (struct stamp_call){.call.answered = stamp_answered, .done = done, .ctx = ctx};
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
