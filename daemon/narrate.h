// What happens, told to the log: one line per change and per condition transition.
#pragma once

#include "lib/plan/plan.h"

#include <stdbool.h>
#include <stdint.h>

// All zero at the start.
struct narrator {
    int64_t progress_s; // monotonic seconds of the last progress line
};

// A step of a larger change that went well is told at debug alone.
void narrate_action(const struct action *action, const struct error *err);
void narrate_condition(const struct condition *condition, const struct condition *before);
// At most one line in some seconds; returns whether this one was told.
bool narrate_progress(struct narrator *narrator, const char *line);
void narrate_started(const char *config_file);
void narrate_reloaded(const char *config_file);
void narrate_reload_problem(const char *text);
