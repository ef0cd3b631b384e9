// apply and teardown: a session that works until nothing is left to do, telling what it did on
// stdout.
#pragma once

#include "lib/config/config.h"
#include "lib/reconcile/reconciler.h"

#include <stdint.h>

// Takes config over; config_file as in session_options. done_word is what the
// last line says of success, e.g. "converged". Returns the exit status.
int converge(struct config *config, const char *config_file, enum reconcile_mode mode,
             uint64_t timeout_ms, const char *done_word);
