#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_BYTES_MAX (256u * 1024u)

struct storage_job *storage_job_new(const char *path)
{
    struct storage_job *job = xcalloc(1, sizeof(*job) + strlen(path) + 1);
    memcpy(job->path, path, strlen(path) + 1);
    return job;
}

// Whether the path, or one above it, is a link to what is not there: of that mkdir says EEXIST, and
// stat that it is missing. Fills at with the link and target with where it leads.
static bool is_dangling(const char *path, char at[PATH_MAX], char target[PATH_MAX])
{
    (void)snprintf(at, PATH_MAX, "%s", path);
    for (char *end = at + strlen(at); end > at; end = strrchr(at, '/')) {
        *end = '\0';
        ssize_t length = readlink(at, target, PATH_MAX - 1);
        if (length >= 0) {
            target[length] = '\0';
            return access(at, F_OK) < 0 && errno == ENOENT;
        }
        if (errno != ENOENT) {
            return false; // it is there and no link
        }
    }
    return false;
}

void storage_check(void *block)
{
    struct storage_job *job = block;
    char at[PATH_MAX];
    char target[PATH_MAX];
    struct stat st;
    int code = stat(job->path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    // The registry writes as root, so only a file system that nobody can write to matters.
    if (code == 0 && access(job->path, W_OK) < 0 && errno == EROFS) {
        code = EROFS;
    }
    struct storage *storage = &job->storage;
    if (code == ENOENT && is_dangling(job->path, at, target)) {
        storage->state = STORAGE_BROKEN;
        (void)snprintf(storage->why, sizeof(storage->why),
                       "%.230s is a link to %.230s, which is not there", at, target);
    } else if (code != 0) {
        storage->state = code == ENOENT                    ? STORAGE_MISSING
                         : code == EACCES || code == EROFS ? STORAGE_FORBIDDEN
                                                           : STORAGE_BROKEN;
        (void)snprintf(storage->why, sizeof(storage->why), "%s cannot be used (%s)", job->path,
                       strerror(code));
    }
}

void tls_read(void *block)
{
    struct tls_job *job = block;
    for (size_t i = 0; i < TLS_FILES && job->error.kind == ERROR_NONE; i++) {
        const char *path = job->paths[i];
        size_t length = 0;
        struct error error = {0};
        if (path != NULL &&
            file_read(path, PEM_BYTES_MAX, FILE_REGULAR, &job->texts[i], &length, &error) < 0) {
            // Not by its own errno, which would speak of the engine's socket.
            (void)error_set(&job->error, error.kind, EINVAL, "engine: %s %s", path, error.text);
        }
    }
}

void tls_destroy(void *block)
{
    struct tls_job *job = block;
    for (size_t i = 0; i < TLS_FILES; i++) {
        free(job->paths[i]);
        if (job->texts[i] != NULL) {
            explicit_bzero(job->texts[i], strlen(job->texts[i]));
        }
        free(job->texts[i]);
    }
    free(job);
}
