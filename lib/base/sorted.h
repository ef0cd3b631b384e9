// Sorted arrays: what has a name is found by halving and walked in the order of the names. An
// insertion moves what is behind it, which costs next to nothing below some ten thousand elements.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Whether the name belongs before (< 0), at (0) or behind the element of an array. The elements of
// a struct sorted are pointers: there it gets the address of one.
typedef int (*sorted_compare_fn)(const char *name, const void *element);

// The index of the name in an array of count elements of a size, or the place where it belongs with
// *ret_found false.
size_t sorted_search(const void *array, size_t count, size_t size, const char *name,
                     sorted_compare_fn compare, bool *ret_found);

// Pointers to things that their owner keeps.
struct sorted {
    void **items;
    size_t count;
    sorted_compare_fn compare;
};

// Puts an item in whose name is not there yet. Returns 0 or -ENOMEM.
int sorted_insert(struct sorted *sorted, const char *name, void *item);
// NULL when there is none of the name.
void *sorted_find(const struct sorted *sorted, const char *name);
// Takes the item of the name out and returns it; NULL when there is none.
void *sorted_remove(struct sorted *sorted, const char *name);
void sorted_done(struct sorted *sorted);
