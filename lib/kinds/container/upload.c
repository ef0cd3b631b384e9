#include "lib/kinds/container/upload.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_full(const char *text)
{
    return strstr(text, "no space left on device") != NULL ||
           strstr(text, "quota exceeded") != NULL;
}

// {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": {"DriverName":
// "filesystem", "Enclosed": {"Op": "mkdir", "Path": "/var/lib/registry/docker", "Err": 13}}}]}, as
// distribution 2.8 has it: Go's os.PathError with the number of errno.
static struct upload decode_failure(const char *body, size_t length)
{
    struct upload upload = {.state = UPLOAD_FAILED};
    json_auto_t *root = json_loadb(body, length, 0, NULL); // NULL: as of a proxy
    const json_t *first = json_array_get(json_get_array(root, "errors", NULL), 0);
    const json_t *detail = json_get_object(first, "detail", NULL);
    const json_t *enclosed = json_get_object(detail, "Enclosed", NULL);
    const json_t *failed = enclosed != NULL ? enclosed : detail;
    const char *op = json_get_string(failed, "Op", NULL);
    const char *path = json_get_string(failed, "Path", NULL);
    int code = (int)json_get_int(failed, 0, "Err", NULL);
    const char *text = strerrordesc_np(code);
    if (op != NULL && path != NULL && code != 0 && text != NULL) {
        (void)snprintf(upload.why, sizeof(upload.why), "%s %s: %s", op, path, text);
        str_make_printable(upload.why);
    } else {
        str_excerpt(body, upload.why, sizeof(upload.why));
    }
    if (code == ENOSPC || code == EDQUOT || is_full(body)) {
        upload.state = UPLOAD_FULL;
    }
    return upload;
}

struct upload upload_decode(int status, const char *body, size_t length)
{
    if (status >= 500) {
        return decode_failure(body, length);
    }
    return (struct upload){.state = status >= 200 && status < 300 ? UPLOAD_TAKEN
                                    : status == 405               ? UPLOAD_REFUSED
                                                                  : UPLOAD_UNKNOWN};
}
