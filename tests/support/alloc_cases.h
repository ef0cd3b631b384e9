// Failing allocations of one call, one after the other; takes tests/interpose/malloc.c.
#pragma once

#include "tests/support/alloc.h"

// Calls attempt(ctx) again and again, letting allocation 0, 1, 2, … of it fail, until it makes no
// more of them: then the same for 8 in a row and for all from there on. attempt is watched; it
// checks what it gets, and returns 0, or what its call returned. Asserts that this is `expected`
// where nothing failed, else that or -ENOMEM, and that nothing is left allocated. Returns how many
// allocations failed.
uint64_t alloc_fail_each(int (*attempt)(void *ctx), void *ctx, int expected);
