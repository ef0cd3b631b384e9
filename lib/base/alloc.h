// Memory. Running out of it ends the process with a line on stderr (status EX_OSERR): the service
// is started again and observes afresh. No caller handles NULL.
#pragma once

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((returns_nonnull, malloc));
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull, malloc));
void *xrealloc(void *memory, size_t size) __attribute__((returns_nonnull));

// For a library that reports the lack of memory in its own way.
_Noreturn void alloc_fail(void);

// Makes room for one element more at *items, which holds count of them in an allocation that grows
// by doubling, and counts it. Returns it, all zero.
#define ARRAY_GROW(items, count)                                                                   \
    (array_grow((void **)&(items), &(count), sizeof(*(items))), &(items)[(count)-1])
void array_grow(void **items, size_t *count, size_t size);
