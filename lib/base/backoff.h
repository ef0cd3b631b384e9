// Exponential back-off with jitter.
#pragma once

#include <stdint.h>

struct backoff {
    uint64_t initial_ms;
    uint64_t max_ms;
};

// The delay before try number `failures` + 1: initial * 2^(failures-1), at most max, then 20 % up
// or down by `random` (any 32 bits). 0 for no failure.
uint64_t backoff_delay_ms(const struct backoff *backoff, unsigned failures, uint32_t random);
