#include "lib/reconcile/status.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where a kind of resource stands in the table.
static const char *const prefixes[] = {"container/", "network/", "node/", "kube/", "route/"};

static size_t rank(const char *resource)
{
    size_t i = 0;
    while (i < ELEMENTS(prefixes) && !str_starts_with(resource, prefixes[i])) {
        i++;
    }
    return i;
}

static int compare(const char *resource, const struct status_entry *entry)
{
    size_t a = rank(resource);
    size_t b = rank(entry->condition.resource);
    return a != b ? (a < b ? -1 : 1) : strcmp(resource, entry->condition.resource);
}

// The resource's index, or the one where it belongs.
static size_t find(const struct status *status, const char *resource, bool *ret_found)
{
    size_t low = 0;
    size_t high = status->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(resource, &status->entries[middle]);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = false;
    return low;
}

static struct condition copy(const struct condition *condition)
{
    struct condition copied = *condition;
    copied.resource = str_dup(condition->resource);
    copied.cluster = str_dup(condition->cluster);
    copied.message = str_dup(condition->message);
    return copied;
}

static void condition_free(struct condition *condition)
{
    free((char *)condition->resource);
    free((char *)condition->cluster);
    free((char *)condition->message);
}

enum status_change status_set(struct status *status, const struct condition *condition,
                              int64_t now_s, uint64_t now_ms)
{
    bool found = false;
    size_t index = find(status, condition->resource, &found);
    if (!found) {
        (void)ARRAY_GROW(status->entries, status->count);
        struct status_entry *entry = &status->entries[index];
        memmove(entry + 1, entry, (status->count - 1 - index) * sizeof(*entry));
        *entry = (struct status_entry){copy(condition), now_s, _REASON_COUNT, now_ms};
        status->ready += condition->ready == READY_TRUE;
        return STATUS_MOVED;
    }

    struct status_entry *entry = &status->entries[index];
    struct condition *present = &entry->condition;
    bool moved = present->ready != condition->ready || present->reason != condition->reason;
    if (!moved && str_equal(present->message, condition->message)) {
        return STATUS_SAME;
    }
    status->ready -= present->ready == READY_TRUE;
    status->ready += condition->ready == READY_TRUE;
    struct condition copied = copy(condition); // before what it may be a part of is freed
    condition_free(present);
    *present = copied;
    if (!moved) {
        return STATUS_REWORDED;
    }
    entry->since_s = now_s;
    if (entry->told == condition->reason) {
        entry->news_ms = STATUS_NEVER;
    } else if (condition->reason == REASON_CONTENDED) {
        entry->news_ms = 0; // it has gone back and forth long enough
    } else if (entry->news_ms == STATUS_NEVER) {
        entry->news_ms = now_ms;
    }
    return STATUS_MOVED;
}

bool status_remove(struct status *status, const char *resource)
{
    bool found = false;
    size_t index = find(status, resource, &found);
    if (!found) {
        return false;
    }
    struct status_entry *entry = &status->entries[index];
    status->ready -= entry->condition.ready == READY_TRUE;
    condition_free(&entry->condition);
    status->count--;
    memmove(entry, entry + 1, (status->count - index) * sizeof(*entry));
    return true;
}

const struct condition *status_get(const struct status *status, const char *resource)
{
    bool found = false;
    size_t index = find(status, resource, &found);
    return found ? &status->entries[index].condition : NULL;
}

void status_line(const struct status *status, char *line, size_t size)
{
    if (status->ready == status->count) {
        (void)snprintf(line, size, "%zu/%zu ready", status->ready, status->count);
        return;
    }
    const struct status_entry *first = status->entries;
    while (first->condition.ready == READY_TRUE) {
        first++;
    }
    (void)snprintf(line, size, "%zu/%zu ready: %s %s", status->ready, status->count,
                   first->condition.resource, reason_name(first->condition.reason));
    str_make_printable(line);
}

void status_done(struct status *status)
{
    for (size_t i = 0; i < status->count; i++) {
        condition_free(&status->entries[i].condition);
    }
    free(status->entries);
    *status = (struct status){0};
}
