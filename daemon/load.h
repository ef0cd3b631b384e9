// Reading the configuration file that the options name.
#pragma once

#include "daemon/options.h"
#include "lib/config/config.h"

// The file's absolute path; the caller frees it. NULL, with the reason on stderr, when there is
// none. Links on the way to it are resolved, so that it has one name; the file itself may be a link
// that points elsewhere by the next reload.
char *load_file_name(const struct options *options);

// The file's name and what it says, which the caller frees; opens the log. False, with the reasons
// on stderr, when one of them is not to be had: EXIT_CONFIGURATION.
bool load(const struct options *options, char **ret_file, struct config **ret);

// Puts what the options say in the place of what the file says.
void load_override(const struct options *options, struct config *config);

// "FILE:LINE:COL: path.to.key: reason", printable; the caller frees it.
char *load_problem_text(const char *file, const struct problem *problem);
