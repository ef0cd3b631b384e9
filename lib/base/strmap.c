#include "lib/base/strmap.h"

#include "lib/base/sorted.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

static int compare(const char *key, const void *element)
{
    return strcmp(key, ((const struct strmap_entry *)element)->key);
}

static size_t strmap_find(const struct strmap *map, const char *key, bool *ret_found)
{
    return sorted_search(map->entries, map->count, sizeof(*map->entries), key, compare, ret_found);
}

int strmap_set(struct strmap *map, const char *key, const char *value)
{
    bool found = false;
    size_t index = strmap_find(map, key, &found);
    if (found) {
        return str_replace(&map->entries[index].value, value);
    }

    _cleanup_free_ char *new_key = str_dup(key);
    _cleanup_free_ char *new_value = str_dup(value);
    if (new_key == NULL || new_value == NULL) {
        return -ENOMEM;
    }
    struct strmap_entry *entries =
        reallocarray(map->entries, map->count + 1, sizeof(*map->entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    map->entries = entries;
    memmove(entries + index + 1, entries + index, (map->count - index) * sizeof(*entries));
    entries[index] = (struct strmap_entry){TAKE_PTR(new_key), TAKE_PTR(new_value)};
    map->count++;
    return 0;
}

const char *strmap_get(const struct strmap *map, const char *key)
{
    bool found = false;
    size_t index = strmap_find(map, key, &found);
    return found ? map->entries[index].value : NULL;
}

int strmap_merge(struct strmap *map, const struct strmap *source)
{
    strmap_foreach (source, entry) {
        int r = strmap_set(map, entry->key, entry->value);
        if (r < 0) {
            return r;
        }
    }
    return 0;
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
