// What systemd is told: one function per message. Without systemd each does nothing.
// sd_notify(3); a text with control characters would become further assignments, so they are
// replaced.
#pragma once

#include <stdint.h>

void notify_ready(const char *status);
void notify_reloading(void);
void notify_status(const char *status);
void notify_stopping(void);
void notify_watchdog(void);
void notify_failed(int code); // ERRNO= before a failing exit

// How often notify_watchdog is expected, in milliseconds: half of the unit's WatchdogSec. 0: never.
uint64_t notify_watchdog_interval_ms(void);
