#include "lib/base/str.h"
#include "lib/doc/json_text.h"
#include "lib/reconcile/status.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

#define SUMMARY_MAX 512
#define INDENT 2
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

static json_t *entries_to_json(const struct status *status)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < status->count; i++) {
        if (json_array_append_new(list, entry_to_json(&status->entries[i])) < 0) {
            return NULL;
        }
    }
    return json_incref(list);
}

int status_to_json(const struct status *status, int pid, const char *config_file, struct buf *ret)
{
    char summary[SUMMARY_MAX];
    status_line(status, summary, sizeof(summary));
    _cleanup_free_ char *file = str_dup(config_file);
    if (file == NULL) {
        return -ENOMEM;
    }
    str_make_printable(file); // a path may be any bytes, a JSON string may not
    // A NULL list makes json_pack fail, and what it is given by "o" it releases itself.
    json_auto_t *document = json_pack(
        "{s:s, s:i, s:s, s:I, s:I, s:s, s:{s:I, s:I, s:f}, s:o}", "version", PROGRAM_VERSION, "pid",
        pid, "config", file, "ready", (json_int_t)status_ready_count(status), "total",
        (json_int_t)status->count, "summary", summary, "pass", "count", (json_int_t)status->passes,
        "lastMs", (json_int_t)status->pass_ms, "lastCpuMs", (double)status->pass_cpu_us / US_PER_MS,
        "resources", entries_to_json(status));
    if (document == NULL) {
        return -ENOMEM;
    }
    int r = json_print(ret, document, JSON_INDENT(INDENT) | JSON_REAL_PRECISION(REAL_PRECISION));
    return r < 0 ? r : buf_append_str(ret, "\n");
}
