#include "lib/reconcile/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

TAILQ_HEAD(place_list, queue_item);

struct queue {
    struct backoff backoff;
    struct queue_limits limits;
    struct heap heap; // of the dirty items that are not being processed
    size_t joined;
    size_t processing;
    struct place_list places; // who holds one, the longest first
    size_t places_held;
};

int queue_new(const struct backoff *backoff, const struct queue_limits *limits, struct queue **ret)
{
    struct queue *queue = malloc(sizeof(*queue));
    if (queue == NULL) {
        return -ENOMEM;
    }
    *queue = (struct queue){.backoff = *backoff, .limits = *limits};
    TAILQ_INIT(&queue->places);
    *ret = queue;
    return 0;
}

void queue_free(struct queue *queue)
{
    if (queue != NULL) {
        assert(queue->processing == 0);
        heap_done(&queue->heap);
        free(queue);
    }
}

void queue_set_backoff(struct queue *queue, const struct backoff *backoff)
{
    queue->backoff = *backoff;
}

int queue_join(struct queue *queue, struct queue_item *item)
{
    int r = heap_reserve(&queue->heap, queue->joined + 1);
    if (r < 0) {
        return r;
    }
    *item = (struct queue_item){.due_ms = QUEUE_NEVER};
    queue->joined++;
    return 0;
}

void queue_reset(struct queue *queue, struct queue_item *item)
{
    assert(!item->processing);
    if (item->due_ms != QUEUE_NEVER) {
        heap_remove(&queue->heap, &item->node);
    }
    *item = (struct queue_item){.due_ms = QUEUE_NEVER};
}

void queue_leave(struct queue *queue, struct queue_item *item)
{
    queue_reset(queue, item);
    queue->joined--;
}

void queue_add_at(struct queue *queue, struct queue_item *item, uint64_t due_ms)
{
    if (due_ms < item->due_ms) {
        item->due_ms = due_ms;
        if (!item->processing) {
            heap_put(&queue->heap, &item->node, due_ms);
        }
    }
}

void queue_add(struct queue *queue, struct queue_item *item)
{
    queue_add_at(queue, item, 0);
}

static void give_place_up(struct queue *queue, struct queue_item *item)
{
    if (item->holds_place) {
        item->holds_place = false;
        TAILQ_REMOVE(&queue->places, item, place_link);
        queue->places_held--;
    }
}

static bool has_room(const struct queue *queue)
{
    return queue->places_held < queue->limits.places;
}

// When the one that holds its place for the longest loses it.
static uint64_t end_of_patience_ms(const struct queue *queue)
{
    const struct queue_item *first = TAILQ_FIRST(&queue->places);
    uint64_t patience_ms = queue->limits.patience_ms;
    return first == NULL || patience_ms == QUEUE_NEVER ? QUEUE_NEVER
                                                       : first->taken_ms + patience_ms;
}

struct queue_item *queue_lose_patience(struct queue *queue, uint64_t now_ms)
{
    if (end_of_patience_ms(queue) > now_ms) {
        return NULL;
    }
    struct queue_item *item = TAILQ_FIRST(&queue->places);
    give_place_up(queue, item);
    return item;
}

static uint64_t next_take_ms(const struct queue *queue)
{
    const struct heap_node *first = heap_first(&queue->heap);
    return first == NULL || !has_room(queue) ? QUEUE_NEVER : first->key;
}

struct queue_item *queue_take(struct queue *queue, uint64_t now_ms)
{
    if (next_take_ms(queue) > now_ms) {
        return NULL;
    }
    struct queue_item *item = (struct queue_item *)heap_first(&queue->heap);
    heap_remove(&queue->heap, &item->node);
    item->due_ms = QUEUE_NEVER;
    item->taken_ms = now_ms;
    item->processing = true;
    item->holds_place = true;
    TAILQ_INSERT_TAIL(&queue->places, item, place_link);
    queue->places_held++;
    queue->processing++;
    return item;
}

void queue_done(struct queue *queue, struct queue_item *item, enum queue_outcome outcome,
                uint64_t retry_ms, uint64_t now_ms, uint32_t random)
{
    assert(item->processing);
    give_place_up(queue, item);
    item->processing = false;
    queue->processing--;

    uint64_t due_ms = item->due_ms; // of an addition meanwhile
    uint64_t again_ms = QUEUE_NEVER;
    switch (outcome) {
    case QUEUE_OK:
        item->failures = 0;
        break;
    case QUEUE_RETRY: {
        item->failures++;
        uint64_t delay_ms = backoff_delay_ms(&queue->backoff, item->failures, random);
        again_ms = now_ms + (delay_ms > retry_ms ? delay_ms : retry_ms);
        break;
    }
    case QUEUE_CANCELLED:
        again_ms = item->node.key; // its time when it was taken
        break;
    }
    item->due_ms = QUEUE_NEVER;
    queue_add_at(queue, item, again_ms < due_ms ? again_ms : due_ms);
}

bool queue_next_due(const struct queue *queue, uint64_t *ret_ms)
{
    uint64_t take_ms = next_take_ms(queue);
    uint64_t patience_ms = end_of_patience_ms(queue);
    *ret_ms = take_ms < patience_ms ? take_ms : patience_ms;
    return *ret_ms != QUEUE_NEVER;
}

size_t queue_processing(const struct queue *queue)
{
    return queue->processing;
}
