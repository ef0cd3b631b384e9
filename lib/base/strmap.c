#include "lib/base/strmap.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <string.h>

// The index of the first entry whose key is not before this one.
static size_t strmap_find(const struct strmap *map, const char *key, bool *ret_found)
{
    size_t index = 0;
    while (index < map->count && strcmp(map->entries[index].key, key) < 0) {
        index++;
    }
    *ret_found = index < map->count && str_equal(map->entries[index].key, key);
    return index;
}

void strmap_set(struct strmap *map, const char *key, const char *value)
{
    bool found = false;
    size_t index = strmap_find(map, key, &found);
    if (found) {
        str_replace(&map->entries[index].value, value);
        return;
    }

    (void)ARRAY_GROW(map->entries, map->count);
    struct strmap_entry *at = map->entries + index;
    memmove(at + 1, at, (map->count - 1 - index) * sizeof(*at));
    *at = (struct strmap_entry){str_dup(key), str_dup(value)};
}

const char *strmap_get(const struct strmap *map, const char *key)
{
    bool found = false;
    size_t index = strmap_find(map, key, &found);
    return found ? map->entries[index].value : NULL;
}

void strmap_done(struct strmap *map)
{
    for (size_t i = 0; i < map->count; i++) {
        free(map->entries[i].key);
        free(map->entries[i].value);
    }
    free(map->entries);
    *map = (struct strmap){0};
}
