// check: reads the configuration and says what is wrong with it, or with --print what it means;
// with
// --schema it says what any may be.
// That is a configuration again, so the values of both environments are in it, which no other
// command shows: it is for who may read the file, and asks for it.
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/terminal.h"

#include <stdio.h>

int command_check(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    if ((options->given & OPTION_SCHEMA) != 0) {
        return terminal_end(config_print_schema(stdout)) < 0 ? EXIT_FAILED : EXIT_OK;
    }
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    int r = (options->given & OPTION_PRINT) != 0 ? config_print(config, stdout) : 0;
    return terminal_end(r) < 0 ? EXIT_FAILED : EXIT_OK;
}
