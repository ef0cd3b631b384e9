// The command line: `hostk8s-registryd [-c FILE] [-l LEVEL] [COMMAND [OPTION...]]`.
#pragma once

#include "lib/base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct options;

// The options that only some commands take.
enum option_set {
    TAKES_NONE = 0,
    TAKES_PRINT = 1 << 0,
    TAKES_JSON = 1 << 1,
    TAKES_YES = 1 << 2,
    TAKES_TIMEOUT = 1 << 3,
};

struct command {
    const char *name;
    const char *summary;
    unsigned takes; // of enum option_set
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
    uint64_t timeout_ms; // not 0
};

// Reads argv. Returns 0 with *ret, or 1 when the program has nothing more to do (--help, --version,
// wrong usage, all said on stdout or stderr) with its exit status in *ret_status.
int options_parse(int argc, char **argv, const struct command *commands, struct options *ret,
                  int *ret_status);
