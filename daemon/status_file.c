#include "daemon/status_file.h"

#include "lib/base/file.h"
#include "lib/doc/json_text.h"

#include <unistd.h>

#define STATUS_BYTES_MAX ((size_t)64 * 1024 * 1024)

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

int status_file_read(const char *path, json_t **ret)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    int r = file_read(path, STATUS_BYTES_MAX, &text, &length);
    return r < 0 ? r : json_parse(text, length, ret, NULL);
}
