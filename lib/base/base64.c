#include "lib/base/base64.h"

#include "lib/base/alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
        bool pads = text[i] == '=' && in_group >= 2;
        const char *digit = memchr(alphabet, text[i], sizeof(alphabet) - 1);
        if (!pads && (digit == NULL || padding > 0)) {
            return -EINVAL;
        }
        padding += pads;
        bits = bits << 6 | (pads ? 0 : (uint32_t)(digit - alphabet));
        if (++in_group < 4) {
            continue;
        }
        if ((bits & ((1u << (8 * padding)) - 1)) != 0) {
            return -EINVAL;
        }
        for (unsigned byte = 0; byte < 3 - padding; byte++) {
            out[n++] = (char)(bits >> (16 - 8 * byte) & 0xff);
        }
        bits = 0;
        in_group = 0;
    }
    return in_group == 0 ? (ptrdiff_t)n : -EINVAL;
}

int base64_decode(const char *text, size_t length, char **ret, size_t *ret_length)
{
    size_t size = length / 4 * 3 + 1;
    char *out = xmalloc(size);
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
