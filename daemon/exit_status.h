// The exit statuses of the commands; 64 and 78 are those of sysexits.h, which systemd knows by
// name.
#pragma once

enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED =
        1, // run, apply, teardown: not done; plan: not all observed; status: not all ready
    EXIT_CHANGES = 2,     // plan: changes are pending
    EXIT_NOT_RUNNING = 3, // status: no daemon
    EXIT_USAGE = 64,
    EXIT_CONFIGURATION = 78,
};
