// Where log lines go is decided once, by the program: a sink. Library code logs at debug alone.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

// The values are syslog's, as journald's PRIORITY= field has them.
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

// What kind of event a line tells of; each has a MESSAGE_ID in the journal.
enum log_event {
    LOG_EVENT_NONE, // no MESSAGE_ID
    LOG_EVENT_STARTED,
    LOG_EVENT_STOPPED,
    LOG_EVENT_CHANGED,   // an action was carried out
    LOG_EVENT_CONDITION, // a resource's condition changed
    LOG_EVENT_RELOADED,
    LOG_EVENT_RELOAD_FAILED,
    LOG_EVENT_PROGRESS, // an image pull
    _LOG_EVENT_COUNT,
};

struct log_record {
    enum log_level level;
    enum log_event event;
    const char *const *resources; // HOSTK8S_RESOURCE, one for each
    size_t resource_count;
    const char *action; // HOSTK8S_ACTION, may be NULL; likewise the next two
    const char *reason;
    const char *cluster;
    const char *message; // one line
};

// Borrows the record until it returns.
typedef void (*log_sink_fn)(void *ctx, const struct log_record *record);

// Before the first call lines are dropped.
void log_set_sink(log_sink_fn sink, void *ctx);
void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

void log_emit(const struct log_record *record);
// A line that is about no resource.
void log_text(enum log_level level, enum log_event event, const char *format, ...) _printf_(3, 4);

#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_is_enabled(LOG_LEVEL_DEBUG)) {                                                     \
            log_text(LOG_LEVEL_DEBUG, LOG_EVENT_NONE, __VA_ARGS__);                                \
        }                                                                                          \
    } while (0)

const char *log_level_name(enum log_level level); // "debug", "info", …
