#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

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

#define DIRECTORY_MODE 0755
// Where others than root have no more than the first, and root no more than both: ext4 keeps up to
// 4096 clusters of what it tells as free for itself (fs/ext4/super.c).
#define FULL_BYTES (1u << 20)
#define EXT4_OWN_BYTES (16u << 20)

struct file_job *file_job_new(const char *path)
{
    struct file_job *file = xcalloc(1, sizeof(*file) + strlen(path) + 1);
    memcpy(file->path, path, strlen(path) + 1);
    return file;
}

void file_job_free(void *block)
{
    struct file_job *file = block;
    secret_wipe(file->password);
    free(file);
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
    struct file_job *job = block;
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
        storage->full = fs.f_blocks > 0 && storage->free_bytes < FULL_BYTES &&
                        (uint64_t)fs.f_bfree * fs.f_frsize < FULL_BYTES + EXT4_OWN_BYTES;
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
    struct file_job *job = block;
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

void local_read(const char *path, size_t max, char **ret, struct error *err)
{
    size_t length = 0;
    struct error error = {0};
    if (file_read(path, max, FILE_REGULAR, ret, &length, &error) < 0) {
        (void)error_set(err, error.kind, EINVAL, "%s %s", path, error.text);
    }
}

void password_read(void *block)
{
    struct file_job *file = block;
    local_read(file->path, PASSWORD_BYTES_MAX, &file->password, &file->error);
}

// Lets another user write in a directory of this one's, as far as its file system knows of access
// control lists: https://man7.org/linux/man-pages/man5/acl.5.html, in the form of
// linux/posix_acl_xattr.h; the library for it is not there for these few lines.
static void admit(const char *path, uint32_t user)
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

void storage_make(void *block)
{
    struct file_job *file = block;
    char *end = file->path;
    do {
        end = strchrnul(end + 1, '/');
        char kept = *end;
        *end = '\0';
        struct stat st;
        int code = mkdir(file->path, DIRECTORY_MODE) < 0 ? errno : 0;
        if (code == EEXIST) {
            code = stat(file->path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
        }
        if (code != 0) {
            (void)error_set(&file->error, ERROR_PERMANENT, code, "cannot make %s: %s", file->path,
                            strerror(code));
            return;
        }
        *end = kept;
    } while (*end != '\0');
    if (file->user != 0) {
        admit(file->path, file->user);
    }
}
