// status: prints the running daemon's view, from its status.json.
#include "daemon/commands.h"
#include "daemon/exit_status.h"
#include "daemon/instance.h"
#include "daemon/load.h"
#include "daemon/output.h"
#include "daemon/status_file.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AGE_MAX 24

// "5s", "12m", "3h", "2d": as kubectl shows an age.
static void format_age(const char *since, char age[AGE_MAX])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    struct tm tm = {0};
    (void)snprintf(age, AGE_MAX, "?");
    if (strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL) {
        return;
    }
    int64_t seconds = time(NULL) - timegm(&tm);
    for (size_t i = 0; i < ELEMENTS(units); i++) {
        if (seconds >= units[i].seconds || units[i].seconds == 1) {
            (void)snprintf(age, AGE_MAX, "%lld%c", (long long)(seconds / units[i].seconds),
                           units[i].unit);
            return;
        }
    }
}

static const char *text_of(const json_t *resource, const char *key)
{
    const char *text = json_get_string(resource, key, NULL);
    return text == NULL ? "" : text;
}

static size_t column_width(json_t *resources, const char *key, size_t least)
{
    size_t i = 0;
    json_t *resource = NULL;
    size_t width = least;
    json_array_foreach (resources, i, resource) {
        size_t length = strlen(text_of(resource, key));
        width = length > width ? length : width;
    }
    return width;
}

static void print_table(json_t *status)
{
    json_t *resources = json_object_get(status, "resources");
    int resource_width = (int)column_width(resources, "resource", strlen("RESOURCE"));
    int reason_width = (int)column_width(resources, "reason", strlen("REASON"));
    size_t i = 0;
    json_t *resource = NULL;
    (void)printf("%-*s  %-7s  %-*s  %-5s  %s\n", resource_width, "RESOURCE", "READY", reason_width,
                 "REASON", "SINCE", "MESSAGE");
    json_array_foreach (resources, i, resource) {
        char age[AGE_MAX];
        const char *ready = text_of(resource, "ready");
        format_age(text_of(resource, "since"), age);
        (void)printf("%-*s  %s%-7s%s  %-*s  %-5s  %s\n", resource_width,
                     text_of(resource, "resource"),
                     terminal_style(stdout, str_equal(ready, "True") ? STYLE_GREEN : STYLE_RED),
                     ready, terminal_style(stdout, STYLE_RESET), reason_width,
                     text_of(resource, "reason"), age, text_of(resource, "message"));
    }
}

int command_status(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_free_ char *status_file = NULL;
    _cleanup_(holder_done) struct holder daemon = {0};
    struct error error = {0};
    json_auto_t *status = NULL;
    if (file == NULL) {
        return EXIT_CONFIGURATION;
    }
    int r = instance_find(file, &daemon, &status_file, &error);
    if (r < 0) {
        (void)fprintf(stderr, "hostk8s-registryd: %s\n", error.text);
        return EXIT_FAILED;
    }
    if (r == 0) {
        (void)fprintf(stderr, "hostk8s-registryd: no daemon runs with %s\n", file);
        return EXIT_NOT_RUNNING;
    }
    r = status_file_read(status_file, &status);
    if (r < 0 && r != -ENOENT && r != -EBADMSG) {
        (void)fprintf(stderr, "hostk8s-registryd: cannot read %s: %s\n", status_file, strerror(-r));
        return EXIT_FAILED;
    }
    // It may be a daemon that is only starting, or a teardown; the file then is another's.
    if (status == NULL || json_get_int(status, 0, "pid", NULL) != daemon.pid) {
        (void)fprintf(stderr, "hostk8s-registryd: process %d has published no status yet\n",
                      (int)daemon.pid);
        return EXIT_FAILED;
    }
    if (options->json) {
        r = output_json(status);
    } else {
        print_table(status);
    }
    if (output_end(r) < 0) {
        return EXIT_FAILED;
    }
    int64_t total = json_get_int(status, 0, "total", NULL);
    return total > 0 && json_get_int(status, -1, "ready", NULL) == total ? EXIT_OK : EXIT_FAILED;
}
