#include "lib/base/arena.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <stdalign.h>
#include <string.h>

// One for each piece of memory, so that a sanitizer sees where it ends.
struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = xcalloc(1, sizeof(*block) + size);
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

char *arena_dup_n(struct arena *arena, const char *s, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    memcpy(copy, s, n);
    return copy;
}

char *arena_dup(struct arena *arena, const char *s)
{
    return s == NULL ? NULL : arena_dup_n(arena, s, strlen(s));
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    _cleanup_free_ char *s = str_vprintf(format, args);
    return arena_dup(arena, s);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = arena_vprintf(arena, format, args);
    va_end(args);
    return s;
}

void arena_grow(struct arena *arena, void **items, size_t *count, size_t size)
{
    // A power of two, or none yet, is full.
    if ((*count & (*count - 1)) == 0) {
        void *moved = arena_alloc(arena, (*count == 0 ? 1 : 2 * *count) * size);
        if (*count > 0) {
            memcpy(moved, *items, *count * size);
        }
        *items = moved;
    }
    (*count)++;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
