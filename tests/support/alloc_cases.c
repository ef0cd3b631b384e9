#include "tests/support/alloc_cases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int watched(int (*attempt)(void *ctx), void *ctx)
{
    (void)alloc_watch(true);
    int r = attempt(ctx);
    (void)alloc_watch(false);
    return r;
}

uint64_t alloc_fail_each(int (*attempt)(void *ctx), void *ctx, int expected)
{
    static const uint64_t counts[] = {1, 8, UINT32_MAX};
    const uint64_t begin = alloc_stats().failed;
    for (size_t i = 0; i < ELEMENTS(counts); i++) {
        bool failed = true;
        for (uint64_t skip = 0; failed; skip++) {
            const struct alloc_stats before = alloc_stats();
            alloc_fail(skip, counts[i]);
            int r = watched(attempt, ctx);
            const struct alloc_stats after = alloc_stats();
            failed = after.failed > before.failed || after.spared > before.spared;
            if (r != expected && !(failed && r == -ENOMEM)) {
                fail_msg("allocation %llu and %llu more: %d", (unsigned long long)skip,
                         (unsigned long long)counts[i] - 1, r);
            }
            assert_int_equal(after.live, before.live);
            assert_int_equal(after.live_bytes, before.live_bytes);
        }
    }
    alloc_fail(0, 0);
    return alloc_stats().failed - begin;
}
