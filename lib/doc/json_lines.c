#include "lib/doc/json_lines.h"

#include <errno.h>
#include <string.h>

static int parse_line(const struct json_lines *lines, const char *line, size_t length,
                      struct error *err)
{
    json_error_t problem = {0};
    size_t blank = 0;
    while (blank < length && (line[blank] == ' ' || line[blank] == '\t' || line[blank] == '\r')) {
        blank++;
    }
    if (blank == length) {
        return 0;
    }
    json_auto_t *value = json_loadb(line, length, 0, &problem);
    if (value == NULL) {
        // Not jansson's text: it quotes the line, which may hold a secret.
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "a line of the stream is no valid JSON at byte %d of %zu",
                         problem.position, length);
    }
    return lines->fn(lines->ctx, value, err);
}

int json_lines_feed(struct json_lines *lines, const char *data, size_t length, struct error *err)
{
    struct buf *partial = &lines->partial;
    const char *end = data + length;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t part = (size_t)((newline == NULL ? end : newline) - data);
        int r = 0;
        if (part > partial->max - partial->length) {
            r = error_set(err, ERROR_PERMANENT, EFBIG, "a line of the stream exceeds %zu bytes",
                          partial->max);
        } else if (newline != NULL && partial->length == 0) {
            r = parse_line(lines, data, part, err); // the whole line is here: no copy
        } else {
            (void)buf_append(partial, data, part);
            r = newline == NULL ? 0 : json_lines_end(lines, err);
        }
        if (r < 0) {
            return r;
        }
        data += part + (newline != NULL);
    }
    return 0;
}

int json_lines_end(struct json_lines *lines, struct error *err)
{
    int r = parse_line(lines, buf_str(&lines->partial), lines->partial.length, err);
    buf_done(&lines->partial);
    return r;
}
