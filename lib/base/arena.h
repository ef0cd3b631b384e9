// Strings and arrays that live and go together: what one observation or one plan is made of.
#pragma once

#include "lib/base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

// All zero is an empty arena.
struct arena {
    struct arena_block *blocks;
};

// Memory, all zero, until arena_done.
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));

// Copies; NULL gives NULL.
char *arena_dup(struct arena *arena, const char *s);
char *arena_dup_n(struct arena *arena, const char *s, size_t n);
char *arena_printf(struct arena *arena, const char *format, ...) _printf_(2, 3);
char *arena_vprintf(struct arena *arena, const char *format, va_list args) _printf_(2, 0);

// Makes room for one element more at *items, an array of the arena that holds count of them, and
// counts it. Returns it, all zero.
#define ARENA_GROW(arena, items, count)                                                            \
    (arena_grow(arena, (void **)&(items), &(count), sizeof(*(items))), &(items)[(count)-1])
void arena_grow(struct arena *arena, void **items, size_t *count, size_t size);

// Frees all of it.
void arena_done(struct arena *arena);
