// What the types make of a single text, be it from the file or a default.

#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/path.h"
#include "lib/doc/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t ms;
} duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

// 1, 0 or -ENOMEM.
static int text_matches(const char *text, const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return -ENOMEM; // the patterns are constants of the program
    }
    int r = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return r == REG_ESPACE ? -ENOMEM : r == 0;
}

#define DIGITS "0123456789"
#define PLAIN_MEANING_MAX 64 // longer numbers are text to us

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words != NULL && !str_equal(text, *words)) {
        words++;
    }
    return *words != NULL;
}

static bool is_prefixed(const char *text, const char *prefix, const char *digits)
{
    return str_starts_with(text, prefix) && text[2] != '\0' &&
           text[2 + strspn(text + 2, digits)] == '\0';
}

// The core schema's numbers, as other readers of YAML 1.2 know them (10.3.2).
static bool is_number(const char *text)
{
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
    if (is_prefixed(text, "0o", "01234567") || is_prefixed(text, "0x", DIGITS "abcdefABCDEF") ||
        is_one_of(text, nan)) {
        return true;
    }
    text += *text == '-' || *text == '+';
    if (is_one_of(text, inf)) {
        return true;
    }
    size_t whole = strspn(text, DIGITS);
    text += whole;
    size_t fraction = *text == '.' ? strspn(text + 1, DIGITS) : 0;
    text += *text == '.' ? 1 + fraction : 0;
    if (whole + fraction == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = strspn(text, DIGITS);
        return exponent > 0 && text[exponent] == '\0';
    }
    return *text == '\0';
}

const char *schema_plain_meaning(const char *text)
{
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (strlen(text) > PLAIN_MEANING_MAX) {
        return NULL;
    }
    return is_number(text) ? "a number" : is_one_of(text, booleans) ? "a boolean" : NULL;
}

const char *schema_format_duration(uint64_t ms, char out[SCHEMA_DURATION_MAX])
{
    size_t unit = 0;
    while (ms == 0 || ms % duration_units[unit].ms != 0) {
        if (unit == ELEMENTS(duration_units) - 1) {
            break;
        }
        unit++;
    }
    (void)snprintf(out, SCHEMA_DURATION_MAX, "%" PRIu64 "%s", ms / duration_units[unit].ms,
                   duration_units[unit].name);
    return out;
}

static int parse_bool(bool *target, const char *text, struct error *err)
{
    if (!str_equal(text, "true") && !str_equal(text, "false")) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must be true or false");
    }
    *target = str_equal(text, "true");
    return 0;
}

static int parse_integer(const struct schema_field *field, uint32_t *target, const char *text,
                         struct error *err)
{
    uint64_t value = 0;
    int r = str_to_u64(text, UINT32_MAX, &value);
    if (r == -EINVAL || (text[0] == '0' && text[1] != '\0')) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must be an integer in decimal digits");
    }
    if (r < 0 || value < field->min || value > field->max) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must be between %" PRIu64 " and %" PRIu64,
                         field->min, field->max);
    }
    *target = (uint32_t)value;
    return 0;
}

static int parse_duration(const struct schema_field *field, uint64_t *target, const char *text,
                          struct error *err)
{
    size_t digits = strspn(text, DIGITS);
    char number[24];
    uint64_t ms = 0;
    for (size_t i = 0; i < ELEMENTS(duration_units) && ms == 0; i++) {
        ms = str_equal(text + digits, duration_units[i].name) ? duration_units[i].ms : 0;
    }
    if (digits > 0 && text[digits] == '\0') {
        return error_set(err, ERROR_PERMANENT, EINVAL, "lacks its unit: one of ms, s, m, h");
    }
    if (digits == 0 || ms == 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must be a duration: a whole number and ms, s, m or h, e.g. 10s");
    }
    uint64_t value = 0;
    bool fits = digits < sizeof(number);
    if (fits) {
        memcpy(number, text, digits);
        number[digits] = '\0';
        fits = str_to_u64(number, UINT64_MAX / ms, &value) == 0;
    }
    if (!fits || value * ms < field->min || value * ms > field->max) {
        char min[SCHEMA_DURATION_MAX];
        char max[SCHEMA_DURATION_MAX];
        return error_set(err, ERROR_PERMANENT, EINVAL, "must be between %s and %s",
                         schema_format_duration(field->min, min),
                         schema_format_duration(field->max, max));
    }
    *target = value * ms;
    return 0;
}

