#include "daemon/report.h"

#include "daemon/terminal.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <stdio.h>

#define FIELDS_BYTES_MAX 1024 // of a line; what is beyond it is left out
#define NAMES_MAX 3           // resources that a line names; of more it has the count
#define OTHERS_BYTES_MAX (4u * 1024u * 1024u)
#define LIKEWISE_INDENT 6

static const char *or_none(const char *value)
{
    return value == NULL ? "(none)" : value;
}

char *report_action(const struct action *action, const struct error *err)
{
    _cleanup_buf_ struct buf fields = BUF_INIT(FIELDS_BYTES_MAX);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)buf_printf(&fields, "%s %s %s -> %s", i == 0 ? ":" : ",", field->path,
                         or_none(field->current), or_none(field->desired));
    }
    bool failed = err->kind != ERROR_NONE;
    char *line = failed || str_empty(err->text)
                     ? str_printf("%s: %s%s%s%s%s", action->resource, failed ? "failed to " : "",
                                  action->verb, buf_str(&fields), failed ? ": " : "", err->text)
                     : str_printf("%s: %s", action->resource, err->text);
    str_make_printable(line);
    return line;
}

void report_log_action(_unused_ void *ctx, const struct action *action, const struct error *err)
{
    _cleanup_free_ char *line = report_action(action, err);
    // A failure is told by the condition that it causes.
    bool told = err->kind == ERROR_NONE && !action->part;
    log_emit(&(struct log_record){.level = told ? LOG_LEVEL_NOTICE : LOG_LEVEL_DEBUG,
                                  .event = LOG_EVENT_CHANGED,
                                  .resources = &action->resource,
                                  .resource_count = 1,
                                  .action = action->verb,
                                  .cluster = action->cluster,
                                  .message = line});
}

// "node/a, node/b", or "8 resources of cluster hostk8s" where they are many.
static char *print_resources(const struct news *news)
{
    if (news->count > NAMES_MAX) {
        return str_printf("%zu resources%s%s", news->count,
                          news->cluster == NULL ? "" : " of cluster ",
                          news->cluster == NULL ? "" : news->cluster);
    }
    _cleanup_buf_ struct buf names = BUF_INIT(FIELDS_BYTES_MAX);
    for (size_t i = 0; i < news->count; i++) {
        (void)buf_printf(&names, "%s%s", i == 0 ? "" : ", ", news->resources[i]);
    }
    return buf_take(&names);
}

void report_log_news(_unused_ void *ctx, const struct news *news)
{
    const struct condition *condition = news->condition;
    bool changed = news->before != _REASON_COUNT;
    _cleanup_free_ char *resources = print_resources(news);
    _cleanup_free_ char *line =
        str_printf("%s: %s%s%s%s%s", resources, changed ? reason_name(news->before) : "",
                   changed ? " -> " : "", reason_name(condition->reason),
                   str_empty(condition->message) ? "" : ": ", condition->message);
    str_make_printable(line);
    // Converging is the way somewhere, not a trouble.
    bool well = condition->ready == READY_TRUE || condition->reason == REASON_CONVERGING;
    log_emit(&(struct log_record){.level = well ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                                  .event = LOG_EVENT_CONDITION,
                                  .resources = news->resources,
                                  .resource_count = news->count,
                                  .reason = reason_name(condition->reason),
                                  .cluster = news->cluster,
                                  .message = line});
}

void report_print_action(const struct action *action)
{
    (void)printf("%s: %s%s%s%s\n", action->resource,
                 terminal_style(action->destructive ? STYLE_RED : STYLE_GREEN), action->verb,
                 terminal_style(STYLE_RESET), action->destructive ? " (destructive)" : "");
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)printf("    %s: %s -> %s\n", field->path, or_none(field->current),
                     or_none(field->desired));
    }
}

void report_print_conditions(const struct condition **conditions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        _cleanup_buf_ struct buf others = BUF_INIT(OTHERS_BYTES_MAX);
        for (size_t j = i + 1; j < count && conditions[i] != NULL; j++) {
            if (conditions[j] != NULL && news_is_same(conditions[i], conditions[j])) {
                (void)buf_printf(&others, "%s%s", others.length == 0 ? "" : ", ",
                                 conditions[j]->resource);
                conditions[j] = NULL;
            }
        }
        if (conditions[i] != NULL) {
            report_print_condition(conditions[i]);
        }
        if (others.length > 0) {
            terminal_wrap(printf("    likewise:"), LIKEWISE_INDENT, buf_str(&others),
                          terminal_width(), stdout);
        }
    }
}

void report_print_condition(const struct condition *condition)
{
    (void)printf("%s: %s%s%s%s%s\n", condition->resource,
                 terminal_style(condition->ready == READY_TRUE ? STYLE_GREEN : STYLE_RED),
                 reason_name(condition->reason), terminal_style(STYLE_RESET),
                 str_empty(condition->message) ? "" : ": ", condition->message);
}

json_t *report_action_json(const struct action *action)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        // "s?": a field that is absent is told as null.
        (void)json_array_append_new(fields,
                                    json_pack("{s:s, s:s?, s:s?}", "path", field->path, "is",
                                              field->current, "should", field->desired));
    }
    return json_pack("{s:s, s:s, s:b, s:o}", "resource", action->resource, "action", action->verb,
                     "destructive", action->destructive, "fields", fields);
}

json_t *report_condition_json(const struct condition *condition)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "resource", condition->resource, "ready",
                     ready_name(condition->ready), "reason", reason_name(condition->reason),
                     "message", condition->message);
}
