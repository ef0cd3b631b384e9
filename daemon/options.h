// The command line: `hostk8s-registryd [-c FILE] [-l LEVEL] [COMMAND [OPTION...]]`.
#pragma once

#include "lib/base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct options;

struct command {
    const char *name;
    const char *summary;
    const char *flags; // long options that it takes besides the common ones, space-separated
    int (*run)(const struct options *options);
};

// All borrowed from argv.
struct options {
    const struct command *command;
    const char *config_file; // NULL: the default one
    bool has_level;
    enum log_level level;
    bool print;
    bool json;
    bool yes;
    uint64_t timeout_ms;
};

// Reads argv. Returns 0 with *ret, or 1 when the program has nothing more to do (--help, --version,
// wrong usage, all said on stdout or stderr) with its exit status in *ret_status.
int options_parse(int argc, char **argv, const struct command *commands, struct options *ret,
                  int *ret_status);
