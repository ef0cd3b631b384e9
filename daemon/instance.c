#include "daemon/instance.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_TEXT_MAX 32
#define INSTANCE_NONE ((struct instance){.lock_fd = -1, .status_lock_fd = -1})

// FNV-1a: names a configuration file in a file name. http://www.isthe.com/chongo/tech/comp/fnv/
static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    }
    return hash;
}

// The directory, made when missing; the caller frees it.
static int runtime_directory(char **ret, struct error *err)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    _cleanup_free_ char *path = str_empty(base)
                                    ? str_printf("/tmp/hostk8s-registryd-%u", (unsigned)getuid())
                                    : str_printf("%s/hostk8s-registryd", base);
    if (path == NULL) {
        return error_oom(err);
    }
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        int code = errno;
        return error_set(err, ERROR_PERMANENT, code, "cannot make %s: %s", path, strerror(code));
    }
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid()) {
        return error_set(err, ERROR_PERMANENT, EPERM, "%s is no directory of this user", path);
    }
    *ret = TAKE_PTR(path);
    return 0;
}

// Opens and locks. Returns the descriptor, -EAGAIN when another process has the lock, or -errno.
static int lock_file(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &whole_file) < 0) {
        return -errno;
    }
    return TAKE_FD(fd);
}

static pid_t read_pid(const char *path)
{
    char text[PID_TEXT_MAX] = "";
    uint64_t pid = 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) {
        text[strcspn(text, "\n")] = '\0';
        (void)str_to_u64(text, INT32_MAX, &pid);
    }
    return (pid_t)pid;
}

static int write_pid(int fd)
{
    char text[PID_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    return ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n ? -errno : 0;
}

int instance_claim(const char *config_file, struct instance *ret, pid_t *ret_pid, struct error *err)
{
    _cleanup_(instance_done) struct instance instance = INSTANCE_NONE;
    _cleanup_free_ char *directory = NULL;
    int r = runtime_directory(&directory, err);
    if (r < 0) {
        return r;
    }
    uint64_t hash = name_hash(config_file);
    _cleanup_free_ char *lock = str_printf("%s/%016jx.lock", directory, (uintmax_t)hash);
    _cleanup_free_ char *own_status = str_printf("%s/%016jx.json", directory, (uintmax_t)hash);
    _cleanup_free_ char *status_lock = str_printf("%s/status.lock", directory);
    _cleanup_free_ char *status = str_printf("%s/status.json", directory);
    if (lock == NULL || own_status == NULL || status_lock == NULL || status == NULL) {
        return error_oom(err);
    }

    instance.lock_fd = lock_file(lock);
    if (instance.lock_fd == -EAGAIN) {
        *ret_pid = read_pid(lock);
        return error_set(err, ERROR_PERMANENT, EBUSY, "process %d runs with %s already",
                         (int)*ret_pid, config_file);
    }
    r = instance.lock_fd < 0 ? instance.lock_fd : write_pid(instance.lock_fd);
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "cannot lock %s: %s", lock, strerror(-r));
    }
    // A second daemon, with another configuration, publishes under its own name.
    instance.status_lock_fd = lock_file(status_lock);
    if (instance.status_lock_fd >= 0) {
        (void)unlink(own_status);
    }
    instance.status_file = instance.status_lock_fd >= 0 ? TAKE_PTR(status) : TAKE_PTR(own_status);
    *ret = TAKE(instance, INSTANCE_NONE);
    return 0;
}

pid_t instance_find(const char *config_file, char **ret_status_file, struct error *err)
{
    _cleanup_free_ char *directory = NULL;
    int r = runtime_directory(&directory, err);
    if (r < 0) {
        return r;
    }
    uint64_t hash = name_hash(config_file);
    _cleanup_free_ char *lock = str_printf("%s/%016jx.lock", directory, (uintmax_t)hash);
    _cleanup_free_ char *own_status = str_printf("%s/%016jx.json", directory, (uintmax_t)hash);
    _cleanup_free_ char *status = str_printf("%s/status.json", directory);
    if (lock == NULL || own_status == NULL || status == NULL) {
        return error_oom(err);
    }
    _cleanup_close_ int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &holder) < 0 || holder.l_type == F_UNLCK) {
        return 0;
    }
    if (ret_status_file != NULL) {
        *ret_status_file = access(own_status, F_OK) == 0 ? TAKE_PTR(own_status) : TAKE_PTR(status);
    }
    return read_pid(lock);
}

void instance_done(struct instance *instance)
{
    if (instance->status_file != NULL) {
        (void)unlink(instance->status_file);
    }
    free(instance->status_file);
    closep(&instance->status_lock_fd);
    closep(&instance->lock_fd);
    *instance = INSTANCE_NONE;
}
