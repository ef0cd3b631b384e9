#include "lib/doc/path.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define VARIABLE_NAME_MAX 64

static int path_append(struct buf *out, const char *data, size_t length, struct error *err)
{
    int r = buf_append(out, data, length);
    if (r == -EFBIG) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must have at most %zu bytes", out->max);
    }
    return r < 0 ? error_oom(err) : 0;
}

static int append_variable(struct buf *out, const char *name, size_t length,
                           const struct schema_source *source, struct error *err)
{
    char copy[VARIABLE_NAME_MAX + 1];
    if (length == 0 || length > VARIABLE_NAME_MAX || isdigit((unsigned char)name[0])) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "has a $ without the name of a variable; $$ is a dollar sign");
    }
    memcpy(copy, name, length);
    copy[length] = '\0';
    const char *value = source->get(source->ctx, copy);
    if (str_empty(value)) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "the variable %s is not set", copy);
    }
    return path_append(out, value, strlen(value), err);
}

static size_t name_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_') {
        n++;
    }
    return n;
}

// Expands what begins with the $ at *at and moves *at behind it.
static int append_dollar(struct buf *out, const char **at, const struct schema_source *source,
                         struct error *err)
{
    const char *name = *at + 1;
    if (*name == '$') {
        *at += 2;
        return path_append(out, "$", 1, err);
    }
    bool braces = *name == '{';
    if (braces) {
        name++;
    }
    size_t length = name_length(name);
    if (braces && name[length] != '}') {
        return error_set(err, ERROR_PERMANENT, EINVAL, "has a ${ that is not closed by a }");
    }
    *at = name + length + braces;
    return append_variable(out, name, length, source, err);
}

static int expand(struct buf *out, const char *text, const struct schema_source *source,
                  struct error *err)
{
    if (*text == '~') {
        if (text[1] != '\0' && text[1] != '/') {
            return error_set(err, ERROR_PERMANENT, EINVAL,
                             "~ stands for your own home directory only: write ~/ or the path");
        }
        int r = append_variable(out, "HOME", strlen("HOME"), source, err);
        if (r < 0) {
            return r;
        }
        text++;
    }
    while (*text != '\0') {
        size_t length = strcspn(text, "$");
        int r = path_append(out, text, length, err);
        text += length;
        if (r == 0 && *text == '$') {
            r = append_dollar(out, &text, source, err);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

// Cleans an absolute path in place.
static void path_clean(char *path)
{
    char *out = path;
    const char *in = path;
    while (*in != '\0') {
        while (*in == '/') {
            in++;
        }
        size_t length = strcspn(in, "/");
        if (length == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/') {
            }
        } else if (length > 0 && !(length == 1 && in[0] == '.')) {
            *out++ = '/';
            memmove(out, in, length);
            out += length;
        }
        in += length;
    }
    if (out == path) {
        *out++ = '/';
    }
    *out = '\0';
}

int path_expand(const char *text, const struct schema_source *source, char **ret, struct error *err)
{
    if (*text == '\0') {
        *ret = NULL;
        return 0;
    }
    _cleanup_buf_ struct buf expanded = BUF_INIT(SCHEMA_TEXT_MAX);
    int r = expand(&expanded, text, source, err);
    if (r < 0) {
        return r;
    }
    if (!str_is_utf8(buf_str(&expanded))) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "is not valid UTF-8 once expanded");
    }
    _cleanup_free_ char *path = expanded.data[0] == '/'
                                    ? buf_take(&expanded)
                                    : str_printf("%s/%s", source->directory, expanded.data);
    if (path == NULL) {
        return error_oom(err);
    }
    path_clean(path);
    *ret = TAKE_PTR(path);
    return 0;
}

char *path_escape(const char *path)
{
    _cleanup_buf_ struct buf out = BUF_INIT(2 * strlen(path));
    for (; *path != '\0'; path++) {
        if (buf_append(&out, "$$", *path == '$' ? 2 : 0) < 0 ||
            buf_append(&out, path, *path == '$' ? 0 : 1) < 0) {
            return NULL;
        }
    }
    return buf_take(&out);
}