static int parse_enum(const struct schema_field *field, void *target, const char *text,
                      struct error *err)
{
    char list[256] = "";
    const char *near = NULL;
    unsigned near_distance = 3;
    for (const struct schema_name *name = field->names; name->name != NULL; name++) {
        if (str_equal(text, name->name)) {
            memcpy(target, &name->value, sizeof(name->value)); // enums are as wide as int
            return 0;
        }
        unsigned distance = str_distance(text, name->name);
        if (distance < near_distance && distance < strlen(name->name)) {
            near = name->name;
            near_distance = distance;
        }
        size_t length = strlen(list);
        (void)snprintf(list + length, sizeof(list) - length, "%s%s", length == 0 ? "" : ", ",
                       name->name);
    }
    return error_set(err, ERROR_PERMANENT, EINVAL, "must be one of %s%s%s%s", list,
                     near == NULL ? "" : "; did you mean `", near == NULL ? "" : near,
                     near == NULL ? "" : "`?");
}

int schema_check_text(const struct schema_field *field, const char *text, struct error *err)
{
    uint64_t max =
        field->max == 0 || field->type == SCHEMA_STRINGS || field->type == SCHEMA_STRING_MAP
            ? SCHEMA_TEXT_MAX
            : field->max;
    size_t length = strlen(text);
    if (length > max) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must have at most %" PRIu64 " bytes", max);
    }
    if (length == 0 && field->min > 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must not be empty");
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return error_set(err, ERROR_PERMANENT, EINVAL, "must not have control characters");
        }
    }
    if (field->pattern != NULL && (length > 0 || field->type != SCHEMA_PATH)) {
        int r = text_matches(text, field->pattern);
        if (r < 0) {
            return error_oom(err);
        }
        if (r == 0) {
            return error_set(err, ERROR_PERMANENT, EINVAL, "must be %s", field->expected);
        }
    }
    return field->check == NULL ? 0 : field->check(text, err);
}

static int parse_string(const struct schema_field *field, char **target, const char *text,
                        struct error *err)
{
    int r = schema_check_text(field, text, err);
    if (r < 0) {
        return r;
    }
    return str_replace(target, text) < 0 ? error_oom(err) : 0;
}

static int parse_path(const struct schema_field *field, char **target, const char *text,
                      const struct schema_source *source, struct error *err)
{
    _cleanup_free_ char *path = NULL;
    int r = path_expand(text, source, &path, err);
    if (r == 0) {
        r = schema_check_text(field, path == NULL ? "" : path, err);
    }
    if (r < 0) {
        return r;
    }
    free(*target);
    *target = TAKE_PTR(path);
    return 0;
}

int schema_parse_text(const struct schema_field *field, const char *text,
                      const struct schema_source *source, void *object, struct error *err)
{
    void *target = schema_target(field, object);
    int r = 0;
    switch (field->type) {
    case SCHEMA_BOOL:
        return parse_bool(target, text, err);
    case SCHEMA_INTEGER:
        return parse_integer(field, target, text, err);
    case SCHEMA_DURATION:
        return parse_duration(field, target, text, err);
    case SCHEMA_ENUM:
        return parse_enum(field, target, text, err);
    case SCHEMA_STRING:
        return parse_string(field, target, text, err);
    case SCHEMA_PATH:
        return parse_path(field, target, text, source, err);
    case SCHEMA_STRINGS:
        r = schema_check_text(field, text, err);
        return r == 0 && strv_add(target, text) < 0 ? error_oom(err) : r;
    case SCHEMA_CUSTOM:
        r = schema_check_text(field, text, err);
        return r < 0 ? r : field->codec->parse(target, text, err);
    case SCHEMA_STRING_MAP:
    case SCHEMA_TABLE:
        break;
    }
    return error_set(err, ERROR_FATAL, EINVAL, "must be a mapping");
}
