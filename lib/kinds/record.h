// What is known of a resource's latest changes, by which it is throttled: the one thing that is
// remembered from attempt to attempt. A change that failed, a container that did not come up, and a
// change that is wanted again right after it was made are one case with one brake: ever longer
// delays, with the reason as the condition.
#pragma once

#include "lib/base/error.h"
#include "lib/kinds/condition.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_CHANGES_MAX 8

struct record {
    char *resource;
    unsigned failures;      // in a row
    uint64_t not_before_ms; // no change before
    enum reason reason;     // of the latest failure, while there is one
    bool may_pass;          // likewise: time may help
    char *message;
    char *digest;                         // of the spec that did not come up, NULL: none
    uint64_t rejected_until_ms;           // it is not tried again before
    uint64_t changes[RECORD_CHANGES_MAX]; // the latest made since the resource was last Ready
    unsigned change_count;
    // A bucket of repairs: one is taken out each empty_ms.
    unsigned repairs;
    uint64_t repairs_ms;
    uint64_t empty_ms;
};

struct records {
    struct record **items;
    size_t count;
};

// NULL when nothing is known of it. records may be NULL.
const struct record *record_find(const struct records *records, const char *resource);

// Whether a spec with this digest was tried for the resource, did not come up, and is not to be
// tried again yet.
bool record_rejects(const struct records *records, const char *resource, const char *digest,
                    uint64_t now_ms);
