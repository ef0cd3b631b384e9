#include "lib/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

void alloc_fail(void)
{
    static const char line[] = "hostk8s-registryd: out of memory\n";
    ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1);
    (void)n;
    _exit(EX_OSERR);
}

static void *checked(void *memory)
{
    if (memory == NULL) {
        alloc_fail();
    }
    return memory;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count, size));
}

void *xrealloc(void *memory, size_t size)
{
    return checked(realloc(memory, size == 0 ? 1 : size)); // 0 would free it
}

void array_grow(void **items, size_t *count, size_t size)
{
    // A power of two, or none yet, is full.
    if ((*count & (*count - 1)) == 0) {
        *items = checked(reallocarray(*items, *count == 0 ? 1 : 2 * *count, size));
    }
    memset((char *)*items + *count * size, 0, size);
    (*count)++;
}
