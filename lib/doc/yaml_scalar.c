#include "lib/doc/yaml_scalar.h"

#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#include <stdbool.h>
#include <string.h>

#define NUMBER_BYTES_MAX 64 // what is longer is text to us
#define NUMBERS_BEGIN "-+.0123456789"

// The core schema of YAML 1.2, 10.3.2.
#define DECIMAL "[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?"
#define NUMBER "^(" DECIMAL "|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN))$"

const char *yaml_plain_meaning(const char *text)
{
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    for (size_t i = 0; i < ELEMENTS(booleans); i++) {
        if (str_equal(text, booleans[i])) {
            return "a boolean";
        }
    }
    // To compile a pattern takes long, and most texts begin with a letter.
    bool may_be_number = strspn(text, NUMBERS_BEGIN) > 0 && strlen(text) <= NUMBER_BYTES_MAX;
    return may_be_number && str_matches(text, NUMBER) ? "a number" : NULL;
}

// Words with single separators between them. Whatever YAML 1.1 takes for something else begins with
// another character (numbers, also 1_000, 0b1 and 1:30, dates, ~, =, <<), but for a few words
// (yaml.org/type). The separators mean nothing between the characters of words.
#define PLAIN "^[A-Za-z/_][A-Za-z0-9/_]*([-+.:@ ][A-Za-z0-9/_]+)*$"

static bool is_plain(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return str_matches(text, PLAIN);
}

// The code point of a sequence of two or three bytes; others need no escape and give 0.
static unsigned code_point(const unsigned char *c, size_t *ret_length)
{
    *ret_length = 1;
    if (c[0] >= 0xc0 && c[0] < 0xe0) {
        *ret_length = 2;
        return (c[0] & 0x1fU) << 6 | (c[1] & 0x3fU);
    }
    if (c[0] >= 0xe0 && c[0] < 0xf0) {
        *ret_length = 3;
        return (c[0] & 0x0fU) << 12 | (c[1] & 0x3fU) << 6 | (c[2] & 0x3fU);
    }
    return 0;
}

// Line ends that a reader folds (NEL, LS, PS), and what it refuses in a stream.
static bool needs_escape(unsigned code)
{
    return (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
           code >= 0xfffe;
}

void yaml_print_text(const char *text, FILE *out)
{
    if (is_plain(text)) {
        (void)fputs(text, out);
        return;
    }
    (void)putc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0';) {
        size_t length = 1;
        unsigned code = code_point(c, &length);
        if (*c == '"' || *c == '\\') {
            (void)fprintf(out, "\\%c", *c);
        } else if (*c < 0x20 || *c == 0x7f) {
            (void)fprintf(out, "\\x%02X", *c);
        } else if (needs_escape(code)) {
            (void)fprintf(out, "\\u%04X", code);
        } else {
            (void)fwrite(c, 1, length, out);
        }
        c += length;
    }
    (void)putc('"', out);
}
