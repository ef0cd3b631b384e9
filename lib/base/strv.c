#include "lib/base/strv.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

void strv_add(struct strv *list, const char *s)
{
    *ARRAY_GROW(list->items, list->count) = str_dup(s);
}

void strv_add_unique(struct strv *list, const char *s)
{
    if (!strv_contains(list, s)) {
        strv_add(list, s);
    }
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
