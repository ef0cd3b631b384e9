#include "lib/doc/schema_type.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define DIGITS "0123456789"
#define DISTANCE_MAX_LENGTH 63 // of two names that are compared
#define NEAR_DISTANCE_MAX 2    // of two names, for "did you mean"

// Levenshtein distance, with capital letters equal to small ones; UINT_MAX for long names.
static unsigned distance(const char *a, const char *b)
{
    size_t length_b = strlen(b);
    unsigned row[DISTANCE_MAX_LENGTH + 1]; // of the beginning of a to each beginning of b
    if (strlen(a) > DISTANCE_MAX_LENGTH || length_b > DISTANCE_MAX_LENGTH) {
        return UINT_MAX;
    }
    for (unsigned j = 0; j <= length_b; j++) {
        row[j] = j;
    }
    for (; *a != '\0'; a++) {
        unsigned diagonal = row[0]++;
        for (size_t j = 1; j <= length_b; j++) {
            bool differs = tolower((unsigned char)*a) != tolower((unsigned char)b[j - 1]);
            unsigned best = diagonal + differs;
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length_b];
}

const char *schema_near(const char *text, const void *names, size_t size)
{
    const char *near = NULL;
    unsigned best = NEAR_DISTANCE_MAX + 1;
    for (const char *at = names;; at += size) {
        const char *name = *(const char *const *)(const void *)at;
        if (name == NULL) {
            return near;
        }
        unsigned edits = distance(text, name);
        if (edits < best && edits < strlen(name)) {
            near = name;
            best = edits;
        }
    }
}

int schema_check(const struct schema_field *field, const char *text, struct error *err)
{
    if (strlen(text) > SCHEMA_TEXT_MAX) {
        return error_invalid(err, "must have at most %d bytes", SCHEMA_TEXT_MAX);
    }
    if (text[0] == '\0' && field->min > 0) {
        return error_invalid(err, "must not be empty");
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return error_invalid(err, "must not have control characters");
        }
    }
    return field->pattern == NULL || str_matches(text, field->pattern)
               ? 0
               : error_invalid(err, "must be %s", field->expected);
}

// ---- single values ----

