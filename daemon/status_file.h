// status.json: what `status` prints.
#pragma once

#include "lib/reconcile/status.h"

#include <jansson.h>

// Replaces the file atomically (0600). Returns 0 or -errno.
int status_file_write(const char *path, struct status *status, const char *config_file);

// Returns 0 with *ret owned by the caller, -EBADMSG when it is no JSON, or -errno.
int status_file_read(const char *path, json_t **ret);
