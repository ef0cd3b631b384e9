// Tables that say how a YAML mapping becomes a struct, and back.
//
// What a scalar means:
// - a boolean is plain true or false; yes, no, on and off are not accepted;
// - an integer is plain decimal digits, no sign, no leading zero;
// - a duration is digits and one of ms, s, m, h: 500ms, 10s;
// - text may be plain, unless YAML reads it as a boolean or a number: then it needs quotes;
// - a quoted scalar is always text;
// - in a map every single value is kept as the text that was written;
// - a path may begin with ~ and hold $VAR, ${VAR} and $$ (a dollar sign); relative, it is relative
//   to the directory of the file; the result is absolute and free of `.`, `..` and double slashes;
// - a key without a value (or null) has its default, like one that is missing.
#pragma once

#include "lib/doc/yaml.h"

#include <stdint.h>
#include <stdio.h>

// Bytes a text may have when its field names no maximum, and a path after expansion.
#define SCHEMA_TEXT_MAX 4096

enum schema_type {
    SCHEMA_BOOL,       // bool
    SCHEMA_INTEGER,    // uint32_t
    SCHEMA_DURATION,   // uint64_t, milliseconds
    SCHEMA_ENUM,       // an enum: names
    SCHEMA_STRING,     // char *
    SCHEMA_PATH,       // char *, "" is NULL
    SCHEMA_STRINGS,    // struct strv
    SCHEMA_STRING_MAP, // struct strmap
    SCHEMA_CUSTOM,     // whatever codec makes of a text
    SCHEMA_TABLE,      // a mapping: fields, with offsets in the same object
};

struct schema_name {
    const char *name; // NULL ends a list
    int value;
};

// Returns 0, -ENOMEM, or -EINVAL with err saying what the text must be, without quoting it: it may
// hold a password.
typedef int (*schema_check_fn)(const char *text, struct error *err);

struct schema_codec {
    // As schema_check_fn; fills target, replacing what it holds.
    int (*parse)(void *target, const char *text, struct error *err);
    // The text that parse reads; the caller frees it. NULL when out of memory.
    char *(*format)(const void *target);
};

struct schema_field {
    const char *key; // NULL ends a table
    enum schema_type type;
    size_t offset;
    const char *fallback; // the default, as in the file (a list: its one item); NULL: zero, empty
    uint64_t min; // of an integer, a duration; bytes of a text; likewise max, which for a list or
                  // map bounds the entries
    uint64_t max; // 0: SCHEMA_TEXT_MAX for a text
    // An extended regular expression for the text, each item of a list, each key of a map, and what
    // it stands for: "must be ...".
    const char *pattern;
    const char *expected;
    schema_check_fn check; // of the same, after pattern; may be NULL
    const struct schema_name *names;
    const struct schema_codec *codec;
    const struct schema_field *fields;
};

// What the meaning of a document depends on beside its text.
struct schema_source {
    const char *directory;                           // absolute; of the file
    const char *(*get)(void *ctx, const char *name); // a variable of the environment, NULL: unset
    void *ctx;
};

// Fills object, which must be all zero, and adds every problem to problems; a field with a problem
// has its default. What the object then owns is the caller's, also on failure. Returns 0 or
// -ENOMEM.
int schema_decode(const struct schema_field *fields, const struct yaml_node *node,
                  const struct schema_source *source, void *object, struct problems *problems);

// Frees what the fields of object own.
void schema_done(const struct schema_field *fields, void *object);

// Writes the object as YAML that schema_decode reads back to an equal one. Returns 0, -ENOMEM or
// -errno of the stream.
int schema_print(const struct schema_field *fields, const void *object, FILE *out);

// One scalar: what each type makes of a text. Returns 0, -ENOMEM or -EINVAL with the reason in err.
int schema_parse_text(const struct schema_field *field, const char *text,
                      const struct schema_source *source, void *object, struct error *err);

// Checks a text against pattern, length and check of the field.
int schema_check_text(const struct schema_field *field, const char *text, struct error *err);

// What YAML 1.2 reads a plain scalar as, "a number" or "a boolean"; NULL for text.
const char *schema_plain_meaning(const char *text);

// "10s", "500ms": the largest unit that leaves no rest. Fits in SCHEMA_DURATION_MAX bytes.
#define SCHEMA_DURATION_MAX 32
const char *schema_format_duration(uint64_t ms, char out[SCHEMA_DURATION_MAX]);

// The pointer to the field's place in the object.
static inline void *schema_target(const struct schema_field *field, void *object)
{
    return (char *)object + field->offset;
}

static inline const void *schema_const_target(const struct schema_field *field, const void *object)
{
    return (const char *)object + field->offset;
}
