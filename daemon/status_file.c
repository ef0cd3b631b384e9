#include "daemon/status_file.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FILE_MAX (64u * 1024u * 1024u)

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            data += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

int status_file_write(const char *path, const struct status *status, const char *config_file)
{
    _cleanup_buf_ struct buf text = BUF_INIT(STATUS_FILE_MAX);
    int r = status_to_json(status, (int)getpid(), config_file, &text);
    if (r < 0) {
        return r;
    }
    _cleanup_free_ char *new_path = str_printf("%s.new", path);
    if (new_path == NULL) {
        return -ENOMEM;
    }
    _cleanup_close_ int fd =
        open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    r = write_all(fd, buf_str(&text), text.length);
    if (r >= 0 && rename(new_path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)unlink(new_path);
    }
    return r;
}
