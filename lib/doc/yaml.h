// A YAML document as a tree of nodes, each with its line and column. JSON documents parse too.
//
// The tree keeps text and says whether it was plain or quoted; what a plain scalar means (a number,
// a boolean) is decided by who reads it. Refused, because they make a document mean something else
// than it seems to say: anchors and aliases, tags, merge keys, keys that are no scalars, duplicate
// keys, a second document, NUL characters, more than YAML_DEPTH_MAX levels, YAML_KEYS_MAX keys of a
// mapping or YAML_BYTES_MAX bytes.
#pragma once

#include "lib/base/error.h"
#include "lib/doc/problem.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_BYTES_MAX ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 32
#define YAML_KEYS_MAX 1024

enum yaml_kind {
    YAML_KIND_SCALAR,
    YAML_KIND_MAPPING,
    YAML_KIND_SEQUENCE,
};

struct yaml_entry;

struct yaml_node {
    enum yaml_kind kind;
    unsigned line; // from 1, likewise the column
    unsigned column;
    bool plain;                 // a scalar without quotes, neither a | nor a > block
    char *text;                 // a scalar's, never NULL in one; NULL otherwise
    struct yaml_entry *entries; // of a mapping or sequence, in the order of the document
    size_t count;
};

struct yaml_entry {
    const char *key; // unique in its mapping; NULL in a sequence
    unsigned line;   // the key's; in a sequence the value's
    unsigned column;
    struct yaml_node value;
};

#define yaml_foreach(node, entry)                                                                  \
    for (const struct yaml_entry *entry = (node)->entries;                                         \
         entry != NULL && entry < (node)->entries + (node)->count; entry++)

// Reads a document; an empty one is an empty mapping. Returns 0 with *ret, which the caller frees
// with yaml_node_free, or -EINVAL (permanent; the text is the first problem as "LINE:COLUMN: PATH:
// reason").
int yaml_read(const char *text, size_t length, struct yaml_node **ret, struct error *err);

// As yaml_read, and goes on after what it refuses as long as the syntax allows: everything refused
// is added to problems and left out of the tree (an alias reads as null, the rest of a duplicate
// pair is dropped). Returns 0 with *ret also when it added problems; -EINVAL when there is no tree.
int yaml_read_all(const char *text, size_t length, struct yaml_node **ret,
                  struct problems *problems);

// The value of key, borrowed; NULL when there is none, for a node that is no mapping, and for NULL.
const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key);

// Whether it is a plain scalar that is empty, ~ or null.
bool yaml_is_null(const struct yaml_node *node);

// A scalar's text, borrowed; NULL for null, for what is no scalar, and for NULL.
const char *yaml_text(const struct yaml_node *node);

// yaml_text of yaml_get.
const char *yaml_get_text(const struct yaml_node *node, const char *key);

// "a mapping", "a list", "a single value", for messages.
const char *yaml_kind_name(enum yaml_kind kind);

// libyaml itself has a function yaml_free: that name would replace its allocator.
void yaml_node_free(struct yaml_node *node);

DEFINE_CLEANUP(struct yaml_node *, yaml_node_free)
