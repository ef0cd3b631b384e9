// A list of strings that it owns.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

// All zero is an empty list.
struct strv {
    char **items;
    size_t count;
};

// Appends a copy.
void strv_add(struct strv *list, const char *s);

// As strv_add, unless the list holds it already.
void strv_add_unique(struct strv *list, const char *s);

bool strv_contains(const struct strv *list, const char *s);
void strv_done(struct strv *list);
