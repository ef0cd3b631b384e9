// The command line: `hostk8s-registryd [-c FILE] [-l LEVEL] [COMMAND [OPTION...] [NAME...]]`.
#pragma once

#include "lib/base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct options;

// The options that only some commands take.
enum option_set {
    OPTION_NONE = 0,
    OPTION_PRINT = 1 << 0,
    OPTION_JSON = 1 << 1,
    OPTION_YES = 1 << 2,
    OPTION_TIMEOUT = 1 << 3,
    OPTION_SCHEMA = 1 << 4,
    OPTION_WATCH = 1 << 5,
    OPTION_NAMES = 1 << 6, // words that are no options
    OPTION_DRY_RUN = 1 << 7,
    OPTION_KEEP = 1 << 8,
    OPTION_ALL = 1 << 9,
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
    enum log_level level;    // 0: that of the configuration
    unsigned given;          // of enum option_set
    char **names;            // what stands behind the command, NULL after the last
    uint64_t timeout_ms;     // not 0
    uint64_t keep;           // tags; 0: all
};

// Reads argv. Returns OPTIONS_GOOD with *ret, or the exit status of a program that has nothing more
// to do: --help and --version printed, or wrong usage complained of.
#define OPTIONS_GOOD (-1)
int options_parse(int argc, char **argv, const struct command *commands, struct options *ret);
