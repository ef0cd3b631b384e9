// Actions and conditions in words: a line of the log, a paragraph of `apply` and `plan`, or JSON.
#pragma once

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/kinds/plan.h"
#include "lib/reconcile/news.h"

#include <jansson.h>

// What was done, or failed, as struct reconciler_events has it, in one line: "container/NAME:
// recreate: listen 127.0.0.1:5002 -> 127.0.0.1:5003, …". The caller frees it.
char *report_action(const struct action *action, const struct error *err);

// The line in the log, at debug for a step, and for a failure, which shows in a condition. As
// struct reconciler_events calls them: ctx is not used.
void report_log_action(void *ctx, const struct action *action, const struct error *err);
void report_log_news(void *ctx, const struct news *news);

// On stdout, what is pending: a line with the resource, then one for each field that differs.
void report_print_action(const struct action *action);
// On stdout: "RESOURCE: REASON: message".
void report_print_condition(const struct condition *condition);
// Likewise, for each cause the first that has it, and below it the others' names. The array is of
// no use after.
void report_print_conditions(const struct condition **conditions, size_t count);

// As `plan --json` has them; the caller owns them.
json_t *report_action_json(const struct action *action);
json_t *report_condition_json(const struct condition *condition);
