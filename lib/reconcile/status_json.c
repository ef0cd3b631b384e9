#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/reconcile/status.h"

#include <jansson.h>
#include <time.h>

#define SUMMARY_MAX 512
#define REAL_PRECISION 6
#define US_PER_MS 1000

static json_t *entry_json(const struct status_entry *entry)
{
    const struct condition *condition = &entry->condition;
    char since[sizeof("2026-01-01T00:00:00Z") + 16] = ""; // room for a year of any length
    struct tm tm = {0};
    time_t time = (time_t)entry->since_s;
    (void)strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "resource", condition->resource, "ready",
                     ready_name(condition->ready), "reason", reason_name(condition->reason),
                     "since", since, "message", condition->message, "cluster", condition->cluster);
}

// NULL when none was observed.
static json_t *engine_json(const struct engine *engine)
{
    if (engine == NULL) {
        return NULL;
    }
    const struct engine_about *about = &engine->about;
    _cleanup_free_ char *summary = engine_about_text(about);
    return json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "host", about->host,
                     "declared", about->given, "summary", summary, "product", about->product,
                     "version", about->version, "system", about->system, "rootless",
                     about->rootless, "userNamespaces", about->user_namespaces, "selinux",
                     about->selinux);
}

static json_t *storages_json(const struct engine *engine)
{
    json_t *storages = json_array();
    for (size_t i = 0; engine != NULL && i < engine->storage_count; i++) {
        const struct engine_storage *storage = &engine->storages[i];
        json_t *item = json_pack("{s:s, s:s, s:I, s:I}", "resource", storage->resource, "path",
                                 storage->path, "freeBytes", (json_int_t)storage->free_bytes,
                                 "totalBytes", (json_int_t)storage->total_bytes);
        (void)json_array_append_new(storages, item);
    }
    return storages;
}

static int append_summary(const struct status *status, int pid, const char *config_file,
                          const char *progress, struct buf *text)
{
    char summary[SUMMARY_MAX];
    status_line(status, summary, sizeof(summary));
    _cleanup_free_ char *file = str_dup(config_file);
    str_make_printable(file); // a path may be any bytes, a JSON string may not
    json_auto_t *document = json_pack(
        "{s:s, s:i, s:s, s:o*, s:o, s:I, s:I, s:s, s:s*, s:{s:I, s:I, s:f}}", "version",
        PROGRAM_VERSION, "pid", pid, "config", file, "engine", engine_json(status->engine),
        "storage", storages_json(status->engine), "ready", (json_int_t)status->ready, "total",
        (json_int_t)status->count, "summary", summary, "progress", progress, "pass", "count",
        (json_int_t)status->passes, "lastMs", (json_int_t)status->pass_ms, "lastCpuMs",
        (double)status->pass_cpu_us / US_PER_MS);
    return json_print(text, document, JSON_EMBED | JSON_REAL_PRECISION(REAL_PRECISION));
}

int status_print_json(const struct status *status, int pid, const char *config_file,
                      const char *progress, struct buf *text)
{
    (void)buf_append_str(text, "{");
    int r = append_summary(status, pid, config_file, progress, text);
    if (r == 0) {
        r = buf_append_str(text, ", \"resources\": [");
    }
    for (size_t i = 0; i < status->count && r == 0; i++) {
        json_auto_t *entry = entry_json(&status->entries[i]);
        (void)buf_append_str(text, i == 0 ? "\n" : ",\n");
        r = json_print(text, entry, 0);
    }
    return r < 0 ? r : buf_append_str(text, "\n]}\n");
}
