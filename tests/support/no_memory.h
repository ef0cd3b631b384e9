// Running out of memory in the program's own code: for programs that are linked with
// -Wl,--wrap of malloc, calloc, realloc and reallocarray, as those named no_memory are. What
// libraries allocate inside is not seen.
#pragma once

#include <stddef.h>

// Calls fn with its first allocation failing, with its second, and so on, until none fails: each
// time fn has to return -ENOMEM and in the end 0. Returns how many failed.
size_t fail_each_allocation(int (*fn)(void *ctx), void *ctx);
