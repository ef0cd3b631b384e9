#include "lib/base/sorted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t sorted_search(const void *array, size_t count, size_t size, const char *name,
                     sorted_compare_fn compare, bool *ret_found)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, (const char *)array + middle * size);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = false;
    return low;
}

static size_t find(const struct sorted *sorted, const char *name, bool *ret_found)
{
    return sorted_search(sorted->items, sorted->count, sizeof(void *), name, sorted->compare,
                         ret_found);
}

int sorted_insert(struct sorted *sorted, const char *name, void *item)
{
    bool found = false;
    size_t index = find(sorted, name, &found);
    void **items = reallocarray(sorted->items, sorted->count + 1, sizeof(void *));
    if (items == NULL) {
        return -ENOMEM;
    }
    sorted->items = items;
    memmove(items + index + 1, items + index, (sorted->count - index) * sizeof(void *));
    items[index] = item;
    sorted->count++;
    return 0;
}

void *sorted_find(const struct sorted *sorted, const char *name)
{
    bool found = false;
    size_t index = find(sorted, name, &found);
    return found ? sorted->items[index] : NULL;
}

void *sorted_remove(struct sorted *sorted, const char *name)
{
    bool found = false;
    size_t index = find(sorted, name, &found);
    if (!found) {
        return NULL;
    }
    void *item = sorted->items[index];
    sorted->count--;
    memmove(sorted->items + index, sorted->items + index + 1,
            (sorted->count - index) * sizeof(void *));
    return item;
}

void sorted_done(struct sorted *sorted)
{
    free(sorted->items);
    sorted->items = NULL;
    sorted->count = 0;
}
