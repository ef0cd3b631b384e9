// The work queue: what is to be looked at, and when. After client-go's workqueue: an item is dirty
// or not, is being processed or not, and never processed twice at once; adding an item that is
// being processed marks it for another round. Failures give each item its own back-off. Time comes
// in from outside, in monotonic milliseconds.
#pragma once

#include "lib/base/backoff.h"
#include "lib/base/heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define QUEUE_NEVER UINT64_MAX

struct queue;

// Embedded in what it stands for; all zero before queue_join. Only the queue writes to it.
struct queue_item {
    struct heap_node node; // in the heap while it waits for its time
    uint64_t due_ms;       // QUEUE_NEVER: not dirty
    uint64_t taken_ms;
    unsigned failures;
    bool processing;
    bool holds_place;
    TAILQ_ENTRY(queue_item) place_link; // while it holds one
};

// So many items are processed at a time; but one that is not done after patience_ms loses its
// place, so that what hangs holds nobody else up. QUEUE_NEVER: it keeps it.
struct queue_limits {
    size_t places;
    uint64_t patience_ms;
};

int queue_new(const struct backoff *backoff, const struct queue_limits *limits, struct queue **ret);
// No item may be being processed. NULL is fine.
void queue_free(struct queue *queue);

void queue_set_backoff(struct queue *queue, const struct backoff *backoff);

// Makes the queue know the item. Returns 0 or -ENOMEM; nothing else of a queue can fail.
int queue_join(struct queue *queue, struct queue_item *item);
// Takes an item out that is not being processed.
void queue_leave(struct queue *queue, struct queue_item *item);

// Marks the item due now, whatever its back-off says.
void queue_add(struct queue *queue, struct queue_item *item);
// Due at due_ms at the latest: an earlier time stands.
void queue_add_at(struct queue *queue, struct queue_item *item, uint64_t due_ms);

// Begins anew with an item that is not being processed: it is not due and has not failed.
void queue_reset(struct queue *queue, struct queue_item *item);

// Takes the place of an item that has had its time and returns the item, which goes on without;
// NULL when there is none (more). To be called before queue_take.
struct queue_item *queue_lose_patience(struct queue *queue, uint64_t now_ms);

// Takes an item that is due and not being processed, the longest due first; NULL when there is none
// or no place for one.
struct queue_item *queue_take(struct queue *queue, uint64_t now_ms);

enum queue_outcome {
    QUEUE_OK,        // forgets the failures
    QUEUE_RETRY,     // due again after the back-off, at least after retry_ms
    QUEUE_CANCELLED, // as it was before it was taken
};
// Ends what queue_take began.
void queue_done(struct queue *queue, struct queue_item *item, enum queue_outcome outcome,
                uint64_t retry_ms, uint64_t now_ms, uint32_t random);

// When queue_lose_patience or queue_take has something next, as far as time alone brings it; false
// when it does not.
bool queue_next_due(const struct queue *queue, uint64_t *ret_ms);
// Items being processed.
size_t queue_processing(const struct queue *queue);
