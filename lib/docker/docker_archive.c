// Files in a container, running or not, through the engine's archive requests.
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/PutContainerArchive
#include "lib/docker/docker_client.h"
#include "lib/docker/docker_tar.h"

#include <errno.h>

#define TAR_BYTES_MAX (16u * 1024u * 1024u)
#define STAT_HEADER "X-Docker-Container-Path-Stat"
#define STAT_HEADER_MAX (12u * 1024u) // a link's target may have 4096 bytes

struct stamping {
    docker_stamp_fn done;
    void *ctx;
};

static void on_stat(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct stamping *self = ctx;
    char stamp[STAT_HEADER_MAX];
    struct error problem = {0};
    // A missing container is 404 as well, and a HEAD has no message to tell them apart.
    bool exists = err == NULL && answer->response->status != 404;
    if (exists && !http_response_header(answer->response, STAT_HEADER, stamp, sizeof(stamp))) {
        (void)error_set(&problem, ERROR_TRANSIENT, EBADMSG, "%s: the answer has no " STAT_HEADER,
                        answer->what);
        err = &problem;
    }
    self->done(self->ctx, exists && err == NULL ? stamp : NULL, err);
}

int docker_path_stamp(struct docker *docker, const char *container, const char *path,
                      docker_stamp_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_HEAD,
        .what = "look at $1 in container $0",
        .path = "/containers/$0/archive?path=$1",
        .args = {container, path},
        .effect = API_READS,
        .tolerated = {{.status = 404}},
        .raw = on_stat,
        .ctx = &(struct stamping){done, ctx},
        .ctx_size = sizeof(struct stamping),
    };
    return docker_send(docker, &request, err);
}

struct reading {
    docker_select_fn select;
    docker_files_fn done;
    void *ctx;
};

static void on_archive(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct reading *self = ctx;
    struct docker_file *files = NULL;
    size_t count = 0;
    struct error problem = {0};
    if (err == NULL) {
        const struct buf *body = &answer->response->body;
        if (docker_tar_read(buf_str(body), body->length, self->select, &files, &count, &problem) <
            0) {
            (void)error_wrap(&problem, "%s", answer->what);
            err = &problem;
        }
    }
    self->done(self->ctx, files, count, err);
    docker_files_free(files, count);
}

int docker_archive_get(struct docker *docker, const char *container, const char *path,
                       docker_select_fn select, docker_files_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_GET,
        .what = "read $1 in container $0",
        .path = "/containers/$0/archive?path=$1",
        .args = {container, path},
        .effect = API_READS,
        .raw = on_archive,
        .ctx = &(struct reading){select, done, ctx},
        .ctx_size = sizeof(struct reading),
    };
    return docker_send(docker, &request, err);
}

int docker_archive_put(struct docker *docker, const char *container, const char *path,
                       const struct docker_file *files, size_t count, docker_done_fn done,
                       void *ctx, struct error *err)
{
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_BYTES_MAX);
    int r = docker_tar_write(files, count, &tar, err);
    if (r < 0) {
        return error_wrap(err, "engine: write below %s in container %s", path, container);
    }
    const struct api_request request = {
        .method = HTTP_PUT,
        .what = "write below $1 in container $0",
        // Where a directory lies in a file's place, or the other way round, nothing is lost.
        .path = "/containers/$0/archive?path=$1&noOverwriteDirNonDir=true",
        .args = {container, path},
        .content_type = "application/x-tar",
        .body = buf_str(&tar),
        .body_length = tar.length,
        .done = done,
        .ctx = ctx,
    };
    return docker_send(docker, &request, err);
}
