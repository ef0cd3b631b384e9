// The default configuration as tests use it: independent of the environment that they run in.
#pragma once

#include "lib/config/config.h"

// Never NULL; the caller frees it with config_free.
struct config *sample_config(void);
// The same with what the document declares.
struct config *sample_config_of(const char *text);

// Replaces a text of the configuration.
void sample_set(char **target, const char *value);
