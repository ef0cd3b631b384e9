#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/docker/docker_access.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PEM_BYTES_MAX (256u * 1024u)
#define UNIX_SCHEME "unix://"

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
    struct statvfs fs;
    if (code == 0 && statvfs(job->path, &fs) == 0) {
        storage->others = st.st_uid != geteuid();
        storage->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
        storage->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    }
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

void password_check(void *block)
{
    struct storage_job *job = block;
    struct stat st;
    int code = stat(job->path, &st) < 0 || access(job->path, R_OK) < 0 ? errno : 0;
    bool regular = code == 0 && S_ISREG(st.st_mode);
    if (regular && st.st_size > 0 && st.st_size <= PASSWORD_BYTES_MAX) {
        (void)snprintf(job->stamp, sizeof(job->stamp), "%jd.%ld %jd", (intmax_t)st.st_mtim.tv_sec,
                       st.st_mtim.tv_nsec, (intmax_t)st.st_size);
        return;
    }
    job->storage.state = STORAGE_BROKEN;
    (void)snprintf(job->storage.why, sizeof(job->storage.why), "%s cannot be read (%s)", job->path,
                   regular     ? st.st_size == 0 ? "it is empty" : "it is too long"
                   : code == 0 ? "it is no file"
                               : strerror(code));
}

// https://man7.org/linux/man-pages/man5/acl.5.html, in the form of linux/posix_acl_xattr.h; the
// library for it is not there for these few lines.
void storage_admit(const char *path, uint32_t user)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return;
    }
    uint16_t group = (uint16_t)((st.st_mode & S_IRWXG) >> 3);
    uint16_t rest = (uint16_t)(st.st_mode & S_IRWXO);
    uint32_t none = UINT32_MAX; // ACL_UNDEFINED_ID, of entries that name nobody
    const struct posix_acl_xattr_entry entries[] = {
        {htole16(ACL_USER_OBJ), htole16(7), none},
        {htole16(ACL_USER), htole16(7), htole32(user)},
        {htole16(ACL_GROUP_OBJ), htole16(group), none},
        {htole16(ACL_MASK), htole16(7), none},
        {htole16(ACL_OTHER), htole16(rest), none},
    };
    char value[sizeof(struct posix_acl_xattr_header) + sizeof(entries)];
    const struct posix_acl_xattr_header header = {htole32(POSIX_ACL_XATTR_VERSION)};
    memcpy(value, &header, sizeof(header));
    memcpy(value + sizeof(header), entries, sizeof(entries));
    (void)setxattr(path, "system.posix_acl_access", value, sizeof(value), 0);
}

void find_run(void *block)
{
    struct find_job *job = block;
    struct docker_place *place = &job->place;
    if (docker_find(&job->hints, place, &job->error) < 0) {
        (void)error_wrap(&job->error, "engine");
        return;
    }
    if (str_starts_with(place->host, UNIX_SCHEME) &&
        docker_access(place->host + strlen(UNIX_SCHEME), &job->error) < 0) {
        return;
    }
    const char *const paths[TLS_FILES] = {place->ca, place->cert, place->key};
    for (size_t i = 0; i < TLS_FILES && job->error.kind == ERROR_NONE; i++) {
        size_t length = 0;
        struct error error = {0};
        if (place->tls && paths[i] != NULL &&
            file_read(paths[i], PEM_BYTES_MAX, FILE_REGULAR, &job->texts[i], &length, &error) < 0) {
            // Not by its own errno, which would speak of the engine's socket.
            (void)error_set(&job->error, error.kind, EINVAL, "engine: %s %s", paths[i], error.text);
        }
    }
}

void find_destroy(void *block)
{
    struct find_job *job = block;
    for (size_t i = 0; i < TLS_FILES; i++) {
        if (job->texts[i] != NULL) {
            explicit_bzero(job->texts[i], strlen(job->texts[i]));
        }
        free(job->texts[i]);
    }
    docker_place_done(&job->place);
    arena_done(&job->arena);
    free(job);
}
