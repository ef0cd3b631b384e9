// The keyed work queue: which key is to be looked at, and when. After client-go's workqueue: a key
// is dirty or not, is being processed or not, and never processed twice at once; adding a key that
// is being processed marks it for another round. Failures give each key its own back-off. Time
// comes in from outside, in monotonic milliseconds.
#pragma once

#include "lib/base/backoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

int queue_new(const struct backoff *backoff, struct queue **ret);
void queue_free(struct queue *queue);

void queue_set_backoff(struct queue *queue, const struct backoff *backoff);

// Marks the key due now, whatever its back-off says. Creates the key.
// Returns 0 or -ENOMEM.
int queue_add(struct queue *queue, const char *key);
// Due at due_ms at the latest: an earlier time stands.
int queue_add_at(struct queue *queue, const char *key, uint64_t due_ms);
// Forgets the key; one being processed goes when it is done.
void queue_remove(struct queue *queue, const char *key);

// Begins anew: no key is due and none has failed. None may be being processed.
void queue_clear(struct queue *queue);

// Takes a key that is due and not being processed, the longest due first. Borrowed until
// queue_done.
bool queue_take(struct queue *queue, uint64_t now_ms, const char **ret);

enum queue_outcome {
    QUEUE_OK,        // forgets the failures
    QUEUE_RETRY,     // due again after the back-off, at least after retry_ms
    QUEUE_CANCELLED, // as it was before it was taken
};
// Ends what queue_take began; releases the borrowed key when it was removed meanwhile.
void queue_done(struct queue *queue, const char *key, enum queue_outcome outcome, uint64_t retry_ms,
                uint64_t now_ms, uint32_t random);

// When the next key that is not being processed is due; false when none is.
bool queue_next_due(const struct queue *queue, uint64_t *ret_ms);
// Keys being processed.
size_t queue_processing(const struct queue *queue);
unsigned queue_failures(const struct queue *queue, const char *key);
size_t queue_count(const struct queue *queue); // every key it knows
