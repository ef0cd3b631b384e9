#include "lib/base/str.h"

#include "lib/base/alloc.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

char *str_dup(const char *s)
{
    return s == NULL ? NULL : str_dup_n(s, strlen(s));
}

char *str_dup_n(const char *s, size_t n)
{
    char *copy = xmalloc(n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *str_vprintf(const char *format, va_list args)
{
    char *s = NULL;
    if (vasprintf(&s, format, args) < 0) {
        alloc_fail();
    }
    return s;
}

char *str_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = str_vprintf(format, args);
    va_end(args);
    return s;
}

void str_replace(char **target, const char *s)
{
    char *copy = str_dup(s);
    free(*target);
    *target = copy;
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool str_empty(const char *s)
{
    return s == NULL || s[0] == '\0';
}

bool str_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *s, const char *suffix)
{
    size_t length = strlen(s);
    size_t end = strlen(suffix);
    return length >= end && str_equal(s + length - end, suffix);
}

bool str_matches(const char *s, const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        alloc_fail();
    }
    int r = regexec(&regex, s, 0, NULL, 0);
    regfree(&regex);
    if (r == REG_ESPACE) {
        alloc_fail();
    }
    return r == 0;
}

bool str_is_path_within(const char *path, const char *directory)
{
    if (!str_starts_with(path, directory)) {
        return false;
    }
    const char *rest = path + strlen(directory);
    return (*rest == '/' || *rest == '\0') && strstr(rest, "/../") == NULL &&
           !str_ends_with(rest, "/..");
}

// The length of the UTF-8 sequence at s (RFC 3629, section 4), 0 when it is none.
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t length = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                    : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                    : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                   : 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0; // also at the end of the string
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

void str_make_printable(char *s)
{
    while (*s != '\0') {
        size_t length = utf8_length((const unsigned char *)s);
        bool c1 = length == 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0;
        if (*s == '\n' || *s == '\r' || *s == '\t') {
            *s = ' ';
        } else if (length == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
        } else if (c1) { // U+009B begins a sequence of a terminal as ESC [ does
            memset(s, '?', length);
        }
        s += length == 0 ? 1 : length;
    }
}

void str_trim_end(char *s)
{
    size_t length = strlen(s);
    while (length > 0 && strchr(" \t\r\n", s[length - 1]) != NULL) {
        s[--length] = '\0';
    }
}

void str_excerpt(const char *s, char *out, size_t size)
{
    static const char ellipsis[] = "...";
    size_t n = 0;
    bool space = false;
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f) {
            space = n > 0;
            continue;
        }
        if (n + space + sizeof(ellipsis) >= size) {
            break;
        }
        if (space) {
            out[n++] = ' ';
            space = false;
        }
        out[n++] = *s;
    }
    for (; n > 0 && ((unsigned char)*s & 0xc0) == 0x80; s--) { // not within a character
        n--;
    }
    (void)snprintf(out + n, size - n, "%s", *s == '\0' ? "" : ellipsis);
}

char *str_bytes(uint64_t bytes)
{
    static const char units[] = "kMGTPE";
    double value = (double)bytes;
    size_t unit = 0;
    // As it is rounded: 999.95 kB is 1.0 MB.
    for (; value >= (unit == 0 ? 1000 : 999.95) && unit < strlen(units); unit++) {
        value /= 1000;
    }
    return unit == 0 ? str_printf("%.0f B", value) : str_printf("%.1f %cB", value, units[unit - 1]);
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
    if (str_empty(s) || s[strspn(s, "0123456789")] != '\0') {
        return -EINVAL;
    }
    errno = 0;
    uint64_t value = strtoull(s, NULL, 10);
    if (errno != 0 || value > max) {
        return -ERANGE;
    }
    *ret = value;
    return 0;
}

uint64_t str_hash(const char *s)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *s != '\0'; s++) {
        hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    }
    return hash;
}

bool str_is_utf8(const char *s)
{
    size_t length = 1;
    for (; *s != '\0' && length > 0; s += length) {
        length = utf8_length((const unsigned char *)s);
    }
    return length > 0;
}
