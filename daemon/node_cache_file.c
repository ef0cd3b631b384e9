#include "daemon/node_cache_file.h"

#include "daemon/runtime.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <errno.h>
#include <string.h>

#define CACHE_MAX ((size_t)16 * 1024 * 1024)

// Returns NULL when there can be none.
static char *cache_path(const char *config_file)
{
    _cleanup_free_ char *directory = NULL;
    return runtime_directory(&directory, NULL) < 0 ? NULL
                                                   : runtime_path(directory, config_file, ".nodes");
}

void node_cache_file_load(const char *config_file, struct backend *backend)
{
    _cleanup_free_ char *path = cache_path(config_file);
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    int r = path == NULL ? -ENOENT : file_read(path, CACHE_MAX, &text, &length);
    if (r == 0) {
        r = backend_load_cache(backend, text, length);
    }
    if (r < 0 && r != -ENOENT) {
        log_debug("%s is of no use: %s", path, strerror(-r));
    }
}

static int write_text(void *ctx, FILE *stream)
{
    const struct buf *text = ctx;
    return fwrite(text->data, 1, text->length, stream) == text->length ? 0 : -EIO;
}

void node_cache_file_save(const char *config_file, const struct backend *backend)
{
    _cleanup_free_ char *path = cache_path(config_file);
    _cleanup_buf_ struct buf text = BUF_INIT(CACHE_MAX);
    int r = path == NULL ? -ENOENT : backend_print_cache(backend, &text);
    if (r == 0) {
        r = file_replace(path, write_text, &text);
    }
    if (r < 0) {
        log_debug("what is known of the nodes is not kept: %s", strerror(-r));
    }
}