const struct schema_unit schema_units[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

// By the largest unit that leaves no rest.
static char *duration_text(uint64_t ms)
{
    const struct schema_unit *unit = schema_units;
    while (unit->ms > 1 && (ms == 0 || ms % unit->ms != 0)) {
        unit++;
    }
    return str_printf("%" PRIu64 "%s", ms / unit->ms, unit->name);
}

static int parse_integer(const struct schema_field *field, const char *text, uint32_t *ret,
                         struct error *err)
{
    uint64_t value = 0;
    int r = str_to_u64(text, UINT32_MAX, &value);
    if (r == -EINVAL || (text[0] == '0' && text[1] != '\0')) {
        return error_invalid(err, "must be an integer in decimal digits");
    }
    if (r < 0 || value < field->min || value > field->max) {
        return error_invalid(err, "must be between %" PRIu64 " and %" PRIu64, field->min,
                             field->max);
    }
    *ret = (uint32_t)value;
    return 0;
}

static int parse_duration(const struct schema_field *field, const char *text, uint64_t *ret,
                          struct error *err)
{
    size_t digits = strspn(text, DIGITS);
    uint64_t unit_ms = 0;
    for (const struct schema_unit *unit = schema_units; unit->name != NULL; unit++) {
        unit_ms = str_equal(text + digits, unit->name) ? unit->ms : unit_ms;
    }
    if (digits > 0 && text[digits] == '\0') {
        return error_invalid(err, "lacks its unit: one of ms, s, m, h");
    }
    if (digits == 0 || unit_ms == 0) {
        return error_invalid(err, "must be a duration: a whole number and ms, s, m or h, e.g. 10s");
    }
    _cleanup_free_ char *number = str_dup_n(text, digits);
    uint64_t value = 0;
    if (str_to_u64(number, UINT64_MAX / unit_ms, &value) < 0 || value * unit_ms < field->min ||
        value * unit_ms > field->max) {
        _cleanup_free_ char *min = duration_text(field->min);
        _cleanup_free_ char *max = duration_text(field->max);
        return error_invalid(err, "must be between %s and %s", min, max);
    }
    *ret = value * unit_ms;
    return 0;
}

static int parse_enum(const struct schema_field *field, const char *text, void *target,
                      struct error *err)
{
    _cleanup_buf_ struct buf list = BUF_INIT(SCHEMA_TEXT_MAX);
    for (const struct schema_name *name = field->names; name->name != NULL; name++) {
        if (str_equal(text, name->name)) {
            memcpy(target, &name->value, sizeof(name->value)); // enums are as wide as int
            return 0;
        }
        (void)buf_printf(&list, "%s%s", list.length == 0 ? "" : ", ", name->name);
    }
    const char *near = schema_near(text, field->names, sizeof(*field->names));
    return error_invalid(err, "must be one of %s%s%s%s", buf_str(&list),
                         near == NULL ? "" : "; did you mean `", near == NULL ? "" : near,
                         near == NULL ? "" : "`?");
}

static int parse(const struct schema_field *field, const char *text, void *target,
                 struct error *err)
{
    switch (field->type) {
    case SCHEMA_BOOL:
        *(bool *)target = str_equal(text, "true");
        return str_equal(text, "true") || str_equal(text, "false")
                   ? 0
                   : error_invalid(err, "must be true or false");
    case SCHEMA_INTEGER:
        return parse_integer(field, text, target, err);
    case SCHEMA_DURATION:
        return parse_duration(field, text, target, err);
    case SCHEMA_ENUM:
        return parse_enum(field, text, target, err);
    case SCHEMA_STRING:
        if (field->max > 0 && strlen(text) > field->max) {
            return error_invalid(err, "must have at most %" PRIu64 " bytes", field->max);
        }
        str_replace(target, text);
        break;
    case SCHEMA_PATH:
        str_replace(target, str_empty(text) ? NULL : text);
        break;
    case SCHEMA_LIST:
        strv_add_unique(target, text);
        break;
    case SCHEMA_MAP: // schema.c walks these
    case SCHEMA_TABLE:
    case SCHEMA_ITEMS:
        break;
    }
    return 0;
}

int schema_parse(const struct schema_field *field, const char *text,
                 const struct path_source *source, void *object, struct error *err)
{
    bool spells = field->type == SCHEMA_PATH || field->spell != NULL;
    _cleanup_free_ char *spelled = NULL;
    int r = field->type == SCHEMA_PATH ? path_expand(text, source, &spelled, err)
            : spells                   ? field->spell(text, &spelled, err)
                                       : 0;
    if (r == 0) {
        text = !spells ? text : spelled == NULL ? "" : spelled;
        r = schema_check(field, text, err);
    }
    return r < 0 ? r : parse(field, text, (char *)object + field->offset, err);
}

char *schema_text(const struct schema_field *field, const void *object)
{
    const void *at = (const char *)object + field->offset;
    const struct schema_name *name = field->names;
    switch (field->type) {
    case SCHEMA_BOOL:
        return str_dup(*(const bool *)at ? "true" : "false");
    case SCHEMA_INTEGER:
        return str_printf("%" PRIu32, *(const uint32_t *)at);
    case SCHEMA_DURATION:
        return duration_text(*(const uint64_t *)at);
    case SCHEMA_ENUM:
        while (name[1].name != NULL && memcmp(at, &name->value, sizeof(name->value)) != 0) {
            name++;
        }
        return str_dup(name->name);
    case SCHEMA_STRING:
        return str_dup(*(char *const *)at);
    case SCHEMA_PATH:
        return path_escape(*(char *const *)at == NULL ? "" : *(char *const *)at);
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    case SCHEMA_TABLE:
    case SCHEMA_ITEMS:
        break;
    }
    return NULL;
}

enum yaml_kind schema_kind(enum schema_type type)
{
    return type == SCHEMA_LIST || type == SCHEMA_ITEMS  ? YAML_KIND_SEQUENCE
           : type == SCHEMA_MAP || type == SCHEMA_TABLE ? YAML_KIND_MAPPING
                                                        : YAML_KIND_SCALAR;
}
