#include "daemon/runtime.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HOLDER_TEXT_MAX (PATH_MAX + 32)
#define OTHERS_MODE 0077
#define SESSION_PATH_MAX 32

void holder_done(struct holder *holder)
{
    free(holder->config_file);
    *holder = (struct holder){0};
}

char *runtime_path(const char *directory, const char *name, const char *suffix)
{
    return str_printf("%s/%016jx%s", directory, (uintmax_t)str_hash(name), suffix);
}

// A link is none, whatever it points to.
static bool is_own_directory(const char *path, struct stat *ret)
{
    return lstat(path, ret) == 0 && S_ISDIR(ret->st_mode) && ret->st_uid == getuid();
}

// In /tmp the name is anybody's to take first.
static int check_directory(const char *path, struct error *err)
{
    struct stat st;
    if (!is_own_directory(path, &st)) {
        return error_set(err, ERROR_PERMANENT, EPERM, "%s is no directory of this user", path);
    }
    if ((st.st_mode & OTHERS_MODE) != 0) {
        return error_set(err, ERROR_PERMANENT, EPERM,
                         "%s is open to other users; close it with `chmod 700 %s`", path, path);
    }
    return 0;
}

// The caller frees it, NULL when out of memory.
static char *directory_path(void)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    unsigned user = getuid();
    char session[SESSION_PATH_MAX];
    struct stat st;
    (void)snprintf(session, sizeof(session), "/run/user/%u", user);
    // A relative one is to be ignored: XDG base directories.
    if (base == NULL || base[0] != '/') {
        base = is_own_directory(session, &st) ? session : NULL;
    }
    return base == NULL ? str_printf("/tmp/hostk8s-registryd-%u", user)
                        : str_printf("%s/hostk8s-registryd", base);
}

int runtime_make_directory(const char *path, struct error *err)
{
    if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST) {
        int code = errno;
        return error_set(err, ERROR_PERMANENT, code, "cannot make %s: %s", path, strerror(code));
    }
    return check_directory(path, err);
}

int runtime_directory(char **ret, struct error *err)
{
    _cleanup_free_ char *path = directory_path();
    int r = path == NULL ? error_oom(err) : runtime_make_directory(path, err);
    if (r == 0) {
        *ret = TAKE_PTR(path);
    }
    return r;
}

static int read_holder(int fd, struct holder *ret)
{
    char text[HOLDER_TEXT_MAX] = "";
    if (pread(fd, text, sizeof(text) - 1, 0) < 0) {
        return -errno;
    }
    char *file = text + strcspn(text, "\n");
    if (*file == '\n') {
        *file++ = '\0';
    }
    file[strcspn(file, "\n")] = '\0';
    uint64_t pid = 0;
    (void)str_to_u64(text, INT32_MAX, &pid);
    *ret = (struct holder){.pid = (pid_t)pid, .config_file = str_dup(file)};
    return ret->config_file == NULL ? -ENOMEM : 0;
}

static int write_holder(int fd, const char *config_file)
{
    char text[HOLDER_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%d\n%s\n", (int)getpid(), config_file);
    size_t length = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;
    // In this order, since somebody may read meanwhile; what a longer text leaves is a third line.
    return pwrite(fd, text, length, 0) < 0 || ftruncate(fd, (off_t)length) < 0 ? -errno : 0;
}

int runtime_lock(const char *path, const char *config_file, struct holder *ret_other)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0) {
        return -errno;
    }
    if (fcntl(fd, F_OFD_SETLK, &whole_file) < 0) {
        if (errno != EAGAIN && errno != EACCES) {
            return -errno;
        }
        int r = read_holder(fd, ret_other);
        return r < 0 ? r : -EBUSY;
    }
    int r = write_holder(fd, config_file);
    if (r < 0) {
        return r;
    }
    return TAKE_FD(fd);
}

int runtime_find(const char *path, struct holder *ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (fcntl(fd, F_OFD_GETLK, &holder) < 0) {
        return -errno;
    }
    if (holder.l_type == F_UNLCK) {
        return 0;
    }
    int r = read_holder(fd, ret);
    return r < 0 ? r : 1;
}
