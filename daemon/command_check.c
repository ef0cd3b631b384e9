// check: reads the configuration and says what is wrong with it, or with --print what it means.
// That is a configuration again, so the values of both environments are in it, which no other
// command shows: it is for who may read the file, and asks for it.
#include "daemon/commands.h"
#include "daemon/exit_status.h"
#include "daemon/load.h"
#include "daemon/output.h"

int command_check(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_(config_freep) struct config *config = NULL;
    if (file == NULL || load_config(options, file, &config) < 0) {
        return EXIT_CONFIGURATION;
    }
    int r = options->print ? config_print(config, stdout) : 0;
    return output_end(r) < 0 ? EXIT_FAILED : EXIT_OK;
}
