#include "daemon/narrate.h"

#include "daemon/report.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <time.h>

#define LINE_BYTES_MAX 2048
#define WHAT_BYTES_MAX 1024
#define RESOURCE_BYTES_MAX 512
#define PROGRESS_INTERVAL_S 2

void narrate_action(const struct action *action, const struct error *err)
{
    char what[WHAT_BYTES_MAX];
    char line[WHAT_BYTES_MAX + ERROR_TEXT_MAX + RESOURCE_BYTES_MAX];
    report_action_line(action, what, sizeof(what));
    (void)snprintf(line, sizeof(line), "%.*s: %s%s%s%s", RESOURCE_BYTES_MAX / 2, action->resource,
                   err == NULL ? "" : "failed to ", what, err == NULL ? "" : ": ",
                   err == NULL ? "" : err->text);
    enum log_level level = action->step ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE;
    log_emit(&(struct log_record){.level = err == NULL ? level : LOG_LEVEL_WARNING,
                                  .event = LOG_EVENT_CHANGED,
                                  .resource = action->resource,
                                  .action = action->verb,
                                  .cluster = action->cluster,
                                  .message = line});
}

void narrate_condition(const struct condition *condition, const struct condition *before)
{
    static const enum log_level levels[] = {
        [READY_UNKNOWN] = LOG_LEVEL_WARNING,
        [READY_FALSE] = LOG_LEVEL_WARNING,
        [READY_TRUE] = LOG_LEVEL_INFO,
    };
    char line[LINE_BYTES_MAX];
    (void)snprintf(line, sizeof(line), "%s: %s%s%s%s%s", condition->resource,
                   before == NULL ? "" : reason_name(before->reason), before == NULL ? "" : " -> ",
                   reason_name(condition->reason), str_empty(condition->message) ? "" : ": ",
                   condition->message == NULL ? "" : condition->message);
    // Converging is the way somewhere, not a trouble.
    enum log_level level =
        condition->reason == REASON_CONVERGING ? LOG_LEVEL_INFO : levels[condition->ready];
    log_emit(&(struct log_record){.level = level,
                                  .event = LOG_EVENT_CONDITION,
                                  .resource = condition->resource,
                                  .reason = reason_name(condition->reason),
                                  .cluster = condition->cluster,
                                  .message = line});
}

bool narrate_progress(struct narrator *narrator, const char *line)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (narrator->progress_s != 0 && now.tv_sec - narrator->progress_s < PROGRESS_INTERVAL_S) {
        return false;
    }
    narrator->progress_s = now.tv_sec;
    log_emit(&(struct log_record){
        .level = LOG_LEVEL_INFO, .event = LOG_EVENT_PROGRESS, .action = "pull", .message = line});
    return true;
}

// A path may be any bytes.
static void tell(enum log_level level, enum log_event event, char *line)
{
    str_make_printable(line);
    log_emit(&(struct log_record){.level = level, .event = event, .message = line});
}

void narrate_started(const char *config_file)
{
    char line[LINE_BYTES_MAX];
    (void)snprintf(line, sizeof(line), "hostk8s-registryd %s started with %s", PROGRAM_VERSION,
                   config_file);
    tell(LOG_LEVEL_INFO, LOG_EVENT_STARTED, line);
}

void narrate_reloaded(const char *config_file)
{
    char line[LINE_BYTES_MAX];
    (void)snprintf(line, sizeof(line), "reloaded %s", config_file);
    tell(LOG_LEVEL_INFO, LOG_EVENT_RELOADED, line);
}

void narrate_reload_problem(const char *text)
{
    char line[LINE_BYTES_MAX];
    (void)snprintf(line, sizeof(line), "reload failed, the old configuration stays: %s", text);
    tell(LOG_LEVEL_ERROR, LOG_EVENT_RELOAD_FAILED, line);
}
