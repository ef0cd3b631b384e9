#include "lib/base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define GROUP_LENGTH 4

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Decodes into out, which has room for 3 bytes per 4 of text. Returns the length or -EINVAL.
static ptrdiff_t decode_into(const char *text, size_t length, char *out)
{
    uint32_t bits = 0;
    unsigned in_group = 0;
    unsigned padding = 0;
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || text[i] == '\r') {
            continue;
        }
        int value = text[i] == '=' && in_group >= 2 ? 0 : digit_value(text[i]);
        padding += text[i] == '=';
        if (value < 0 || (padding > 0 && text[i] != '=')) {
            return -EINVAL;
        }
        bits = bits << 6 | (uint32_t)value;
        if (++in_group < GROUP_LENGTH) {
            continue;
        }
        if ((bits & ((1u << (8 * padding)) - 1)) != 0) {
            return -EINVAL;
        }
        for (unsigned byte = 0; byte < GROUP_LENGTH - 1 - padding; byte++) {
            out[n++] = (char)(bits >> (16 - 8 * byte) & 0xff);
        }
        bits = 0;
        in_group = 0;
    }
    return in_group == 0 ? (ptrdiff_t)n : -EINVAL;
}

int base64_decode(const char *text, size_t length, char **ret, size_t *ret_length)
{
    size_t size = length / GROUP_LENGTH * (GROUP_LENGTH - 1) + 1;
    char *out = malloc(size);
    if (out == NULL) {
        return -ENOMEM;
    }
    ptrdiff_t n = decode_into(text, length, out);
    if (n < 0) {
        explicit_bzero(out, size);
        free(out);
        return -EINVAL;
    }
    out[n] = '\0';
    *ret = out;
    *ret_length = (size_t)n;
    return 0;
}
