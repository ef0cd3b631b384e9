// check: reads the configuration and says what is wrong with it, or with --print what it means;
// with --schema it says what any may be.
// What --print prints is a configuration again, so the values of both environments are in it, which
// no other command shows: it is for who may read the file, and asks for it.
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/terminal.h"
#include "lib/config/config_schema.h"
#include "lib/doc/schema_json.h"

int command_check(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    if ((options->given & OPTION_SCHEMA) != 0) {
        json_auto_t *schema = schema_json(config_schema);
        terminal_json(schema);
    } else if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    } else if ((options->given & OPTION_PRINT) != 0) {
        schema_print(config_schema, config, stdout);
    }
    return terminal_end();
}
