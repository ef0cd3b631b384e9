#include "lib/base/file.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static int fail(int code, struct error *err)
{
    return error_set(err, ERROR_PERMANENT, code, "cannot be read: %s", strerror(code));
}

static int refuse(mode_t mode, struct error *err)
{
    return error_invalid(err, "is %s, not a file",
                         S_ISFIFO(mode)                   ? "a FIFO"
                         : S_ISSOCK(mode)                 ? "a socket"
                         : S_ISDIR(mode)                  ? "a directory"
                         : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                                          : "something else");
}

// A FIFO that has a name is in the file system of its directory.
static bool is_anonymous_pipe(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

// Opens without waiting for anybody. Returns a descriptor, whose reads may wait for a pipe's
// writer.
static int open_source(const char *path, enum file_source source, struct stat *ret,
                       struct error *err)
{
    // Looked at before it is opened: that alone does something to some devices.
    if (stat(path, ret) < 0) {
        return fail(errno, err);
    }
    bool pipe_too = source == FILE_OR_PIPE && S_ISFIFO(ret->st_mode);
    if (!S_ISREG(ret->st_mode) && !pipe_too) {
        return refuse(ret->st_mode, err);
    }
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, ret) < 0) {
        return fail(errno, err);
    }
    if (!S_ISREG(ret->st_mode) && !(pipe_too && is_anonymous_pipe(fd))) {
        return refuse(ret->st_mode, err);
    }
    if (pipe_too && fcntl(fd, F_SETFL, O_RDONLY) < 0) {
        return fail(errno, err);
    }
    return TAKE_FD(fd);
}

// Reads until the end or until size bytes are there. Returns their number or -errno.
static ssize_t read_some(int fd, char *data, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, data + length, size - length));
        if (n <= 0) {
            return n < 0 ? -errno : (ssize_t)length;
        }
        length += (size_t)n;
    }
    return (ssize_t)length;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// Returns the length of what fits in max + 1 bytes of data, or -errno.
static ssize_t read_whole(int fd, const struct stat *before, char *data, size_t max,
                          struct error *err)
{
    struct stat after;
    ssize_t n = read_some(fd, data, max + 1);
    if (n < 0 || fstat(fd, &after) < 0) {
        return fail(n < 0 ? (int)-n : errno, err);
    }
    if ((size_t)n > max) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "exceeds %zu bytes", max);
    }
    if (n == 0 && S_ISFIFO(after.st_mode)) {
        return error_set(err, ERROR_PERMANENT, ENODATA, "is a pipe that nothing comes through");
    }
    // A file that is replaced meanwhile is read as it was; one that is written to is a mixture.
    if (S_ISREG(after.st_mode) && !is_same(before, &after)) {
        return error_set(err, ERROR_TRANSIENT, EBUSY, "cannot be read: it is being written");
    }
    return n;
}

int file_read(const char *path, size_t max, enum file_source source, char **ret, size_t *ret_length,
              struct error *err)
{
    struct stat st;
    _cleanup_close_ int fd = open_source(path, source, &st, err);
    if (fd < 0) {
        return fd;
    }
    // One byte more than max tells a file that is too long; grown buffers would leave copies.
    _cleanup_free_ char *data = xmalloc(max + 1);
    ssize_t length = read_whole(fd, &st, data, max, err);
    if (length < 0) {
        explicit_bzero(data, max + 1);
        return (int)length;
    }
    data[length] = '\0';
    *ret = TAKE_PTR(data);
    *ret_length = (size_t)length;
    return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, data, length));
        if (n < 0) {
            return -errno;
        }
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

int file_replace(const char *path, const char *data, size_t length)
{
    // Of another name than that of a process which does the same at this time.
    _cleanup_free_ char *new_path = str_printf("%s.%d.new", path, (int)getpid());
    int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : write_all(fd, data, length);
    if (fd >= 0 && close(fd) < 0 && r == 0) {
        r = -errno;
    }
    if (r == 0 && rename(new_path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)unlink(new_path);
    }
    return r;
}
