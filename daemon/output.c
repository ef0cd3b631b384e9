#include "daemon/output.h"

#include "lib/doc/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Twice what a status file may have, for the indentation.
#define JSON_BYTES_MAX ((size_t)128 * 1024 * 1024)
#define REAL_PRECISION 6

int output_json(const json_t *value)
{
    _cleanup_buf_ struct buf text = BUF_INIT(JSON_BYTES_MAX);
    int r = json_print(&text, value, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_PRECISION));
    if (r == 0) {
        (void)puts(buf_str(&text));
    }
    return r;
}

int output_end(int r)
{
    if (r == 0 && fflush(stdout) != 0) {
        r = -errno;
    }
    if (r == 0 && ferror(stdout) != 0) {
        r = -EIO; // why is known no more
    }
    if (r < 0) {
        (void)fprintf(stderr, "hostk8s-registryd: cannot print: %s\n", strerror(-r));
    }
    return r;
}
