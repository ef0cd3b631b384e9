#include "lib/reconcile/news.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <stdlib.h>

bool news_is_same(const struct condition *a, const struct condition *b)
{
    return a->ready == b->ready && a->reason == b->reason && str_equal(a->message, b->message);
}

// Tells of the first entry, and of all behind it that have its condition and are to be told, too.
static void report(struct status *status, size_t first, uint64_t until_ms, news_fn fn, void *ctx)
{
    const struct status_entry *entries = status->entries;
    const char **resources = xcalloc(status->count - first, sizeof(*resources));
    struct news news = {.condition = &entries[first].condition,
                        .resources = resources,
                        .cluster = entries[first].condition.cluster,
                        .before = entries[first].told};
    for (size_t i = first; i < status->count; i++) {
        struct status_entry *entry = &status->entries[i];
        if (entry->news_ms > until_ms || !news_is_same(news.condition, &entry->condition)) {
            continue;
        }
        resources[news.count++] = entry->condition.resource;
        news.cluster = str_equal(news.cluster, entry->condition.cluster) ? news.cluster : NULL;
        news.before = news.before == entry->told ? news.before : _REASON_COUNT;
        entry->told = entry->condition.reason;
        entry->news_ms = STATUS_NEVER;
    }
    fn(ctx, &news);
    free(resources);
}

static uint64_t due_ms(const struct status *status, uint64_t hold_ms)
{
    uint64_t first_ms = STATUS_NEVER;
    for (size_t i = 0; i < status->count; i++) {
        uint64_t news_ms = status->entries[i].news_ms;
        first_ms = news_ms < first_ms ? news_ms : first_ms;
    }
    return first_ms == STATUS_NEVER ? STATUS_NEVER : first_ms + hold_ms;
}

uint64_t news_report(struct status *status, uint64_t now_ms, uint64_t hold_ms, news_fn fn,
                     void *ctx)
{
    bool due = due_ms(status, hold_ms) <= now_ms;
    for (size_t i = 0; i < status->count && due; i++) {
        if (status->entries[i].news_ms <= now_ms - hold_ms / 2) {
            report(status, i, now_ms - hold_ms / 2, fn, ctx);
        }
    }
    return due_ms(status, hold_ms);
}
