// Observing everything once and printing what would be done about it, for plan and teardown.
#pragma once

#include "lib/config/config.h"
#include "lib/reconcile/reconciler.h"

#include <stdbool.h>

struct preview {
    unsigned changes; // actions printed
    unsigned blocked; // resources that are not as declared and that no action would mend
    bool all_observed;
};

// Takes config over; config_file as in session_options. mode is one of the observing ones. Returns
// 0 with *ret and everything printed, or -errno (said on stderr).
int preview_print(struct config *config, const char *config_file, enum reconcile_mode mode,
                  bool json, struct preview *ret);
