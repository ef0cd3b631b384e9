#include "daemon/status_file.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_new(const char *path, const struct status *status, const char *config_file)
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
    int r = status_write_json(status, (int)getpid(), config_file, stream);
    return fclose(stream) != 0 && r == 0 ? -errno : r;
}

int status_file_write(const char *path, const struct status *status, const char *config_file)
{
    _cleanup_free_ char *new_path = str_printf("%s.new", path);
    if (new_path == NULL) {
        return -ENOMEM;
    }
    int r = write_new(new_path, status, config_file);
    if (r == 0 && rename(new_path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)unlink(new_path);
    }
    return r;
}
