#include "lib/base/secret.h"

#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

// More than any message shows, so that no secret is cut in two where it is still seen.
#define TEXT_BYTES_MAX 4096
#define HIDDEN "***"

struct secrets {
    struct strv parts;
    LIST_ENTRY(secrets) link;
};

static LIST_HEAD(owner_list, secrets) owners = LIST_HEAD_INITIALIZER(owners);

int secrets_new(struct secrets **ret)
{
    struct secrets *secrets = calloc(1, sizeof(*secrets));
    if (secrets == NULL) {
        return -ENOMEM;
    }
    LIST_INSERT_HEAD(&owners, secrets, link);
    *ret = secrets;
    return 0;
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

int secrets_add(struct secrets *secrets, const char *value)
{
    while (*value != '\0') {
        size_t length = 0;
        while (is_plain(value[length])) {
            length++;
        }
        if (length >= SECRET_BYTES_MIN) {
            _cleanup_free_ char *part = str_dup_n(value, length);
            if (part == NULL || strv_add(&secrets->parts, part) < 0) {
                return -ENOMEM;
            }
        }
        value += length > 0 ? length : 1;
    }
    return 0;
}

void secrets_free(struct secrets *secrets)
{
    if (secrets != NULL) {
        LIST_REMOVE(secrets, link);
        strv_done(&secrets->parts);
        free(secrets);
    }
}

// The length of the longest secret that text begins with, 0 when it begins with none.
static size_t secret_at(const char *text)
{
    size_t longest = 0;
    const struct secrets *secrets;
    LIST_FOREACH(secrets, &owners, link)
    {
        // cppcheck-suppress uninitvar; LIST_FOREACH sets it
        for (size_t i = 0; i < secrets->parts.count; i++) {
            const char *part = secrets->parts.items[i];
            size_t length = strlen(part);
            if (length > longest && strncmp(text, part, length) == 0) {
                longest = length;
            }
        }
    }
    return longest;
}

char *secret_hide(const char *text)
{
    char *copy = text == NULL ? NULL : str_dup_n(text, strnlen(text, TEXT_BYTES_MAX));
    if (copy == NULL) {
        return NULL;
    }
    // It only becomes shorter.
    char *to = copy;
    for (const char *from = copy; *from != '\0';) {
        size_t length = secret_at(from);
        if (length > 0) {
            memcpy(to, HIDDEN, strlen(HIDDEN));
            to += strlen(HIDDEN);
            from += length;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return copy;
}
