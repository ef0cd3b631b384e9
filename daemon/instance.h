// One daemon per configuration, and where its files are: a directory of the user alone below
// $XDG_RUNTIME_DIR, with a lock for each configuration file that a daemon runs with and the status
// that it publishes.
#pragma once

#include "lib/base/error.h"

#include <stddef.h>
#include <sys/types.h>

struct instance {
    int lock_fd;        // held as long as the daemon lives; -1: not held
    int status_lock_fd; // held by the one whose status is status.json; -1: another daemon's is
    char *status_file;
};

// Claims the configuration file (absolute). -EBUSY when a daemon runs with it, *ret_pid then being
// its process. Otherwise 0 with *ret to be released by instance_done.
int instance_claim(const char *config_file, struct instance *ret, pid_t *ret_pid,
                   struct error *err);

// The process that holds the configuration file, 0 when none does; *ret_status_file, if not NULL,
// then is its status file (the caller frees it). Negative: cannot tell.
pid_t instance_find(const char *config_file, char **ret_status_file, struct error *err);

void instance_done(struct instance *instance);
