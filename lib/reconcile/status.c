#include "lib/reconcile/status.h"

#include "lib/base/sorted.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Where a kind of resource stands in the table.
static const char *const prefixes[] = {"container/", "network/", "node/", "kube/"};

static size_t rank(const char *resource)
{
    size_t i = 0;
    while (i < ELEMENTS(prefixes) && !str_starts_with(resource, prefixes[i])) {
        i++;
    }
    return i;
}

static int order(const char *a, const char *b)
{
    size_t rank_a = rank(a);
    size_t rank_b = rank(b);
    return rank_a != rank_b ? (rank_a < rank_b ? -1 : 1) : strcmp(a, b);
}

static int compare(const char *resource, const void *element)
{
    return order(resource, ((const struct status_entry *)element)->condition.resource);
}

static size_t find(const struct status *status, const char *resource, bool *ret_found)
{
    return sorted_search(status->entries, status->count, sizeof(*status->entries), resource,
                         compare, ret_found);
}

static int condition_copy(const struct condition *condition, struct condition *ret)
{
    struct condition copy = {
        .resource = str_dup(condition->resource),
        .cluster = str_dup(condition->cluster),
        .ready = condition->ready,
        .reason = condition->reason,
        .message = str_dup(condition->message == NULL ? "" : condition->message),
    };
    if (copy.resource == NULL || copy.message == NULL ||
        (copy.cluster == NULL && condition->cluster != NULL)) {
        condition_done(&copy);
        return -ENOMEM;
    }
    str_make_printable(copy.message);
    *ret = copy;
    return 0;
}

static int insert(struct status *status, size_t index, const struct status_entry *entry)
{
    struct status_entry *entries =
        reallocarray(status->entries, status->count + 1, sizeof(*entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    status->entries = entries;
    memmove(entries + index + 1, entries + index, (status->count - index) * sizeof(*entries));
    entries[index] = *entry;
    status->count++;
    status->ready += entry->condition.ready == READY_TRUE;
    return 0;
}

int status_set(struct status *status, const struct condition *condition, int64_t now_s,
               bool *ret_changed, struct condition *ret_before)
{
    struct status_entry entry = {.since_s = now_s};
    int r = condition_copy(condition, &entry.condition);
    if (r < 0) {
        return r;
    }

    bool found = false;
    size_t index = find(status, condition->resource, &found);
    if (!found) {
        r = insert(status, index, &entry);
        if (r < 0) {
            condition_done(&entry.condition);
            return r;
        }
        *ret_before = (struct condition){0};
        *ret_changed = true;
        return 0;
    }

    struct status_entry *present = &status->entries[index];
    bool moved = present->condition.ready != entry.condition.ready ||
                 present->condition.reason != entry.condition.reason;
    if (!moved && str_equal(present->condition.message, entry.condition.message)) {
        condition_done(&entry.condition);
        *ret_changed = false;
        return 0;
    }
    if (!moved) {
        entry.since_s = present->since_s;
    }
    status->ready -= present->condition.ready == READY_TRUE;
    status->ready += entry.condition.ready == READY_TRUE;
    *ret_before = present->condition;
    entry.text_length = present->text_length;
    *present = entry;
    *ret_changed = true;
    return 0;
}

static void cut_text(struct status *status, const struct status_entry *entry)
{
    size_t at = 0;
    for (const struct status_entry *e = status->entries; e < entry; e++) {
        at += e->text_length;
    }
    buf_cut(&status->text, at, entry->text_length);
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
    cut_text(status, entry);
    condition_done(&entry->condition);
    status->count--;
    memmove(entry, entry + 1, (status->count - index) * sizeof(*entry));
    return true;
}

const struct status_entry *status_get(const struct status *status, const char *resource)
{
    bool found = false;
    size_t index = find(status, resource, &found);
    return found ? &status->entries[index] : NULL;
}

void status_line(const struct status *status, char *line, size_t size)
{
    if (status->ready == status->count) {
        (void)snprintf(line, size, "%zu/%zu ready", status->ready, status->count);
    } else {
        const struct status_entry *first = status->entries;
        while (first->condition.ready == READY_TRUE) {
            first++;
        }
        (void)snprintf(line, size, "%zu/%zu ready: %s %s", status->ready, status->count,
                       first->condition.resource, reason_name(first->condition.reason));
    }
    if (size > 0) {
        str_make_printable(line);
    }
}

void status_done(struct status *status)
{
    for (size_t i = 0; i < status->count; i++) {
        condition_done(&status->entries[i].condition);
    }
    free(status->entries);
    buf_done(&status->text);
    buf_done(&status->spare);
    *status = (struct status){0};
}
