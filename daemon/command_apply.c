// apply: converges once and says what it did.
#include "daemon/commands.h"
#include "daemon/converge.h"
#include "daemon/exit_status.h"
#include "daemon/instance.h"
#include "daemon/journal.h"
#include "daemon/load.h"

#include <stdio.h>

// A daemon with the same file does no harm: both want the same, as long as it has read what is
// there now.
static void mention_daemon(const char *file)
{
    _cleanup_(holder_done) struct holder daemon = {0};
    _cleanup_free_ char *status_file = NULL;
    if (instance_find(file, &daemon, &status_file, NULL) > 0) {
        (void)fprintf(
            stderr,
            "process %d runs with %s and keeps everything as the file was when it read it; "
            "after a change, reload it (systemctl --user reload hostk8s-registryd)\n",
            (int)daemon.pid, file);
    }
}

int command_apply(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    struct config *config = NULL;
    if (file == NULL || load_config(options, file, &config) < 0) {
        return EXIT_CONFIGURATION;
    }
    journal_open(config->log_level);
    mention_daemon(file);
    return converge(config, file, RECONCILE_ONCE, options->timeout_ms, "converged");
}
