// From a struct back to YAML.

#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/path.h"
#include "lib/doc/schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define INDENT 2

static bool needs_quotes(const char *text)
{
    // YAML 1.1's booleans and nulls are quoted too, for readers other than ours.
    static const char *const words[] = {"null", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    char before = ' ';
    for (const char *c = text; *c != '\0'; before = *c, c++) {
        bool inner = before != ' ' && c[1] != '\0' && c[1] != ' ';
        bool plain = isalnum((unsigned char)*c) || *c == '/' || *c == '_' ||
                     (inner && strchr(".:@-+$ ", *c) != NULL);
        if (!plain) {
            return true;
        }
    }
    return text[0] == '\0' || schema_plain_meaning(text) != NULL;
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

// Errors of the stream stay in it: schema_print asks once, at the end.
static void print_quoted(const char *text, FILE *out)
{
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

static void print_text(const char *text, FILE *out)
{
    if (needs_quotes(text)) {
        print_quoted(text, out);
    } else {
        (void)fputs(text, out);
    }
}

static void print_strings(const struct strv *list, int indent, FILE *out)
{
    if (list->count == 0) {
        (void)fputs(" []\n", out);
        return;
    }
    (void)putc('\n', out);
    for (size_t i = 0; i < list->count; i++) {
        (void)fprintf(out, "%*s- ", indent + INDENT, "");
        print_text(list->items[i], out);
        (void)putc('\n', out);
    }
}

static void print_string_map(const struct strmap *map, int indent, FILE *out)
{
    if (map->count == 0) {
        (void)fputs(" {}\n", out);
        return;
    }
    (void)putc('\n', out);
    strmap_foreach (map, entry) {
        (void)fprintf(out, "%*s", indent + INDENT, "");
        print_text(entry->key, out);
        (void)fputs(": ", out);
        print_text(entry->value, out);
        (void)putc('\n', out);
    }
}

static const char *enum_name(const struct schema_field *field, const void *target)
{
    int value;
    memcpy(&value, target, sizeof(value));
    const struct schema_name *name = field->names;
    while (name[1].name != NULL && name->value != value) {
        name++;
    }
    return name->name;
}

// Prints " VALUE" of a text that the caller made, and its line end. Returns 0 or -ENOMEM for NULL.
static int print_made(const char *text, FILE *out)
{
    if (text == NULL) {
        return -ENOMEM;
    }
    (void)putc(' ', out);
    print_text(text, out);
    (void)putc('\n', out);
    return 0;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than the tables of the schema
static int print_fields(const struct schema_field *fields, const void *object, int indent,
                        FILE *out);

static int print_value(const struct schema_field *field, const void *object, int indent, FILE *out)
{
    const void *target = schema_const_target(field, object);
    char duration[SCHEMA_DURATION_MAX];
    _cleanup_free_ char *made = NULL;
    switch (field->type) {
    case SCHEMA_BOOL:
        (void)fprintf(out, " %s\n", *(const bool *)target ? "true" : "false");
        return 0;
    case SCHEMA_INTEGER:
        (void)fprintf(out, " %" PRIu32 "\n", *(const uint32_t *)target);
        return 0;
    case SCHEMA_DURATION:
        (void)fprintf(out, " %s\n", schema_format_duration(*(const uint64_t *)target, duration));
        return 0;
    case SCHEMA_ENUM:
        return print_made(enum_name(field, target), out);
    case SCHEMA_STRING:
        return print_made(*(char *const *)target, out);
    case SCHEMA_PATH:
        made = path_escape(*(char *const *)target == NULL ? "" : *(char *const *)target);
        return print_made(made, out);
    case SCHEMA_STRINGS:
        print_strings(target, indent, out);
        return 0;
    case SCHEMA_STRING_MAP:
        print_string_map(target, indent, out);
        return 0;
    case SCHEMA_CUSTOM:
        made = field->codec->format(target);
        return print_made(made, out);
    case SCHEMA_TABLE:
        (void)putc('\n', out);
        return print_fields(field->fields, object, indent + INDENT, out);
    }
    return -EINVAL;
}

static int print_fields(const struct schema_field *fields, const void *object, int indent,
                        FILE *out)
{
    for (const struct schema_field *field = fields; field->key != NULL; field++) {
        (void)fprintf(out, "%*s%s:", indent, "", field->key);
        int r = print_value(field, object, indent, out);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
// NOLINTEND(misc-no-recursion)

int schema_print(const struct schema_field *fields, const void *object, FILE *out)
{
    errno = 0;
    int r = print_fields(fields, object, 0, out);
    if (r < 0) {
        return r;
    }
    if (fflush(out) != 0 || ferror(out)) {
        return errno > 0 ? -errno : -EIO;
    }
    return 0;
}
