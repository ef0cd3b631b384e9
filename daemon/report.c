#include "daemon/report.h"

#include "daemon/terminal.h"
#include "lib/base/str.h"

#include <string.h>

static const char *or_none(const char *value)
{
    return value == NULL ? "(none)" : value;
}

void report_action_line(const struct action *action, char *line, size_t size)
{
    int n = snprintf(line, size, "%s", action->verb);
    for (size_t i = 0; i < action->field_count && n >= 0 && (size_t)n < size; i++) {
        const struct field_diff *field = &action->fields[i];
        n += snprintf(line + n, size - (size_t)n, "%s %s %s -> %s", i == 0 ? ":" : ",", field->path,
                      or_none(field->is), or_none(field->should));
    }
    str_make_printable(line);
}

void report_action(FILE *out, const struct action *action)
{
    (void)fprintf(out, "%s: %s%s%s%s\n", action->resource,
                  terminal_style(out, action->destructive ? STYLE_RED : STYLE_GREEN), action->verb,
                  terminal_style(out, STYLE_RESET), action->destructive ? " (destructive)" : "");
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)fprintf(out, "    %s: %s -> %s\n", field->path, or_none(field->is),
                      or_none(field->should));
    }
}

json_t *report_action_json(const struct action *action)
{
    json_auto_t *fields = json_array();
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        // A NULL packs as no key with s*, but a field that is absent is told as null.
        json_t *entry = json_pack("{s:s, s:s?, s:s?}", "path", field->path, "is", field->is,
                                  "should", field->should);
        if (json_array_append_new(fields, entry) < 0) {
            return NULL;
        }
    }
    return json_pack("{s:s, s:s, s:b, s:O}", "resource", action->resource, "action", action->verb,
                     "destructive", action->destructive, "fields", fields);
}

void report_condition(FILE *out, const struct condition *condition)
{
    (void)fprintf(out, "%s: %s%s%s%s%s\n", condition->resource,
                  terminal_style(out, condition->ready == READY_TRUE ? STYLE_GREEN : STYLE_RED),
                  reason_name(condition->reason), terminal_style(out, STYLE_RESET),
                  str_empty(condition->message) ? "" : ": ",
                  condition->message == NULL ? "" : condition->message);
}
