#include "lib/base/secret.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdbool.h>
#include <string.h>

// More than any message shows.
#define TEXT_BYTES_MAX 4096
#define HIDDEN "***"

struct secrets {
    struct strv parts; // without duplicates
};

struct secrets *secrets_new(void)
{
    return xcalloc(1, sizeof(struct secrets));
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void secrets_add(struct secrets *secrets, const char *value)
{
    while (!str_empty(value)) {
        size_t length = 0;
        while (is_plain(value[length])) {
            length++;
        }
        if (length >= SECRET_BYTES_MIN) {
            _cleanup_free_ char *part = str_dup_n(value, length);
            strv_add_unique(&secrets->parts, part);
        }
        value += length > 0 ? length : 1;
    }
}

// The length of the longest secret that text begins with, 0 when it begins with none.
static size_t secret_at(const struct secrets *secrets, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; secrets != NULL && i < secrets->parts.count; i++) {
        const char *part = secrets->parts.items[i];
        size_t length = strlen(part);
        if (length > longest && strncmp(text, part, length) == 0) {
            longest = length;
        }
    }
    return longest;
}

char *secrets_hide(const struct secrets *secrets, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    // What is cut is what it becomes: a secret that is cut in two would not be found.
    size_t room = strnlen(text, TEXT_BYTES_MAX);
    char *copy = xmalloc(room + strlen(HIDDEN) + 1);
    char *to = copy;
    while (*text != '\0' && to < copy + room) {
        size_t length = secret_at(secrets, text);
        if (length > 0) {
            memcpy(to, HIDDEN, strlen(HIDDEN));
            to += strlen(HIDDEN);
            text += length;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
    return copy;
}

void secrets_free(struct secrets *secrets)
{
    if (secrets != NULL) {
        strv_done(&secrets->parts);
        free(secrets);
    }
}

void secret_wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}
