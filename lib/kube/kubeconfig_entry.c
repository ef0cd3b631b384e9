#include "lib/kube/kubeconfig_entry.h"

#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PEM_BYTES_MAX (1024u * 1024u)
#define TOKEN_BYTES_MAX (16u * 1024u)
#define PEM_MARK "-----BEGIN "

void kubeconfig_wipe(char *s)
{
    if (s != NULL) {
        explicit_bzero(s, strlen(s));
        free(s);
    }
}

int kubeconfig_refuse(const struct kubeconfig_entry *entry, const char *key,
                      const struct yaml_node *at, int code, struct error *err, const char *format,
                      ...)
{
    char reason[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    return error_set(err, ERROR_PERMANENT, code, "%s:%u:%u: %s[%s].%s.%s: %s",
                     entry->file == NULL ? "kubeconfig" : entry->file, at->line, at->column,
                     entry->list, entry->name, entry->key, key, reason);
}

int kubeconfig_get_text(const struct kubeconfig_entry *entry, const char *key,
                        const char **ret_text, const struct yaml_node **ret_node, struct error *err)
{
    const struct yaml_node *node = yaml_get(entry->node, key);
    const char *text = yaml_text(node);
    if (node != NULL && node->kind != YAML_KIND_SCALAR) {
        return kubeconfig_refuse(entry, key, node, EINVAL, err, "expected a single value, not %s",
                                 yaml_kind_name(node->kind));
    }
    *ret_text = str_empty(text) ? NULL : text;
    *ret_node = node;
    return 0;
}

static bool is_refused(const struct kubeconfig_refusal *refusal, const struct yaml_node *node)
{
    if (node == NULL || yaml_is_null(node)) {
        return false;
    }
    switch (node->kind) {
    case YAML_KIND_SCALAR:
        return node->text[0] != '\0' && !(node->plain && str_equal(node->text, refusal->allowed));
    case YAML_KIND_MAPPING:
    case YAML_KIND_SEQUENCE:
        return node->count > 0;
    }
    return true;
}

int kubeconfig_check_refusals(const struct kubeconfig_entry *entry,
                              const struct kubeconfig_refusal *refusals, size_t count,
                              struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *node = yaml_get(entry->node, refusals[i].key);
        if (is_refused(&refusals[i], node)) {
            return kubeconfig_refuse(entry, refusals[i].key, node, EOPNOTSUPP, err, "%s",
                                     refusals[i].reason);
        }
    }
    return 0;
}

// Reads the file that a value names, relative to the kubeconfig's directory.
static int read_named_file(const struct kubeconfig_entry *entry,
                           const struct kubeconfig_source *source, const char *name,
                           const struct yaml_node *at, char **ret, size_t *ret_length,
                           struct error *err)
{
    if (entry->file == NULL) {
        return kubeconfig_refuse(entry, source->key, at, EOPNOTSUPP, err,
                                 "a file cannot be read from here; use the %s itself",
                                 source->content == CONTENT_PEM ? "-data entry" : "token entry");
    }
    const char *slash = name[0] == '/' ? NULL : strrchr(entry->file, '/');
    int directory_length = slash == NULL ? 0 : (int)(slash - entry->file + 1);
    _cleanup_free_ char *path = str_printf("%.*s%s", directory_length, entry->file, name);
    if (path == NULL) {
        return error_oom(err);
    }
    int r = file_read(path, source->content == CONTENT_PEM ? PEM_BYTES_MAX : TOKEN_BYTES_MAX, ret,
                      ret_length);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        // ENOENT is for the context alone. The name stays out: it may be a key in the wrong place.
        return kubeconfig_refuse(entry, source->key, at, r == -ENOENT ? EIO : -r, err,
                                 "cannot read that file: %s", strerror(-r));
    }
    return 0;
}

// Checks the content; cuts the line end off a token. NULL: it is fine, else what is wrong with it.
static const char *check_content(enum kubeconfig_content content, char *text, size_t length)
{
    if (strlen(text) != length) {
        return "has a NUL character";
    }
    switch (content) {
    case CONTENT_PEM:
        return strstr(text, PEM_MARK) != NULL ? NULL
                                              : "is no PEM text: it lacks the line " PEM_MARK "...";
    case CONTENT_TOKEN:
        while (length > 0 && strchr("\r\n\t ", text[length - 1]) != NULL) {
            text[--length] = '\0';
        }
        if (length == 0 || length > TOKEN_BYTES_MAX) {
            return "is empty or too long";
        }
        for (size_t i = 0; i < length; i++) {
            // It becomes a header's value.
            if (text[i] <= ' ' || text[i] > '~') {
                return "has a character that no token has";
            }
        }
        return NULL;
    }
    return "is of no known kind";
}

static int load_source(const struct kubeconfig_entry *entry, const struct kubeconfig_source *source,
                       struct kube_credentials *credentials, struct error *err)
{
    char **target = (char **)((char *)credentials + source->target);
    const char *text = NULL;
    const struct yaml_node *at = NULL;
    int r = kubeconfig_get_text(entry, source->key, &text, &at, err);
    if (r < 0 || text == NULL || *target != NULL) {
        return r;
    }
    _cleanup_(kubeconfig_wipep) char *value = NULL;
    size_t length = 0;
    switch (source->form) {
    case SOURCE_BASE64:
        r = base64_decode(text, strlen(text), &value, &length);
        if (r == -EINVAL) {
            return kubeconfig_refuse(entry, source->key, at, EINVAL, err, "is not valid base64");
        }
        break;
    case SOURCE_TEXT:
        value = str_dup(text);
        length = strlen(text);
        break;
    case SOURCE_FILE:
        r = read_named_file(entry, source, text, at, &value, &length, err);
        if (r < 0) {
            return r;
        }
        break;
    }
    if (value == NULL) {
        return error_oom(err);
    }
    const char *problem = check_content(source->content, value, length);
    if (problem != NULL) {
        explicit_bzero(value, length); // also what follows a NUL
        return kubeconfig_refuse(entry, source->key, at, EINVAL, err, "%s", problem);
    }
    *target = TAKE_PTR(value);
    return 0;
}

int kubeconfig_load_sources(const struct kubeconfig_entry *entry,
                            const struct kubeconfig_source *sources, size_t count,
                            struct kube_credentials *credentials, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int r = load_source(entry, &sources[i], credentials, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
