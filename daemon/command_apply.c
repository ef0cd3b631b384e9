// apply: converges once and says what it did.
#include "daemon/commands.h"
#include "daemon/converge.h"
#include "daemon/exit_status.h"
#include "daemon/journal.h"
#include "daemon/load.h"

int command_apply(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    struct config *config = NULL;
    if (file == NULL || load_config(options, file, &config) < 0) {
        return EXIT_CONFIGURATION;
    }
    journal_open(config->log_level);
    return converge(config, RECONCILE_ONCE, options->timeout_ms, "converged");
}
