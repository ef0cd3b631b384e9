// What is wrong with a document that a user wrote: every problem with its place, not only the
// first.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

// The list ends with the remark that there are more.
#define PROBLEMS_MAX 200

struct problem {
    unsigned line; // from 1, likewise the column, which counts characters
    unsigned column;
    char *path; // "registry.environment.NAME", "nodes.aliases[2]", "" for the whole document
    char *text;
};

// All zero is an empty list.
struct problems {
    struct problem *items;
    size_t count;
};

// A place in a tree, linked to the root through the stack frames that walk it. NULL is the root.
struct doc_path {
    const struct doc_path *parent;
    const char *key; // NULL: an item of a sequence. It may be several of our own, "registry.name"
    size_t index;
};

// Copies a key for a message, up to the first character that keys do not have: what follows may be
// a value that a slip of the pen made a part of the key, and a secret. Ends with "..." when cut.
#define DOC_KEY_MAX 72
const char *doc_key_format(const char *key, char out[DOC_KEY_MAX]);

// Adds one at a place of the document; the text is made printable.
void problems_add(struct problems *problems, unsigned line, unsigned column,
                  const struct doc_path *path, const char *format, ...) _printf_(5, 6);

// Whether there is a problem with exactly this path.
bool problems_has(const struct problems *problems, const struct doc_path *path);

// In the order of the document.
void problems_sort(struct problems *problems);

void problems_done(struct problems *problems);
