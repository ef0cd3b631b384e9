#include "daemon/notify.h"

#include "lib/base/str.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_MAX 512

void notify(const char *state, const char *status)
{
    char line[STATUS_MAX];
    (void)snprintf(line, sizeof(line), "%s", status);
    str_make_printable(line);
    (void)sd_notifyf(0, "%s\nSTATUS=%s", state, line);
}

void notify_reloading(void)
{
    // Type=notify-reload of systemd 253 wants the time; older ones ignore it.
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

void notify_failed(int code)
{
    (void)sd_notifyf(0, "ERRNO=%d", code);
}

uint64_t notify_watchdog_interval_ms(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us / 2000 : 0;
}
