// status: prints the running daemon's view, from its status.json.
#include "daemon/claims.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/terminal.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STATUS_BYTES_MAX ((size_t)64 * 1024 * 1024)

// "5s", "12m", "3h", "2d": as kubectl shows an age. The caller frees it.
static char *age_of(const char *since)
{
    static const struct {
        long seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    struct tm tm = {0};
    if (strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL) {
        return str_dup("?");
    }
    long seconds = time(NULL) - timegm(&tm);
    seconds = seconds > 0 ? seconds : 0; // negative after the clock was set back
    size_t unit = 0;
    while (unit < ELEMENTS(units) - 1 && seconds < units[unit].seconds) {
        unit++;
    }
    return str_printf("%ld%c", seconds / units[unit].seconds, units[unit].unit);
}

static const char *text_of(const json_t *resource, const char *key)
{
    const char *text = json_get_string(resource, key, NULL);
    return text == NULL ? "" : text;
}

static int column_width(json_t *resources, const char *key, size_t width)
{
    size_t i = 0;
    json_t *resource = NULL;
    json_array_foreach (resources, i, resource) {
        size_t length = strlen(text_of(resource, key));
        width = length > width ? length : width;
    }
    return (int)width;
}

static void print_table(json_t *status)
{
    json_t *resources = json_object_get(status, "resources");
    const char *engine = json_get_string(status, "engine", "summary", NULL);
    if (engine != NULL && !json_get_bool(status, false, "engine", "declared", NULL)) {
        (void)printf("engine: %s\n", engine);
    }
    int resource_width = column_width(resources, "resource", strlen("RESOURCE"));
    int reason_width = column_width(resources, "reason", strlen("REASON"));
    size_t i = 0;
    json_t *resource = NULL;
    (void)printf("%-*s  %-7s  %-*s  %-5s  %s\n", resource_width, "RESOURCE", "READY", reason_width,
                 "REASON", "SINCE", "MESSAGE");
    json_array_foreach (resources, i, resource) {
        const char *ready = text_of(resource, "ready");
        _cleanup_free_ char *age = age_of(text_of(resource, "since"));
        (void)printf("%-*s  %s%-7s%s  %-*s  %-5s  %s\n", resource_width,
                     text_of(resource, "resource"),
                     terminal_style(str_equal(ready, "True") ? STYLE_GREEN : STYLE_RED), ready,
                     terminal_style(STYLE_RESET), reason_width, text_of(resource, "reason"), age,
                     text_of(resource, "message"));
    }
}

int command_status(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_free_ char *status_file = NULL;
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    pid_t pid = 0;
    struct error error = {0};
    json_auto_t *status = NULL;
    if (file == NULL) {
        return EXIT_CONFIGURATION;
    }
    int r = claims_find(file, &pid, &status_file, &error);
    if (r < 0) {
        terminal_complain("%s", error.text);
        return EXIT_FAILED;
    }
    if (r == 0) {
        terminal_complain("no daemon runs with %s", file);
        return EXIT_NOT_RUNNING;
    }
    r = file_read(status_file, STATUS_BYTES_MAX, FILE_REGULAR, &text, &length, &error);
    if (r < 0 && r != -ENOENT) {
        terminal_complain("%s %s", status_file, error.text);
        return EXIT_FAILED;
    }
    // It may be a daemon that is only starting, or a teardown; the file then is another's.
    if (r < 0 || json_parse(text, length, &status, NULL) < 0 ||
        json_get_int(status, 0, "pid", NULL) != pid) {
        terminal_complain("process %d has published no status yet", (int)pid);
        return EXIT_FAILED;
    }
    if ((options->given & OPTION_JSON) != 0) {
        terminal_json(status);
    } else {
        print_table(status);
    }
    if (terminal_end(0) < 0) {
        return EXIT_FAILED;
    }
    int64_t total = json_get_int(status, 0, "total", NULL);
    return total > 0 && json_get_int(status, -1, "ready", NULL) == total ? EXIT_OK : EXIT_FAILED;
}
