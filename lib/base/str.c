#include "lib/base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_MAX_LENGTH 63
#define PRINTF_MOST 256 // bytes that most formatted strings fit in

char *str_dup(const char *s)
{
    return s == NULL ? NULL : str_dup_n(s, strlen(s));
}

char *str_dup_n(const char *s, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *str_vprintf(const char *format, va_list args)
{
    char most[PRINTF_MOST];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(most, sizeof(most), format, again);
    va_end(again);
    if (n < 0) {
        return NULL;
    }
    if ((size_t)n < sizeof(most)) {
        return str_dup_n(most, (size_t)n);
    }
    char *s = malloc((size_t)n + 1);
    if (s != NULL) {
        (void)vsnprintf(s, (size_t)n + 1, format, args);
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

int str_replace(char **target, const char *s)
{
    char *copy = NULL;
    if (s != NULL) {
        copy = str_dup(s);
        if (copy == NULL) {
            return -ENOMEM;
        }
    }
    free(*target);
    *target = copy;
    return 0;
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
    size_t suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(s + length - suffix_length, suffix) == 0;
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
    if (*s != '\0') {
        while (n > 0 && ((unsigned char)*s & 0xc0) == 0x80) { // a continuation byte
            s--;
            n--;
        }
        memcpy(out + n, ellipsis, sizeof(ellipsis));
    } else {
        out[n] = '\0';
    }
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
    if (str_empty(s)) {
        return -EINVAL;
    }
    uint64_t value = 0;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9') {
            return -EINVAL;
        }
        uint64_t digit = (uint64_t)(*s - '0');
        if (digit > max || value > (max - digit) / 10) {
            return -ERANGE;
        }
        value = value * 10 + digit;
    }
    *ret = value;
    return 0;
}

unsigned str_distance(const char *a, const char *b)
{
    size_t length_a = strlen(a);
    size_t length_b = strlen(b);
    if (length_a > DISTANCE_MAX_LENGTH || length_b > DISTANCE_MAX_LENGTH) {
        return UINT_MAX;
    }
    unsigned row[DISTANCE_MAX_LENGTH + 1];
    for (unsigned j = 0; j <= length_b; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= length_a; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= length_b; j++) {
            unsigned substitute = diagonal + (a[i - 1] != b[j - 1]);
            unsigned insert = row[j - 1] + 1;
            unsigned delete = row[j] + 1;
            diagonal = row[j];
            unsigned best = insert < delete ? insert : delete;
            row[j] = substitute < best ? substitute : best;
        }
    }
    return row[length_b];
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
    // The first byte's range, and the range of the second; the rest are 80..BF (RFC 3629).
    static const struct {
        unsigned char first, last, second_min, second_max, length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *c = (const unsigned char *)s;
    while (*c != '\0') {
        size_t form = 0;
        while (form < ELEMENTS(forms) && (*c < forms[form].first || *c > forms[form].last)) {
            form++;
        }
        if (form == ELEMENTS(forms)) {
            return false;
        }
        for (unsigned i = 1; i < forms[form].length; i++) {
            unsigned char min = i == 1 ? forms[form].second_min : 0x80;
            unsigned char max = i == 1 ? forms[form].second_max : 0xbf;
            if (c[i] < min || c[i] > max) { // also at the end of s
                return false;
            }
        }
        c += forms[form].length;
    }
    return true;
}
