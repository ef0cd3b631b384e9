#include "lib/reconcile/queue.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define NEVER UINT64_MAX

struct entry {
    char *key;
    uint64_t due_ms;   // NEVER: not dirty
    uint64_t taken_ms; // due_ms when it was taken, while processing
    unsigned failures;
    bool processing;
    bool removed; // goes when it is done
};

// A machine has a dozen keys, so a list in the order of arrival is searched from the front.
struct queue {
    struct backoff backoff;
    struct entry *entries;
    size_t count;
};

int queue_new(const struct backoff *backoff, struct queue **ret)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL) {
        return -ENOMEM;
    }
    queue->backoff = *backoff;
    *ret = queue;
    return 0;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < queue->count; i++) {
        free(queue->entries[i].key);
    }
    free(queue->entries);
    free(queue);
}

void queue_set_backoff(struct queue *queue, const struct backoff *backoff)
{
    queue->backoff = *backoff;
}

static struct entry *find(const struct queue *queue, const char *key)
{
    for (size_t i = 0; i < queue->count; i++) {
        if (str_equal(queue->entries[i].key, key)) {
            return &queue->entries[i];
        }
    }
    return NULL;
}

static struct entry *append(struct queue *queue, const char *key)
{
    _cleanup_free_ char *copy = str_dup(key);
    if (copy == NULL) {
        return NULL;
    }
    struct entry *entries = reallocarray(queue->entries, queue->count + 1, sizeof(*entries));
    if (entries == NULL) {
        return NULL;
    }
    queue->entries = entries;
    entries[queue->count] = (struct entry){.key = TAKE_PTR(copy), .due_ms = NEVER};
    return &entries[queue->count++];
}

static void erase(struct queue *queue, struct entry *entry)
{
    free(entry->key);
    size_t index = (size_t)(entry - queue->entries);
    queue->count--;
    memmove(entry, entry + 1, (queue->count - index) * sizeof(*entry));
}

static void due_by(struct entry *entry, uint64_t due_ms)
{
    entry->due_ms = due_ms < entry->due_ms ? due_ms : entry->due_ms;
}

int queue_add_at(struct queue *queue, const char *key, uint64_t due_ms)
{
    struct entry *entry = find(queue, key);
    if (entry == NULL) {
        entry = append(queue, key);
    }
    if (entry == NULL) {
        return -ENOMEM;
    }
    entry->removed = false;
    due_by(entry, due_ms);
    return 0;
}

int queue_add(struct queue *queue, const char *key)
{
    return queue_add_at(queue, key, 0);
}

void queue_remove(struct queue *queue, const char *key)
{
    struct entry *entry = find(queue, key);
    if (entry == NULL) {
        return;
    }
    if (entry->processing) {
        entry->removed = true;
        entry->due_ms = NEVER;
    } else {
        erase(queue, entry);
    }
}

void queue_clear(struct queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        queue->entries[i].due_ms = NEVER;
        queue->entries[i].failures = 0;
    }
}

// The entry that is not being processed and due first, NULL when none is dirty.
static struct entry *first_due(const struct queue *queue)
{
    struct entry *first = NULL;
    for (size_t i = 0; i < queue->count; i++) {
        struct entry *entry = &queue->entries[i];
        if (!entry->processing && entry->due_ms != NEVER &&
            (first == NULL || entry->due_ms < first->due_ms)) {
            first = entry;
        }
    }
    return first;
}

bool queue_take(struct queue *queue, uint64_t now_ms, const char **ret)
{
    struct entry *entry = first_due(queue);
    if (entry == NULL || entry->due_ms > now_ms) {
        return false;
    }
    entry->processing = true;
    entry->taken_ms = entry->due_ms;
    entry->due_ms = NEVER;
    *ret = entry->key;
    return true;
}

void queue_done(struct queue *queue, const char *key, enum queue_outcome outcome, uint64_t retry_ms,
                uint64_t now_ms, uint32_t random)
{
    struct entry *entry = find(queue, key);
    if (entry == NULL || !entry->processing) {
        return;
    }
    entry->processing = false;
    if (entry->removed) {
        erase(queue, entry);
        return;
    }
    switch (outcome) {
    case QUEUE_OK:
        entry->failures = 0;
        break;
    case QUEUE_RETRY: {
        entry->failures++;
        uint64_t delay_ms = backoff_delay_ms(&queue->backoff, entry->failures, random);
        due_by(entry, now_ms + (delay_ms > retry_ms ? delay_ms : retry_ms));
        break;
    }
    case QUEUE_CANCELLED:
        due_by(entry, entry->taken_ms);
        break;
    }
}

bool queue_next_due(const struct queue *queue, uint64_t *ret_ms)
{
    const struct entry *entry = first_due(queue);
    if (entry == NULL) {
        return false;
    }
    *ret_ms = entry->due_ms;
    return true;
}

size_t queue_processing(const struct queue *queue)
{
    size_t count = 0;
    for (size_t i = 0; i < queue->count; i++) {
        count += queue->entries[i].processing;
    }
    return count;
}

unsigned queue_failures(const struct queue *queue, const char *key)
{
    const struct entry *entry = find(queue, key);
    return entry == NULL ? 0 : entry->failures;
}

size_t queue_count(const struct queue *queue)
{
    return queue->count;
}
