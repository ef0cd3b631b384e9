// Reading the configuration file that the options name.
#pragma once

#include "daemon/options.h"
#include "lib/config/config.h"

#include <stdio.h>

// The file's absolute path; the caller frees it. NULL (said on stderr) when there is none. Links on
// the way to it are resolved, so that it has one name; the file itself may be a link that points
// elsewhere by the next reload.
char *load_file_name(const struct options *options);

// "FILE:LINE:COL: path.to.key: reason"; the caller frees it, NULL when out of memory.
char *load_problem_text(const char *file, const struct config_problem *problem);

// Reads it and applies the options' log level. Returns 0, or -errno with every problem printed on
// stderr.
int load_config(const struct options *options, const char *file, struct config **ret);
