// status.json: what `status` prints.
#pragma once

#include "lib/reconcile/status.h"

// Replaces the file atomically (0600). Returns 0 or -errno.
int status_file_write(const char *path, struct status *status, const char *config_file);
