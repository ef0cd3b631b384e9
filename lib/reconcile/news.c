#include "lib/reconcile/news.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <stdlib.h>
#include <sys/param.h>

// How many times as long the news of what is on its way have to stand: by default 2 minutes in
// place of 5 s.
#define HOLDS_ON_ITS_WAY 24

bool news_is_same(const struct condition *a, const struct condition *b)
{
    return a->ready == b->ready && a->reason == b->reason && str_equal(a->message, b->message);
}

// Whether the resource is expected to come right by itself. A cluster that is being made gets its
// ingress controller last.
static bool is_on_its_way(const struct status *status, const struct condition *condition)
{
    enum reason reason = condition->reason;
    bool comes = reason_may_pass(reason) || reason == REASON_INGRESS_CLASS_MISSING ||
                 reason == REASON_GATEWAY_MISSING;
    return reason == REASON_CONVERGING ||
           (comes && reason != REASON_CONTENDED && condition->cluster != NULL &&
            status->engine != NULL && engine_cluster_is_new(status->engine, condition->cluster));
}

// When the entry's news have stood for long enough, STATUS_NEVER: it has none.
static uint64_t due_ms(const struct status *status, const struct status_entry *entry,
                       uint64_t hold_ms)
{
    if (entry->news_ms == STATUS_NEVER) {
        return STATUS_NEVER;
    }
    bool on_its_way = is_on_its_way(status, &entry->condition);
    return entry->news_ms + hold_ms * (on_its_way ? HOLDS_ON_ITS_WAY : 1);
}

// Tells of the first entry, and of all behind it that have its condition and are to be told, too.
static void report(struct status *status, size_t first, uint64_t now_ms, uint64_t hold_ms,
                   news_fn fn, void *ctx)
{
    const struct status_entry *entries = status->entries;
    const char **resources = xcalloc(status->count - first, sizeof(*resources));
    struct news news = {.condition = &entries[first].condition,
                        .resources = resources,
                        .cluster = entries[first].condition.cluster,
                        .before = entries[first].told};
    for (size_t i = first; i < status->count; i++) {
        struct status_entry *entry = &status->entries[i];
        if (due_ms(status, entry, hold_ms / 2) > now_ms ||
            !news_is_same(news.condition, &entry->condition)) {
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

static uint64_t first_due_ms(const struct status *status, uint64_t hold_ms)
{
    uint64_t first_ms = STATUS_NEVER;
    for (size_t i = 0; i < status->count; i++) {
        uint64_t entry_ms = due_ms(status, &status->entries[i], hold_ms);
        first_ms = MIN(entry_ms, first_ms);
    }
    return first_ms;
}

uint64_t news_report(struct status *status, uint64_t now_ms, uint64_t hold_ms, news_fn fn,
                     void *ctx)
{
    bool due = first_due_ms(status, hold_ms) <= now_ms;
    for (size_t i = 0; i < status->count && due; i++) {
        if (due_ms(status, &status->entries[i], hold_ms / 2) <= now_ms) {
            report(status, i, now_ms, hold_ms, fn, ctx);
        }
    }
    return first_due_ms(status, hold_ms);
}
