#include "daemon/journal.h"

#include "lib/base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define FIELDS_MAX 128 // of a line; resources beyond it are in its count alone
#define STREAM_NAME_MAX 64

// `journalctl MESSAGE_ID=…` finds all lines of one kind of event, whatever their wording.
static const char *const message_ids[_LOG_EVENT_COUNT] = {
    [LOG_EVENT_STARTED] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a001",
    [LOG_EVENT_STOPPED] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a002",
    [LOG_EVENT_CHANGED] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a003",
    [LOG_EVENT_CONDITION] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a004",
    [LOG_EVENT_RELOADED] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a005",
    [LOG_EVENT_RELOAD_FAILED] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a006",
    [LOG_EVENT_PROGRESS] = "5f0d2f1b0a7c4f0e9b6de4a1c1d3a007",
};

static void to_stderr(_unused_ void *ctx, const struct log_record *record)
{
    (void)fprintf(stderr, "%s: %s\n", log_level_name(record->level), record->message);
}

// sd_journal_print would cut a long line.
static void add_field(struct iovec *fields, int *count, const char *name, const char *value)
{
    if (value != NULL && *count < FIELDS_MAX) {
        char *text = str_printf("%s=%s", name, value);
        fields[(*count)++] = (struct iovec){.iov_base = text, .iov_len = strlen(text)};
    }
}

static void to_journal(_unused_ void *ctx, const struct log_record *record)
{
    char level[2] = {(char)('0' + record->level), '\0'};
    struct iovec fields[FIELDS_MAX];
    int count = 0;
    add_field(fields, &count, "MESSAGE", record->message);
    add_field(fields, &count, "PRIORITY", level);
    add_field(fields, &count, "SYSLOG_IDENTIFIER", "hostk8s-registryd");
    add_field(fields, &count, "MESSAGE_ID", message_ids[record->event]);
    add_field(fields, &count, "HOSTK8S_ACTION", record->action);
    add_field(fields, &count, "HOSTK8S_REASON", record->reason);
    add_field(fields, &count, "HOSTK8S_CLUSTER", record->cluster);
    // A line may have a field several times: a match finds it by each of them.
    for (size_t i = 0; i < record->resource_count; i++) {
        add_field(fields, &count, "HOSTK8S_RESOURCE", record->resources[i]);
    }
    if (sd_journal_sendv(fields, count) < 0) {
        to_stderr(NULL, record);
    }
    while (count > 0) {
        free(fields[--count].iov_base);
    }
}

// Without journald sd_journal_sendv succeeds and nothing is written, so compare what
// $JOURNAL_STREAM names with what stderr is: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (stream == NULL || fstat(STDERR_FILENO, &st) < 0) {
        return false;
    }
    char own[STREAM_NAME_MAX];
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return str_equal(stream, own);
}

void journal_open(enum log_level level)
{
    log_set_sink(stderr_is_journal() ? to_journal : to_stderr, NULL);
    log_set_level(level);
}
