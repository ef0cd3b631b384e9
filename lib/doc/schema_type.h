// What the values of a schema's fields are.
#pragma once

#include "lib/doc/path.h"
#include "lib/doc/yaml.h"

#include <stdint.h>

// Bytes a text may have when its field names no maximum.
#define SCHEMA_TEXT_MAX 4096

enum schema_type {
    SCHEMA_BOOL,     // bool: plain true or false, no other word
    SCHEMA_INTEGER,  // uint32_t: plain digits, no sign, no leading zero
    SCHEMA_DURATION, // uint64_t, milliseconds: 500ms, 10s, 5m, 1h
    SCHEMA_ENUM,     // an enum, by the field's names
    SCHEMA_STRING,   // char *
    SCHEMA_PATH,     // char *, absolute and clean; "" is NULL
    SCHEMA_LIST,     // struct strv, each item once
    SCHEMA_MAP,      // struct strmap; values stay as they are written
    SCHEMA_TABLE,    // the field's fields, with offsets in the same object
    // An array of max + 1 structs of `size` bytes, each with the field's fields; the first of these
    // is a text, alone it stands for a whole item, and a struct without it ends the array.
    SCHEMA_ITEMS,
};

// Of a type's node in a document.
enum yaml_kind schema_kind(enum schema_type type);

// Gives the one spelling that a text has, which the caller frees, or NULL for none at all. Returns
// 0, or -EINVAL with err saying what the text must be, without quoting it: it may hold a password.
typedef int (*schema_spell_fn)(const char *text, char **ret, struct error *err);

// Of durations, the largest first; the last one has no name.
extern const struct schema_unit {
    const char *name;
    uint64_t ms;
} schema_units[];

struct schema_name {
    const char *name; // NULL ends a list
    int value;
};

struct schema_field {
    const char *key; // NULL ends a table
    enum schema_type type;
    bool unquoted; // the text may look like a number: none fits the field
    size_t offset;
    const char *fallback; // the default, as in the file (a list: its one item); NULL: zero, empty
    // Of an integer or a duration; of a list or map, the entries; of a string, the bytes. 0: no
    // bound but SCHEMA_TEXT_MAX. Of what else is no number, min 1 means that it is not empty.
    uint64_t min;
    uint64_t max;
    // Of a string, or each item of a list. What it gives has to fit the rest.
    schema_spell_fn spell;
    // An extended regular expression for the text, each item of a list, each key of a map, and what
    // it stands for: "must be ...".
    const char *pattern;
    const char *expected;
    // An ECMA 262 expression for editors, where the text as it is written tells more than pattern.
    const char *written;
    const struct schema_name *names;
    const struct schema_field *fields;
    size_t size; // of an item
};

// Sets the field in object from a text, be it from the document or a default. Returns 0, or -EINVAL
// with the reason in err.
int schema_parse(const struct schema_field *field, const char *text,
                 const struct path_source *source, void *object, struct error *err);

// The text of a single value in object, which schema_parse reads; the caller frees it.
char *schema_text(const struct schema_field *field, const void *object);

// Whether the text, or the key of a map, fits the field's pattern and bounds. Returns as
// schema_parse.
int schema_check(const struct schema_field *field, const char *text, struct error *err);

// The name that the text may have been meant to be, NULL when none is near. names is an array of
// structs of a size that begin with a name, which is NULL in the last.
const char *schema_near(const char *text, const void *names, size_t size);
