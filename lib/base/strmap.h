// A small map from string to string, sorted by key: environments and labels.
#pragma once

#include "lib/base/cleanup.h"

#include <stddef.h>

struct strmap_entry {
    char *key;
    char *value;
};

// All zero is an empty map.
struct strmap {
    struct strmap_entry *entries; // sorted by key, keys unique
    size_t count;
};

// Copies key and value; an existing value is replaced.
void strmap_set(struct strmap *map, const char *key, const char *value);

// The value, borrowed until the map changes, or NULL.
const char *strmap_get(const struct strmap *map, const char *key);

void strmap_done(struct strmap *map);

#define strmap_foreach(map, entry)                                                                 \
    for (const struct strmap_entry *entry = (map)->entries;                                        \
         entry != NULL && entry < (map)->entries + (map)->count; entry++)
