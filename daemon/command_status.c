// status: prints the running daemon's view, from its status.json; with --watch whenever that
// changes.
#include "daemon/claims.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/status_table.h"
#include "daemon/terminal.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <sys/inotify.h>

#define STATUS_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define WATCH_INTERVAL_MS 1000 // the ages change, and a daemon may come or go
#define EVENTS_BYTES 4096

// ---- the document ----

// Leaves those that are named, if any are. Returns the name of one that is not there, or NULL.
static const char *keep_named(json_t *status, char **names)
{
    json_t *resources = json_get_array(status, "resources", NULL);
    json_t *kept = names[0] == NULL ? json_incref(resources) : json_array();
    for (; *names != NULL; names++) {
        size_t i = 0;
        json_t *resource = NULL;
        json_array_foreach (resources, i, resource) {
            if (str_equal(json_get_string(resource, "resource", NULL), *names)) {
                (void)json_array_append(kept, resource);
                break;
            }
        }
        if (i == json_array_size(resources)) {
            json_decref(kept);
            return *names;
        }
    }
    (void)json_object_set_new(status, "resources", kept);
    return NULL;
}

// Reads what the daemon of file says of the resources that are named. Returns EXIT_OK with *ret,
// which the caller owns, or another exit status and what is wrong in *ret_error; either way
// *ret_file, which the caller frees, once there is one.
static int read_status(const char *file, char **names, char **ret_file, json_t **ret,
                       struct error *ret_error)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    pid_t pid = 0;
    json_auto_t *status = NULL;
    int r = claims_find(file, &pid, ret_file, ret_error);
    if (r < 0) {
        return EXIT_FAILED;
    }
    if (r == 0) {
        (void)error_set(ret_error, ERROR_PERMANENT, ESRCH,
                        "no daemon runs with %s; start it (systemctl --user start "
                        "hostk8s-registryd)",
                        file);
        return EXIT_NOT_RUNNING;
    }
    r = file_read(*ret_file, STATUS_BYTES_MAX, FILE_REGULAR, &text, &length, ret_error);
    if (r < 0 && r != -ENOENT) {
        (void)error_wrap(ret_error, "%s", *ret_file);
        return EXIT_FAILED;
    }
    // It may be a daemon that is only starting, or a teardown; the file then is another's.
    status = r < 0 ? NULL : json_loadb(text, length, 0, NULL);
    if (json_get_int(status, 0, "pid", NULL) != pid) {
        (void)error_set(ret_error, ERROR_TRANSIENT, EAGAIN,
                        "process %d has published no status yet", (int)pid);
        return EXIT_FAILED;
    }
    const char *missing = keep_named(status, names);
    if (missing != NULL) {
        (void)error_set(ret_error, ERROR_PERMANENT, ENOENT, "there is no resource %s", missing);
        return EXIT_FAILED;
    }
    *ret = TAKE_PTR(status);
    return EXIT_OK;
}

// Not before a first pass has ended: until then not all resources are known.
static bool all_ready(const json_t *status)
{
    size_t i = 0;
    json_t *resource = NULL;
    if (json_get_int(status, 0, "pass", "count", NULL) == 0) {
        return false;
    }
    json_array_foreach (json_get_array(status, "resources", NULL), i, resource) {
        if (!str_equal(json_get_string(resource, "ready", NULL), "True")) {
            return false;
        }
    }
    return i > 0;
}

// ---- watching ----

// Shows what there is now in place of *shown, if it differs. The directory is watched: the file is
// replaced, and what is watched would be the old one.
static void draw(const char *file, char **names, int watch, char **shown)
{
    _cleanup_free_ char *status_file = NULL;
    _cleanup_free_ char *before = TAKE_PTR(*shown);
    json_auto_t *status = NULL;
    struct error error = {0};
    size_t length = 0;
    FILE *out = open_memstream(shown, &length);
    if (read_status(file, names, &status_file, &status, &error) == EXIT_OK) {
        status_table_print(status, terminal_columns(), time(NULL), out);
    } else {
        (void)fprintf(out, "%s\n", error.text);
    }
    (void)fclose(out);
    if (!str_equal(*shown, before)) {
        terminal_redraw(*shown);
    }
    if (status_file != NULL) {
        (void)inotify_add_watch(watch, dirname(status_file), IN_MOVED_TO | IN_DELETE);
    }
}

// Until a signal ends the process.
__attribute__((noreturn)) static void watch_status(const char *file, char **names)
{
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK); // without one the interval has to do
    struct pollfd changes = {.fd = watch, .events = POLLIN};
    char *shown = NULL;
    while (true) {
        char events[EVENTS_BYTES];
        draw(file, names, watch, &shown);
        (void)poll(&changes, 1, WATCH_INTERVAL_MS);
        while (read(watch, events, sizeof(events)) > 0) {
        }
    }
}

int command_status(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_free_ char *status_file = NULL;
    json_auto_t *status = NULL;
    struct error error = {0};
    bool json = (options->given & OPTION_JSON) != 0;
    if (file == NULL) {
        return EXIT_CONFIGURATION;
    }
    if ((options->given & OPTION_WATCH) != 0) {
        if (json || !terminal_is_open()) {
            terminal_complain("--watch is for a terminal, and prints no JSON");
            return EXIT_USAGE;
        }
        watch_status(file, options->names);
    }
    int result = read_status(file, options->names, &status_file, &status, &error);
    if (result != EXIT_OK) {
        terminal_complain("%s", error.text);
        return result;
    }
    bool ready = all_ready(status);
    if (json) {
        terminal_json(status);
    } else {
        status_table_print(status, terminal_columns(), time(NULL), stdout);
    }
    return terminal_end() == EXIT_OK && ready ? EXIT_OK : EXIT_FAILED;
}
