#include "lib/base/backoff.h"

#define JITTER_PERCENT 20

uint64_t backoff_delay_ms(const struct backoff *backoff, unsigned failures, uint32_t random)
{
    if (failures == 0) {
        return 0;
    }
    uint64_t delay = backoff->initial_ms;
    for (unsigned i = 1; i < failures && delay < backoff->max_ms; i++) {
        delay *= 2;
    }
    if (delay > backoff->max_ms) {
        delay = backoff->max_ms;
    }
    uint64_t percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
    return delay * percent / 100;
}
