// teardown: lists what is owned, asks, removes it. The storage directory stays.
#include "daemon/commands.h"
#include "daemon/converge.h"
#include "daemon/exit_status.h"
#include "daemon/instance.h"
#include "daemon/journal.h"
#include "daemon/load.h"
#include "daemon/preview.h"

#include <errno.h>
#include <stdio.h>

static bool confirmed(const char *storage)
{
    char answer[8] = "";
    (void)printf("The storage directory %s stays. Remove the above? [y/N] ", storage);
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

int command_teardown(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(instance_done) struct instance instance = INSTANCE_NONE;
    struct config *shown = NULL;
    struct error error = {0};
    if (file == NULL || load_config(options, file, &config) < 0) {
        return EXIT_CONFIGURATION;
    }
    journal_open(config->log_level);
    // A daemon would put everything back, and one that is started meanwhile as well.
    int r = instance_claim(file, config, &instance, &error);
    if (r < 0) {
        (void)fprintf(stderr, "hostk8s-registryd: %s%s\n", error.text,
                      r == -EBUSY ? "; stop it first (systemctl --user stop hostk8s-registryd)"
                                  : "");
        return EXIT_FAILED;
    }
    if (!options->yes) {
        struct preview preview = {0};
        if (load_config(options, file, &shown) < 0 ||
            preview_print(shown, file, RECONCILE_OBSERVE_TEARDOWN, false, &preview) < 0) {
            return EXIT_FAILED;
        }
        if (preview.changes == 0 && preview.all_observed) {
            return EXIT_OK;
        }
        if (!confirmed(config->registry.storage)) {
            (void)fprintf(stderr, "nothing was removed\n");
            return EXIT_FAILED;
        }
    }
    return converge(TAKE_PTR(config), file, RECONCILE_TEARDOWN, options->timeout_ms, "removed");
}
