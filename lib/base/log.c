#include "lib/base/log.h"

#include "lib/base/str.h"

#include <stdarg.h>
#include <stdio.h>

#define LOG_LINE_MAX 2048

static struct {
    log_sink_fn sink;
    void *ctx;
    enum log_level level;
} log_state = {.level = LOG_LEVEL_INFO};

void log_set_sink(log_sink_fn sink, void *ctx)
{
    log_state.sink = sink;
    log_state.ctx = ctx;
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

bool log_is_enabled(enum log_level level)
{
    return log_state.sink != NULL && level <= log_state.level;
}

void log_emit(const struct log_record *record)
{
    if (log_is_enabled(record->level)) {
        log_state.sink(log_state.ctx, record);
    }
}

void log_text(enum log_level level, enum log_event event, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    str_make_printable(line);
    log_emit(&(struct log_record){.level = level, .event = event, .message = line});
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
        [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
    };
    return names[level];
}
