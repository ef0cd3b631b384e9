#include "lib/doc/json_lines.h"

#include "lib/doc/json_text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool line_is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            return false;
        }
    }
    return true;
}

static int line_too_long(const struct json_lines *lines, struct error *err)
{
    return error_set(err, ERROR_PERMANENT, EFBIG, "a line of the stream exceeds %zu bytes",
                     lines->partial.max);
}

static int line_parse(const struct json_lines *lines, const char *line, size_t length,
                      struct error *err)
{
    if (line_is_blank(line, length)) {
        return 0;
    }
    json_auto_t *value = NULL;
    int position = 0;
    int r = json_parse(line, length, &value, &position);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        // Not jansson's text: it quotes the line, which may hold a secret.
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "a line of the stream is no valid JSON at byte %d of %zu", position,
                         length);
    }
    return lines->fn(lines->ctx, value, err);
}

static int partial_append(struct json_lines *lines, const char *data, size_t length,
                          struct error *err)
{
    int r = buf_append(&lines->partial, data, length);
    if (r == -EFBIG) {
        return line_too_long(lines, err);
    }
    return r < 0 ? error_oom(err) : 0;
}

static int partial_parse(struct json_lines *lines, struct error *err)
{
    int r = line_parse(lines, buf_str(&lines->partial), lines->partial.length, err);
    buf_done(&lines->partial);
    return r;
}

int json_lines_feed(struct json_lines *lines, const char *data, size_t length, struct error *err)
{
    const char *end = data + length;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t part = (size_t)((newline == NULL ? end : newline) - data);
        int r;
        if (newline != NULL && lines->partial.length == 0) {
            // The whole line is here: no copy.
            r = part > lines->partial.max ? line_too_long(lines, err)
                                          : line_parse(lines, data, part, err);
        } else {
            r = partial_append(lines, data, part, err);
            if (r == 0 && newline != NULL) {
                r = partial_parse(lines, err);
            }
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
    return partial_parse(lines, err);
}

void json_lines_done(struct json_lines *lines)
{
    buf_done(&lines->partial);
}
