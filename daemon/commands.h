// The commands: command_NAME.c; plan, apply and teardown are in command_once.c. Each returns the
// exit status.
#pragma once

struct options;

// 64 and 78 are those of sysexits.h, which systemd knows by name.
enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,      // not done; not all observed, ready or proved
    EXIT_CHANGES = 2,     // plan: changes are pending, or something is blocked
    EXIT_NOT_RUNNING = 3, // status: no daemon
    EXIT_USAGE = 64,
    EXIT_CONFIGURATION = 78,
};

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_plan(const struct options *options);
int command_apply(const struct options *options);
int command_status(const struct options *options);
int command_doctor(const struct options *options);
int command_usage(const struct options *options);
int command_gc(const struct options *options);
int command_teardown(const struct options *options);
