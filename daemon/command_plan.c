// plan: observes and prints what apply would do.
#include "daemon/commands.h"
#include "daemon/exit_status.h"
#include "daemon/journal.h"
#include "daemon/load.h"
#include "daemon/preview.h"

int command_plan(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    struct config *config = NULL;
    if (file == NULL || load_config(options, file, &config) < 0) {
        return EXIT_CONFIGURATION;
    }
    journal_open(config->log_level);
    struct preview preview = {0};
    if (preview_print(config, file, RECONCILE_OBSERVE, options->json, &preview) < 0 ||
        !preview.all_observed) {
        return EXIT_FAILED;
    }
    return preview.changes + preview.blocked > 0 ? EXIT_CHANGES : EXIT_OK;
}
