#include "lib/doc/schema_type.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/yaml_scalar.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define DIGITS "0123456789"
#define NEAR_DISTANCE_MAX 2 // of two names, for "did you mean"

const char *schema_near(const char *text, const void *names, size_t size)
{
    const char *near = NULL;
    unsigned best = NEAR_DISTANCE_MAX + 1;
    for (const char *at = names;; at += size) {
        const char *name = *(const char *const *)(const void *)at;
        if (name == NULL) {
            return near;
        }
        unsigned distance = str_distance(text, name);
        if (distance < best && distance < strlen(name)) {
            near = name;
            best = distance;
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

int schema_parse(const struct schema_field *field, const char *text,
                 const struct path_source *source, void *object, struct error *err)
{
    schema_spell_fn spell = field->spell != NULL ? field->spell : field->type->spell;
    _cleanup_free_ char *spelled = NULL;
    int r = spell == NULL ? 0 : spell(text, source, &spelled, err);
    if (r == 0) {
        text = spell == NULL ? text : spelled == NULL ? "" : spelled;
        r = schema_check(field, text, err);
    }
    return r < 0 ? r : field->type->parse(field, text, (char *)object + field->offset, err);
}

void schema_print_text(const char *text, FILE *out)
{
    (void)putc(' ', out);
    yaml_print_text(text, out);
    (void)putc('\n', out);
}

// ---- bool ----

static int parse_bool(_unused_ const struct schema_field *field, const char *text, void *target,
                      struct error *err)
{
    if (!str_equal(text, "true") && !str_equal(text, "false")) {
        return error_invalid(err, "must be true or false");
    }
    *(bool *)target = str_equal(text, "true");
    return 0;
}

static void print_bool(_unused_ const struct schema_field *field, const void *target,
                       _unused_ int indent, FILE *out)
{
    (void)fprintf(out, " %s\n", *(const bool *)target ? "true" : "false");
}

const struct schema_type schema_bool = {
    .quoted = "must be true or false, without quotes",
    .parse = parse_bool,
    .print = print_bool,
};

// ---- integer ----

static int parse_integer(const struct schema_field *field, const char *text, void *target,
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
    *(uint32_t *)target = (uint32_t)value;
    return 0;
}

static void print_integer(_unused_ const struct schema_field *field, const void *target,
                          _unused_ int indent, FILE *out)
{
    (void)fprintf(out, " %" PRIu32 "\n", *(const uint32_t *)target);
}

const struct schema_type schema_integer = {
    .quoted = "must be an integer, without quotes",
    .parse = parse_integer,
    .print = print_integer,
};

// ---- duration ----

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

static int parse_duration(const struct schema_field *field, const char *text, void *target,
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
    *(uint64_t *)target = value * unit_ms;
    return 0;
}

static void print_duration(_unused_ const struct schema_field *field, const void *target,
                           _unused_ int indent, FILE *out)
{
    _cleanup_free_ char *text = duration_text(*(const uint64_t *)target);
    (void)fprintf(out, " %s\n", text); // no YAML takes it for something else
}

const struct schema_type schema_duration = {
    .parse = parse_duration,
    .print = print_duration,
};

// ---- enum ----

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

static void print_enum(const struct schema_field *field, const void *target, _unused_ int indent,
                       FILE *out)
{
    const struct schema_name *name = field->names;
    while (name[1].name != NULL && memcmp(target, &name->value, sizeof(name->value)) != 0) {
        name++;
    }
    schema_print_text(name->name, out);
}

const struct schema_type schema_enum = {.parse = parse_enum, .print = print_enum};

// ---- text, path ----

static int parse_string(const struct schema_field *field, const char *text, void *target,
                        struct error *err)
{
    if (field->max > 0 && strlen(text) > field->max) {
        return error_invalid(err, "must have at most %" PRIu64 " bytes", field->max);
    }
    str_replace(target, text);
    return 0;
}

static void print_string(_unused_ const struct schema_field *field, const void *target,
                         _unused_ int indent, FILE *out)
{
    schema_print_text(*(char *const *)target, out);
}

const struct schema_type schema_string = {
    .text = true,
    .parse = parse_string,
    .print = print_string,
    .done = freep,
};

static int parse_path(_unused_ const struct schema_field *field, const char *text, void *target,
                      _unused_ struct error *err)
{
    str_replace(target, str_empty(text) ? NULL : text);
    return 0;
}

static void print_path(_unused_ const struct schema_field *field, const void *target,
                       _unused_ int indent, FILE *out)
{
    const char *path = *(char *const *)target;
    _cleanup_free_ char *text = path_escape(path == NULL ? "" : path);
    schema_print_text(text, out);
}

#define VARIABLE "[A-Za-z_][A-Za-z0-9_]*"

const struct schema_type schema_path = {
    .written = "^(?!~[^/])([^$\\u0000-\\u001f\\u007f]|\\$(\\$|" VARIABLE "|\\{" VARIABLE "\\}))*$",
    .text = true,
    .spell = path_expand,
    .parse = parse_path,
    .print = print_path,
    .done = freep,
};

// ---- lists, maps, tables: lib/doc/schema.c walks them ----

static int parse_item(_unused_ const struct schema_field *field, const char *text, void *target,
                      _unused_ struct error *err)
{
    strv_add_unique(target, text);
    return 0;
}

static void print_list(_unused_ const struct schema_field *field, const void *target, int indent,
                       FILE *out)
{
    const struct strv *list = target;
    (void)fputs(list->count == 0 ? " []\n" : "\n", out);
    for (size_t i = 0; i < list->count; i++) {
        (void)fprintf(out, "%*s-", indent, "");
        schema_print_text(list->items[i], out);
    }
}

static void done_list(void *target)
{
    strv_done(target);
}

const struct schema_type schema_list = {
    .kind = YAML_KIND_SEQUENCE,
    .text = true,
    .parse = parse_item,
    .print = print_list,
    .done = done_list,
};

static void print_map(_unused_ const struct schema_field *field, const void *target, int indent,
                      FILE *out)
{
    const struct strmap *map = target;
    (void)fputs(map->count == 0 ? " {}\n" : "\n", out);
    strmap_foreach (map, entry) {
        (void)fprintf(out, "%*s", indent, "");
        yaml_print_text(entry->key, out);
        (void)putc(':', out);
        schema_print_text(entry->value, out);
    }
}

static void done_map(void *target)
{
    strmap_done(target);
}

const struct schema_type schema_map = {
    .kind = YAML_KIND_MAPPING,
    .print = print_map,
    .done = done_map,
};
const struct schema_type schema_table = {.kind = YAML_KIND_MAPPING};
const struct schema_type schema_items = {.kind = YAML_KIND_SEQUENCE};
