// The allocator of a test program: the C library's own, behind what tests/support/alloc.h says.
// Defined in the program, these functions are used by all shared libraries as well ("Replacing
// malloc" in the manual of the GNU C library). What is new or freed is filled with a pattern, and
// realloc always moves, so that a use after free, or of what was never set, shows.
#include "tests/support/alloc.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0 // clang's way to ask what gcc has a macro for
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define BENEATH(function) __interceptor_##function
#else
#define BENEATH(function) __libc_##function
#endif

void *BENEATH(malloc)(size_t size);
void BENEATH(free)(void *block);

#define MARK 0xa110ca7eu
#define FRESH 0xaa
#define FREED 0xdd

struct header {
    size_t size;
    uint32_t mark;
    uint16_t distance; // from the start of what the C library gave
    bool watched;
};
_Static_assert(sizeof(struct header) == 16, "keeps the alignment of malloc");

static struct header *header_of(void *block)
{
    struct header *header = (struct header *)block - 1;
    if (header->mark != MARK) {
        __builtin_trap(); // freed twice, or never allocated
    }
    return header;
}

// Alignment is a power of two, at least the header's size.
static void *take(size_t size, size_t alignment, const void *caller, bool resizes)
{
    bool watched = alloc_is_watched();
    char *start = NULL;
    if (!(watched && alloc_begin(caller, resizes)) && size < SIZE_MAX / 2) {
        start = BENEATH(malloc)(size + 2 * alignment);
    }
    if (start == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = (char *)(((uintptr_t)start + 2 * alignment - 1) & ~(uintptr_t)(alignment - 1));
    ((struct header *)(void *)block)[-1] = (struct header){
        .size = size, .mark = MARK, .distance = (uint16_t)(block - start), .watched = watched};
    if (watched) {
        alloc_add(size);
    }
    return memset(block, FRESH, size);
}

static void give(void *block)
{
    struct header *header = header_of(block);
    if (header->watched) {
        alloc_remove(header->size);
    }
    char *start = (char *)block - header->distance;
    header->mark = 0;
    memset(block, FREED, header->size);
    BENEATH(free)(start);
}

#define ALLOCATE(size) take((size), sizeof(struct header), __builtin_return_address(0), false)

void *malloc(size_t size)
{
    return ALLOCATE(size);
}

void free(void *block)
{
    if (block != NULL) {
        int saved = errno;
        give(block);
        errno = saved;
    }
}

void *calloc(size_t count, size_t size)
{
    size_t total = 0;
    void *block = ALLOCATE(__builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total);
    return block == NULL ? NULL : memset(block, 0, total);
}

static void *resize(void *old, size_t size, const void *caller)
{
    if (old != NULL && size == 0) {
        give(old);
        return NULL;
    }
    void *block = take(size, sizeof(struct header), caller, true);
    if (block != NULL && old != NULL) {
        size_t before = header_of(old)->size;
        memcpy(block, old, before < size ? before : size);
        give(old);
    }
    return block;
}

void *realloc(void *old, size_t size)
{
    return resize(old, size, __builtin_return_address(0));
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t total = 0;
    return resize(old, __builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total,
                  __builtin_return_address(0));
}

static void *take_aligned(size_t alignment, size_t size, const void *caller)
{
    size_t least = sizeof(struct header);
    return take(size, alignment < least ? least : alignment, caller, false);
}

void *memalign(size_t alignment, size_t size)
{
    return take_aligned(alignment, size, __builtin_return_address(0));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take_aligned(alignment, size, __builtin_return_address(0));
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *block = take_aligned(alignment, size, __builtin_return_address(0));
    if (block == NULL) {
        return ENOMEM;
    }
    *ret = block;
    return 0;
}

size_t malloc_usable_size(void *block)
{
    return block == NULL ? 0 : header_of(block)->size;
}

// The sanitizers' own versions would not come by here.
char *strndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = ALLOCATE(length + 1);
    if (copy != NULL) {
        memcpy(copy, s, length);
        copy[length] = '\0';
    }
    return copy;
}

char *strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = ALLOCATE(size);
    return copy == NULL ? NULL : memcpy(copy, s, size);
}
