// The work queue: which keys are due, and when. After client-go's workqueue: an item is dirty or
// not, is being processed or not, and never processed twice at once; adding an item that is being
// processed marks it for another attempt. Failures give each item its own back-off. Time comes in
// from outside, in monotonic milliseconds.
#pragma once

#include "lib/base/backoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define QUEUE_NEVER UINT64_MAX

// Embedded in what it stands for; queue_join initialises it. Only the queue writes to it.
struct queue_item {
    uint64_t due_ms; // QUEUE_NEVER: not dirty
    uint64_t taken_ms;
    unsigned failures;
    bool processing;
    bool holds_slot;
    TAILQ_ENTRY(queue_item) link; // in the list that its state says
};

TAILQ_HEAD(queue_list, queue_item);

struct queue {
    struct backoff backoff;
    size_t slots;              // so many items hold a slot at a time
    uint64_t slot_timeout_ms;  // an item gives its slot up after that; QUEUE_NEVER: it keeps it
    struct queue_list due;     // not being processed, the first to come first
    struct queue_list holders; // of a slot, the longest first
    size_t slots_held;
    size_t processing;
};

void queue_init(struct queue *queue, const struct backoff *backoff, size_t slots,
                uint64_t slot_timeout_ms);

// Makes the queue know the item: not due, never failed.
void queue_join(struct queue_item *item);
// Begins anew with an item that is not being processed; also before it is freed.
void queue_reset(struct queue *queue, struct queue_item *item);

// Due at due_ms at the latest, whatever its back-off says: an earlier time stands.
void queue_add(struct queue *queue, struct queue_item *item, uint64_t due_ms);

// Takes the slot of an item that has had its time and returns the item, which goes on without; NULL
// when there is none (more). To be called before queue_take.
struct queue_item *queue_take_slot(struct queue *queue, uint64_t now_ms);

// Takes an item that is due and not being processed, the longest due first; NULL when there is none
// or no slot for one.
struct queue_item *queue_take(struct queue *queue, uint64_t now_ms);

// Of an item that is being processed: what has made it due by that time is dealt with.
void queue_covered(struct queue_item *item, uint64_t due_ms);

enum queue_outcome {
    QUEUE_OK,        // no failure any more
    QUEUE_RETRY,     // due again after the back-off, at least after retry_ms
    QUEUE_CANCELLED, // due again, as it was before it was taken
};
// Ends what queue_take began.
void queue_done(struct queue *queue, struct queue_item *item, enum queue_outcome outcome,
                uint64_t retry_ms, uint64_t now_ms, uint32_t random);

// When queue_take_slot or queue_take has something next as far as time alone brings it; QUEUE_NEVER
// when time does not.
uint64_t queue_next_due(const struct queue *queue);
