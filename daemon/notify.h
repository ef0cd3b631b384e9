// What systemd is told, by sd_notify(3). Without systemd each does nothing.
#pragma once

#include <stdint.h>

// "READY=1", "STOPPING=1" or "" with the text for STATUS=, which becomes one line: what is behind a
// line's end would be assigned, too.
void notify(const char *state, const char *status);
void notify_reloading(void);
void notify_watchdog(void);
void notify_failed(int code); // ERRNO= before a failing exit

// How often notify_watchdog is expected, in milliseconds: half of the unit's WatchdogSec. 0: never.
uint64_t notify_watchdog_interval_ms(void);
