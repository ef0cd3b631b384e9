// What the values of a schema's fields are: the common types. A table may bring types of its own.
#pragma once

#include "lib/doc/path.h"
#include "lib/doc/yaml.h"

#include <stdint.h>
#include <stdio.h>

// Bytes a text may have when its field names no maximum.
#define SCHEMA_TEXT_MAX 4096

struct schema_field;

// Gives the one spelling that a text has, which the caller frees, or NULL for none at all. Returns
// 0, or -EINVAL with err saying what the text must be, without quoting it: it may hold a password.
typedef int (*schema_spell_fn)(const char *text, const struct path_source *source, char **ret,
                               struct error *err);

struct schema_type {
    enum yaml_kind kind;   // of its node in a document
    const char *written;   // as the field's
    const char *quoted;    // why a single value in quotes will not do; NULL: it will
    bool text;             // without quotes it must not be what YAML reads as a number or a boolean
    schema_spell_fn spell; // of every field that has none of its own; NULL: as it is written
    // Sets target from a text that fits the field, replacing what it holds; for a list, adds an
    // item that it has not yet. Returns as schema_spell_fn.
    int (*parse)(const struct schema_field *field, const char *text, void *target,
                 struct error *err);
    // Prints the value that parse reads, behind its key, and ends the line.
    void (*print)(const struct schema_field *field, const void *target, int indent, FILE *out);
    void (*done)(void *target); // frees what target owns; NULL: nothing
};

// Of durations, the largest first; the last one has no name.
extern const struct schema_unit {
    const char *name;
    uint64_t ms;
} schema_units[];

// A text on the line that its key began, for print.
void schema_print_text(const char *text, FILE *out);

extern const struct schema_type schema_bool;     // bool: plain true or false, no other word
extern const struct schema_type schema_integer;  // uint32_t: plain digits, no sign, no leading zero
extern const struct schema_type schema_duration; // uint64_t, milliseconds: 500ms, 10s, 5m, 1h
extern const struct schema_type schema_enum;     // an enum, by the field's names
extern const struct schema_type schema_string;   // char *
extern const struct schema_type schema_path;     // char *, absolute and clean; "" is NULL
extern const struct schema_type schema_list;     // struct strv
extern const struct schema_type schema_map;      // struct strmap; values stay as they are written
extern const struct schema_type schema_table; // the field's fields, with offsets in the same object
// An array of max + 1 structs of `size` bytes, each with the field's fields; the first of these is
// a text, alone it stands for a whole item, and a struct without it ends the array.
extern const struct schema_type schema_items;

struct schema_name {
    const char *name; // NULL ends a list
    int value;
};

struct schema_field {
    const char *key; // NULL ends a table
    const struct schema_type *type;
    size_t offset;
    const char *fallback; // the default, as in the file (a list: its one item); NULL: zero, empty
    // Of an integer or a duration; of a list or map, the entries; of a string, the bytes. 0: no
    // bound but SCHEMA_TEXT_MAX. Of what else is no number, min 1 means that it is not empty.
    uint64_t min;
    uint64_t max;
    // Of the text, or each item of a list. What it gives has to fit the rest.
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

// Whether the text, or the key of a map, fits the field's pattern and bounds. Returns as
// schema_parse.
int schema_check(const struct schema_field *field, const char *text, struct error *err);

// The name that the text may have been meant to be, NULL when none is near. names is an array of
// structs of a size that begin with a name, which is NULL in the last.
const char *schema_near(const char *text, const void *names, size_t size);
