#include "tests/support/alloc.h"

#include <dlfcn.h>
#include <string.h>

static _Thread_local struct {
    bool on;
    uint64_t fail_from; // of stats.allocations
    uint64_t fail_to;
    struct alloc_stats stats;
} watch;

// Libraries that end the process when memory runs out: what they do then is not to be had.
static const char *const fatal[] = {
    "libarchive.so",
};

static bool is_spared(const void *caller)
{
    Dl_info info;
    if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    for (size_t i = 0; i < ELEMENTS(fatal); i++) {
        if (strstr(info.dli_fname, fatal[i]) != NULL) {
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

bool alloc_begin(const void *caller)
{
    uint64_t index = watch.stats.allocations++;
    if (index < watch.fail_from || index >= watch.fail_to) {
        return false;
    }
    bool spared = is_spared(caller);
    watch.stats.spared += spared;
    watch.stats.failed += !spared;
    return !spared;
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
