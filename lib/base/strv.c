#include "lib/base/strv.h"

#include "lib/base/str.h"

#include <errno.h>

int strv_add(struct strv *list, const char *s)
{
    _cleanup_free_ char *copy = str_dup(s);
    if (copy == NULL) {
        return -ENOMEM;
    }
    char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
    if (items == NULL) {
        return -ENOMEM;
    }
    list->items = items;
    list->items[list->count++] = TAKE_PTR(copy);
    return 0;
}

int strv_add_unique(struct strv *list, const char *s)
{
    return strv_contains(list, s) ? 0 : strv_add(list, s);
}

bool strv_contains(const struct strv *list, const char *s)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_equal(list->items[i], s)) {
            return true;
        }
    }
    return false;
}

void strv_done(struct strv *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct strv){0};
}
