#include "lib/base/file.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int file_read_some(int fd, char *data, size_t size, size_t *ret_length)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = read(fd, data + length, size - length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        length += (size_t)n;
    }
    *ret_length = length;
    return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_length)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    // One byte more than max tells a file that is too long; grown buffers would leave copies.
    _cleanup_free_ char *data = malloc(max + 1);
    if (data == NULL) {
        return -ENOMEM;
    }
    size_t length = 0;
    int r = file_read_some(fd, data, max + 1, &length);
    if (r == 0 && length > max) {
        r = -EFBIG;
    }
    if (r < 0) {
        explicit_bzero(data, max + 1);
        return r;
    }
    data[length] = '\0';
    *ret = TAKE_PTR(data);
    *ret_length = length;
    return 0;
}

static int write_new(const char *path, int (*write)(void *ctx, FILE *stream), void *ctx)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    FILE *stream = fdopen(fd, "w");
    if (stream == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    int r = write(ctx, stream);
    return fclose(stream) != 0 && r == 0 ? -errno : r;
}

int file_replace(const char *path, int (*write)(void *ctx, FILE *stream), void *ctx)
{
    // Of another name than that of a process which does the same at this time.
    _cleanup_free_ char *new_path = str_printf("%s.%d.new", path, (int)getpid());
    if (new_path == NULL) {
        return -ENOMEM;
    }
    int r = write_new(new_path, write, ctx);
    if (r == 0 && rename(new_path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)unlink(new_path);
    }
    return r;
}
