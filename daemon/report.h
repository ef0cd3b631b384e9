// Actions and conditions in words, for the terminal and the log.
#pragma once

#include "lib/plan/plan.h"

#include <jansson.h>
#include <stdio.h>

// One line without the resource: "recreate: listen 127.0.0.1:5002 -> 127.0.0.1:5003, …", at most
// size bytes.
void report_action_line(const struct action *action, char *line, size_t size);

// As `plan` prints it: a line with the resource, then one for each differing field.
void report_action(FILE *out, const struct action *action);

// As `plan --json` has it; the caller owns it. NULL: out of memory.
json_t *report_action_json(const struct action *action);

// "RESOURCE REASON: message".
void report_condition(FILE *out, const struct condition *condition);
