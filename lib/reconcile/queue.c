#include "lib/reconcile/queue.h"

#include <assert.h>
#include <sys/param.h>

void queue_init(struct queue *queue, const struct backoff *backoff, size_t slots,
                uint64_t slot_timeout_ms)
{
    *queue =
        (struct queue){.backoff = *backoff, .slots = slots, .slot_timeout_ms = slot_timeout_ms};
    TAILQ_INIT(&queue->due);
    TAILQ_INIT(&queue->holders);
}

void queue_join(struct queue_item *item)
{
    *item = (struct queue_item){.due_ms = QUEUE_NEVER};
}

void queue_reset(struct queue *queue, struct queue_item *item)
{
    assert(!item->processing);
    if (item->due_ms != QUEUE_NEVER) {
        TAILQ_REMOVE(&queue->due, item, link);
    }
    queue_join(item);
}

static void insert(struct queue *queue, struct queue_item *item)
{
    struct queue_item *before = TAILQ_LAST(&queue->due, queue_list);
    while (before != NULL && before->due_ms > item->due_ms) {
        before = TAILQ_PREV(before, queue_list, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&queue->due, item, link);
    } else {
        TAILQ_INSERT_AFTER(&queue->due, before, item, link);
    }
}

void queue_add(struct queue *queue, struct queue_item *item, uint64_t due_ms)
{
    if (due_ms >= item->due_ms) {
        return;
    }
    if (!item->processing && item->due_ms != QUEUE_NEVER) {
        TAILQ_REMOVE(&queue->due, item, link);
    }
    item->due_ms = due_ms;
    if (!item->processing) {
        insert(queue, item);
    }
}

static void release_slot(struct queue *queue, struct queue_item *item)
{
    if (item->holds_slot) {
        item->holds_slot = false;
        TAILQ_REMOVE(&queue->holders, item, link);
        queue->slots_held--;
    }
}

// When the item that has held its slot the longest gives it up.
static uint64_t slot_deadline_ms(const struct queue *queue)
{
    const struct queue_item *first = TAILQ_FIRST(&queue->holders);
    return first == NULL || queue->slot_timeout_ms == QUEUE_NEVER
               ? QUEUE_NEVER
               : first->taken_ms + queue->slot_timeout_ms;
}

struct queue_item *queue_take_slot(struct queue *queue, uint64_t now_ms)
{
    if (slot_deadline_ms(queue) > now_ms) {
        return NULL;
    }
    struct queue_item *item = TAILQ_FIRST(&queue->holders);
    release_slot(queue, item);
    return item;
}

struct queue_item *queue_take(struct queue *queue, uint64_t now_ms)
{
    struct queue_item *item = TAILQ_FIRST(&queue->due);
    if (item == NULL || item->due_ms > now_ms || queue->slots_held >= queue->slots) {
        return NULL;
    }
    TAILQ_REMOVE(&queue->due, item, link);
    item->due_ms = QUEUE_NEVER;
    item->taken_ms = now_ms;
    item->processing = true;
    item->holds_slot = true;
    TAILQ_INSERT_TAIL(&queue->holders, item, link);
    queue->slots_held++;
    queue->processing++;
    return item;
}

void queue_covered(struct queue_item *item, uint64_t due_ms)
{
    assert(item->processing);
    item->due_ms = item->due_ms <= due_ms ? QUEUE_NEVER : item->due_ms;
}

void queue_done(struct queue *queue, struct queue_item *item, enum queue_outcome outcome,
                uint64_t retry_ms, uint64_t now_ms, uint32_t random)
{
    assert(item->processing);
    release_slot(queue, item);
    item->processing = false;
    queue->processing--;

    uint64_t due_ms = item->due_ms; // of an addition meanwhile
    item->due_ms = QUEUE_NEVER;
    queue_add(queue, item, due_ms);
    switch (outcome) {
    case QUEUE_OK:
        item->failures = 0;
        break;
    case QUEUE_RETRY: {
        item->failures++;
        uint64_t delay_ms = backoff_delay_ms(&queue->backoff, item->failures, random);
        queue_add(queue, item, now_ms + MAX(delay_ms, retry_ms));
        break;
    }
    case QUEUE_CANCELLED:
        queue_add(queue, item, now_ms);
        break;
    }
}

uint64_t queue_next_due(const struct queue *queue)
{
    const struct queue_item *first = TAILQ_FIRST(&queue->due);
    uint64_t slot_ms = slot_deadline_ms(queue);
    uint64_t take_ms =
        first == NULL || queue->slots_held >= queue->slots ? QUEUE_NEVER : first->due_ms;
    return MIN(take_ms, slot_ms);
}
