#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json_text.h"
#include "lib/reconcile/status.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

#define SUMMARY_MAX 512
#define SUMMARY_BYTES_MAX (64u * 1024u)
#define TEXT_BYTES_MAX (64u * 1024u * 1024u)
#define REAL_PRECISION 6
#define US_PER_MS 1000

static json_t *entry_to_json(const struct status_entry *entry)
{
    const struct condition *condition = &entry->condition;
    char since[sizeof("2026-01-01T00:00:00Z") + 16]; // room for a year of any length
    struct tm tm = {0};
    time_t time = (time_t)entry->since_s;
    if (gmtime_r(&time, &tm) == NULL ||
        strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        since[0] = '\0';
    }
    json_auto_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "resource", condition->resource, "ready",
                  ready_name(condition->ready), "reason", reason_name(condition->reason), "since",
                  since, "message", condition->message);
    // Not by "s*": with that a string that found no memory would be left out silently.
    if (condition->cluster != NULL &&
        json_object_set_new(object, "cluster", json_string(condition->cluster)) < 0) {
        return NULL;
    }
    return json_incref(object);
}

// Everything but the resources, without the braces around it.
static int write_summary(const struct status *status, int pid, const char *config_file,
                         FILE *stream)
{
    char summary[SUMMARY_MAX];
    status_line(status, summary, sizeof(summary));
    _cleanup_free_ char *file = str_dup(config_file);
    if (file == NULL) {
        return -ENOMEM;
    }
    str_make_printable(file); // a path may be any bytes, a JSON string may not
    json_auto_t *document = json_pack(
        "{s:s, s:i, s:s, s:I, s:I, s:s, s:{s:I, s:I, s:f}}", "version", PROGRAM_VERSION, "pid", pid,
        "config", file, "ready", (json_int_t)status->ready, "total", (json_int_t)status->count,
        "summary", summary, "pass", "count", (json_int_t)status->passes, "lastMs",
        (json_int_t)status->pass_ms, "lastCpuMs", (double)status->pass_cpu_us / US_PER_MS);
    _cleanup_buf_ struct buf text = BUF_INIT(SUMMARY_BYTES_MAX);
    int r = json_print(&text, document, JSON_EMBED | JSON_REAL_PRECISION(REAL_PRECISION));
    if (r == 0) {
        (void)fputs(buf_str(&text), stream); // what could not be written shows in ferror
    }
    return r;
}

// With a comma before it, also the first one.
static int append_entry(struct buf *text, const struct status_entry *entry)
{
    json_auto_t *object = entry_to_json(entry);
    int r = buf_append_str(text, ",\n");
    return r < 0 ? r : json_print(text, object, 0);
}

// Puts the next text together from what the last one has and from what has changed since.
static int renew_text(struct status *status)
{
    struct buf *next = &status->spare;
    const char *kept = buf_str(&status->text);
    size_t kept_length = 0;
    next->max = TEXT_BYTES_MAX;
    buf_truncate(next, 0);
    for (size_t i = 0; i < status->count; i++) {
        struct status_entry *entry = &status->entries[i];
        if (entry->in_text) {
            kept_length += entry->text_length;
            continue;
        }
        int r = buf_append(next, kept, kept_length);
        size_t before = next->length;
        if (r == 0) {
            r = append_entry(next, entry);
        }
        if (r < 0) {
            return r;
        }
        kept += kept_length + entry->text_length;
        kept_length = 0;
        entry->text_length = next->length - before;
        entry->in_text = true;
    }
    int r = buf_append(next, kept, kept_length);
    if (r == 0) {
        struct buf last = status->text;
        status->text = *next;
        *next = last;
    }
    return r;
}

static void forget_text(struct status *status)
{
    for (size_t i = 0; i < status->count; i++) {
        status->entries[i].text_length = 0;
        status->entries[i].in_text = false;
    }
    buf_truncate(&status->text, 0);
}

int status_write_json(struct status *status, int pid, const char *config_file, FILE *stream)
{
    int r = renew_text(status);
    if (r < 0) {
        forget_text(status);
        return r;
    }
    errno = 0;
    (void)fputs("{", stream);
    r = write_summary(status, pid, config_file, stream);
    (void)fputs(", \"resources\": [", stream);
    if (status->text.length > 0) {
        (void)fwrite(status->text.data + 1, 1, status->text.length - 1, stream);
    }
    (void)fputs("\n]}\n", stream);
    if (r == 0 && (fflush(stream) != 0 || ferror(stream) != 0)) {
        r = errno > 0 ? -errno : -EIO;
    }
    return r;
}
