// A clock that the test moves, in the place of time() and clock_gettime() of the program's own
// code; takes -Wl,--wrap=time,--wrap=clock_gettime. The CPU's clocks stay real.
#pragma once

#include <stdint.h>

#define FAKE_CLOCK_EPOCH_S INT64_C(1767225600) // 2026-01-01T00:00:00Z, when the clock was at 0

// Milliseconds of CLOCK_MONOTONIC; CLOCK_REALTIME is FAKE_CLOCK_EPOCH_S later.
void fake_clock_set(uint64_t ms);
uint64_t fake_clock_ms(void);
int64_t fake_clock_s(void); // Unix time
