// What a process has learned of the nodes' files, kept in the runtime directory for the next one
// with the same configuration file.
#pragma once

#include "lib/backend/backend.h"

// Without the file, or with one that does not fit, the backend stays as it is: it reads everything.
void node_cache_file_load(const char *config_file, struct backend *backend);
// A failure leaves what was there: it costs the next process its time, or tells it nothing wrong.
void node_cache_file_save(const char *config_file, const struct backend *backend);
