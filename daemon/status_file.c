#include "daemon/status_file.h"

#include "lib/base/file.h"

#include <unistd.h>

struct publication {
    struct status *status;
    const char *config_file;
};

static int write_status(void *ctx, FILE *stream)
{
    const struct publication *publication = ctx;
    return status_write_json(publication->status, (int)getpid(), publication->config_file, stream);
}

int status_file_write(const char *path, struct status *status, const char *config_file)
{
    struct publication publication = {.status = status, .config_file = config_file};
    return file_replace(path, write_status, &publication);
}
