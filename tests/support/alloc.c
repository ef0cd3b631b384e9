#include "tests/support/alloc.h"

#include <dlfcn.h>
#include <string.h>

static _Thread_local struct {
    bool on;
    uint64_t fail_from; // of stats.allocations
    uint64_t fail_to;
    void (*before_each)(void);
    struct alloc_stats stats;
} watch;

// Places in libraries that have no way out when memory runs out, and so never lack any here.
static const struct {
    const char *library;
    bool resizes; // only its reallocs
} spared[] = {
    // libarchive 3.6: of the 153 allocations that writing a tar of two files takes, 98 end the
    // process when they fail, most of them by __archive_errx in archive_string.c, and 38 leak.
    {"libarchive.so", false},
    // libuv 1.44: maybe_resize aborts (src/unix/core.c).
    {"libuv.so", true},
};

static bool is_spared(const void *caller, bool resizes)
{
    Dl_info place;
    if (dladdr(caller, &place) == 0 || place.dli_fname == NULL) {
        return false;
    }
    for (size_t i = 0; i < ELEMENTS(spared); i++) {
        if (strstr(place.dli_fname, spared[i].library) != NULL && (resizes || !spared[i].resizes)) {
            return true;
        }
    }
    return false;
}

bool alloc_watch(bool on)
{
    bool was = watch.on;
    watch.on = on;
    return was;
}

void alloc_fail(uint64_t skip, uint64_t count)
{
    watch.fail_from = watch.stats.allocations + skip;
    watch.fail_to = watch.fail_from + count;
}

struct alloc_stats alloc_stats(void)
{
    return watch.stats;
}

bool alloc_is_watched(void)
{
    return watch.on;
}

bool alloc_begin(const void *caller, bool resizes)
{
    uint64_t index = watch.stats.allocations;
    if (watch.before_each != NULL && !is_spared(caller, resizes)) {
        ALLOC_LOOK_AWAY;
        watch.before_each();
    }
    watch.stats.allocations++;
    if (index < watch.fail_from || index >= watch.fail_to) {
        return false;
    }
    bool fails = !is_spared(caller, resizes);
    watch.stats.failed += fails;
    watch.stats.spared += !fails;
    return fails;
}

void alloc_before_each(void (*fn)(void))
{
    watch.before_each = fn;
}

void alloc_add(size_t bytes)
{
    watch.stats.live++;
    watch.stats.live_bytes += bytes;
}

void alloc_remove(size_t bytes)
{
    watch.stats.live--;
    watch.stats.live_bytes -= bytes;
}
