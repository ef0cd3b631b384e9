// What is wrong with a document that a user wrote: every problem with its place, not only the
// first.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

// The list ends with the remark that there are more.
#define PROBLEMS_MAX 200

// Bytes of a path as it is shown, with the NUL; longer ones are cut.
#define DOC_PATH_MAX 512

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

// A place in a tree, linked to the root through the stack frames that walk it.
struct doc_path {
    const struct doc_path *parent; // NULL: below the root
    const char *key;               // NULL: an item of a sequence
    size_t index;
};

// Writes the path as a user reads it; NULL is the root, "".
void doc_path_format(const struct doc_path *path, char out[DOC_PATH_MAX]);

// Copies a key for a message, up to the first character that keys do not have: what follows may be
// a value that a slip of the pen made a part of the key, and a secret. Ends with "..." when cut.
#define DOC_KEY_MAX 72
const char *doc_key_format(const char *key, char out[DOC_KEY_MAX]);

// Copies path; the text is made printable. Returns 0 or -ENOMEM.
int problems_add(struct problems *problems, unsigned line, unsigned column, const char *path,
                 const char *format, ...) _printf_(5, 6) _must_check_;

// Whether there is a problem with exactly this path.
bool problems_has(const struct problems *problems, const char *path);

// In the order of the document.
void problems_sort(struct problems *problems);

void problems_done(struct problems *problems);
