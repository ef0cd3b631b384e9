// Watching allocations and making them fail. What tests/interpose/malloc.c counts here is every
// malloc, calloc, realloc of the process, the C library's and other libraries' own included, but
// only of a thread that watches, and only while it does: doubles of the world look away.
//
// A program that is not linked with tests/interpose/malloc.c watches nothing.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alloc_stats {
    uint64_t allocations; // watched so far, failed ones included
    uint64_t failed;
    uint64_t spared; // were to fail; see alloc.c
    size_t live;     // watched and not freed yet
    size_t live_bytes;
};

// Begins or ends to watch; returns what was before.
bool alloc_watch(bool on);

// Looks away until the end of the scope.
#define ALLOC_LOOK_AWAY                                                                            \
    _cleanup_(alloc_watch_again) _unused_ const bool _watched = alloc_watch(false)
static inline void alloc_watch_again(const bool *watched)
{
    (void)alloc_watch(*watched);
}

// Of the watched allocations from now on, `count` after the next `skip` fail.
void alloc_fail(uint64_t skip, uint64_t count);

// Calls fn, which may call alloc_fail, before each watched allocation that may fail; NULL ends it.
void alloc_before_each(void (*fn)(void));

struct alloc_stats alloc_stats(void);

// For tests/interpose/malloc.c -----------------------------------------------------------------

bool alloc_is_watched(void);
// Counts an allocation that is watched; whether it is to fail. caller: where it returns to;
// resizes: it is a realloc.
bool alloc_begin(const void *caller, bool resizes);
// bytes more, or fewer, are live in one block more, or fewer.
void alloc_add(size_t bytes);
void alloc_remove(size_t bytes);
