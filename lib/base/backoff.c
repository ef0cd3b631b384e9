#include "lib/base/backoff.h"

#include <sys/param.h>

#define JITTER_PERCENT 20

uint64_t backoff_delay_ms(const struct backoff *backoff, unsigned failures, uint32_t random)
{
    uint64_t delay = failures == 0 ? 0 : backoff->initial_ms;
    for (unsigned i = 1; i < failures && delay < backoff->max_ms; i++) {
        delay *= 2;
    }
    delay = MIN(delay, backoff->max_ms);
    return delay * (100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1)) / 100;
}
