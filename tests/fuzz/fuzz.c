#include "tests/fuzz/fuzz.h"

#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

void must_fail(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void must_be_line(const char *text)
{
    MUST(text != NULL);
    bool utf8 = str_is_utf8(text);
    for (const unsigned char *c = (const unsigned char *)text; utf8 && *c != '\0'; c++) {
        bool c1 = c[0] == 0xc2 && c[1] < 0xa0;
        if (*c < 0x20 || *c == 0x7f || c1) {
            utf8 = false;
        }
    }
    if (!utf8) {
        (void)fprintf(stderr, "not one line of printable text: \"%s\"\n", text);
        abort();
    }
}

void must_explain(const struct error *err)
{
    // Memory does not run out here, and nothing else is fatal.
    MUST(err->kind > ERROR_NONE && err->kind < ERROR_FATAL);
    MUST(err->code > 0);
    MUST(err->status == 0 || (err->status >= 100 && err->status <= 599));
    MUST(err->text[0] != '\0');
    must_be_line(err->text);
}

char *text_of_input(const uint8_t *data, size_t size)
{
    char *text = str_dup_n((const char *)data, strnlen((const char *)data, size));
    MUST(text != NULL);
    return text;
}
