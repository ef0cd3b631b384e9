#include "lib/doc/path.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define VARIABLE_NAME_MAX 64
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static int append_variable(struct buf *out, const char *name, size_t length,
                           const struct path_source *source, struct error *err)
{
    if (length == 0 || length > VARIABLE_NAME_MAX || isdigit((unsigned char)name[0])) {
        return error_invalid(err, "has a $ without the name of a variable; $$ is a dollar sign");
    }
    _cleanup_free_ char *copy = str_dup_n(name, length);
    const char *value = source->get(source->ctx, copy);
    if (str_empty(value)) {
        return error_invalid(err, "the variable %s is not set", copy);
    }
    bool directory = str_ends_with(copy, "HOME") || str_equal(copy, "XDG_RUNTIME_DIR");
    if (directory && value[0] != '/') { // another one in each working directory
        return error_invalid(err, "the variable %s is not an absolute path", copy);
    }
    return buf_append_str(out, value);
}

// Expands the $ that text begins with. Returns the bytes of text that it takes, or as expand.
static ssize_t append_dollar(struct buf *out, const char *text, const struct path_source *source,
                             struct error *err)
{
    bool braces = text[1] == '{';
    const char *name = text + 1 + braces;
    size_t length = strspn(name, NAME_CHARACTERS);
    if (text[1] == '$') {
        return buf_append_str(out, "$") < 0 ? -EFBIG : 2;
    }
    if (braces && name[length] != '}') {
        return error_invalid(err, "has a ${ that is not closed by a }");
    }
    int r = append_variable(out, name, length, source, err);
    return r < 0 ? r : name + length + braces - text;
}

// Returns 0, -EFBIG for more than out may hold, or -EINVAL with the reason in err.
static int expand(struct buf *out, const char *text, const struct path_source *source,
                  struct error *err)
{
    ssize_t n = 0;
    if (text[0] == '~' && text[1] != '\0' && text[1] != '/') {
        return error_invalid(err,
                             "~ stands for your own home directory only: write ~/ or the path");
    }
    if (text[0] == '~') {
        n = append_variable(out, "HOME", strlen("HOME"), source, err);
        text++;
    }
    while (n >= 0 && *text != '\0') {
        size_t length = strcspn(text, "$");
        n = length == 0                         ? append_dollar(out, text, source, err)
            : buf_append(out, text, length) < 0 ? -EFBIG
                                                : (ssize_t)length;
        text += MAX(n, 0);
    }
    return n < 0 ? (int)n : 0;
}

// Cleans an absolute path in place.
static void clean(char *path)
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

int path_expand(const char *text, const struct path_source *source, char **ret, struct error *err)
{
    if (*text == '\0') {
        *ret = NULL;
        return 0;
    }
    _cleanup_buf_ struct buf expanded = BUF_INIT(PATH_BYTES_MAX);
    int r = expand(&expanded, text, source, err);
    if (r < 0) {
        return r == -EFBIG ? error_invalid(err, "must have at most %d bytes", PATH_BYTES_MAX) : r;
    }
    _cleanup_free_ char *path =
        str_printf("%s/%s", expanded.data[0] == '/' ? "" : source->directory, expanded.data);
    if (!str_is_utf8(path)) { // a directory of any name may have the file
        return error_invalid(err, "is not valid UTF-8 once expanded");
    }
    clean(path);
    *ret = TAKE_PTR(path);
    return 0;
}

char *path_escape(const char *path)
{
    char *escaped = xmalloc(2 * strlen(path) + 1);
    char *out = escaped;
    do {
        *out++ = *path;
        if (*path == '$') {
            *out++ = '$';
        }
    } while (*path++ != '\0');
    return escaped;
}
