// The one brake on changes. Each resource has a record of its latest changes (lib/kinds/record.h);
// from it follows when the next change may be made:
//
//     a change failed                      after the back-off, longer each time
//     a change was made, and is wanted     the same: it did not hold
//     again before the resource was Ready
//     a spec did not come up               after minutes, longer each time
//     a resource that was Ready needs a    at once, until that was so too often: something else
//     change                               keeps changing it back
//
// What is disruptive, as making a container is, is not repeated within DISRUPTIVE_MS.
#pragma once

#include "lib/base/backoff.h"
#include "lib/kinds/plan.h"
#include "lib/kinds/record.h"

// The record of a resource, made if there is none.
struct record *throttle_record(struct records *records, const char *resource);
void throttle_done(struct records *records);

// Whether the plan's changes of the resource may be made now; else the record says from when on,
// and why not. was_ready: the resource was Ready before this plan.
bool throttle_allows(struct record *record, const struct plan *plan, bool was_ready,
                     const struct backoff *backoff, uint64_t now_ms, uint32_t random);

// All changes of the resource that the plan has were made.
void throttle_made(struct record *record, const struct plan *plan);

// The resource is Ready and nothing is to be changed.
void throttle_settled(struct record *record);

// A change failed. may_pass: time may help. retry_ms: what the peer asked to wait, or 0.
void throttle_failed(struct record *record, enum reason reason, const char *message, bool may_pass,
                     uint64_t retry_ms, const struct backoff *backoff, uint64_t now_ms,
                     uint32_t random);

// The spec of this digest did not come up.
void throttle_rejected(struct record *record, const char *digest, enum reason reason,
                       const char *message, uint64_t now_ms, uint32_t random);

// Somebody asks: nothing is held back any longer.
void throttle_hurry(struct records *records);
