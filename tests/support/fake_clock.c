#include "tests/support/fake_clock.h"

#include <stddef.h>
#include <time.h>

#define MS_PER_S 1000
#define NS_PER_MS 1000000

static uint64_t now_ms;

void fake_clock_set(uint64_t ms)
{
    now_ms = ms;
}

uint64_t fake_clock_ms(void)
{
    return now_ms;
}

int64_t fake_clock_s(void)
{
    return FAKE_CLOCK_EPOCH_S + (int64_t)(now_ms / MS_PER_S);
}

// Names that the linker's --wrap gives.
time_t __wrap_time(time_t *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);

time_t __wrap_time(time_t *ret)
{
    time_t now = (time_t)fake_clock_s();
    if (ret != NULL) {
        *ret = now;
    }
    return now;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) {
        return __real_clock_gettime(clock, ret);
    }
    *ret = (struct timespec){
        .tv_sec = (time_t)(clock == CLOCK_REALTIME ? fake_clock_s() : (int64_t)(now_ms / MS_PER_S)),
        .tv_nsec = (long)(now_ms % MS_PER_S) * NS_PER_MS,
    };
    return 0;
}
