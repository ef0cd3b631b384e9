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
#include <string.h>
#include <uv.h>

#define STATUS_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define WATCH_INTERVAL_MS 1000 // the ages change, and a daemon may come or go

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
    if (r < 0 || json_parse(text, length, &status, NULL) < 0 ||
        json_get_int(status, 0, "pid", NULL) != pid) {
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

static bool all_ready(const json_t *resources)
{
    size_t i = 0;
    json_t *resource = NULL;
    json_array_foreach (resources, i, resource) {
        if (!str_equal(json_get_string(resource, "ready", NULL), "True")) {
            return false;
        }
    }
    return i > 0;
}

// ---- watching ----

struct watch {
    const char *file;
    char **names;
    uv_fs_event_t changes;
    uv_timer_t timer;
    char *shown;
};

static void on_change(uv_fs_event_t *changes, const char *name, int events, int status);

// Draws what is there now. The directory is watched once there is one: the file is replaced, and
// what is watched would be the old one.
static void draw(struct watch *watch)
{
    _cleanup_free_ char *status_file = NULL;
    json_auto_t *status = NULL;
    struct error error = {0};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (read_status(watch->file, watch->names, &status_file, &status, &error) == EXIT_OK) {
        status_table_print(status, terminal_columns(), time(NULL), out);
    } else {
        (void)fprintf(out, "%s\n", error.text);
    }
    (void)fclose(out);
    if (!str_equal(text, watch->shown)) {
        terminal_redraw(text);
    }
    free(watch->shown);
    watch->shown = text;
    if (status_file != NULL && !uv_is_active((const uv_handle_t *)&watch->changes)) {
        (void)uv_fs_event_start(&watch->changes, on_change, dirname(status_file), 0);
    }
}

static void on_change(uv_fs_event_t *changes, _unused_ const char *name, _unused_ int events,
                      _unused_ int status)
{
    draw(changes->data);
}

static void on_timer(uv_timer_t *timer)
{
    draw(timer->data);
}

// Until a signal ends the process.
static int watch_status(const char *file, char **names)
{
    struct watch watch = {.file = file, .names = names};
    uv_loop_t loop;
    if (uv_loop_init(&loop) < 0) {
        terminal_complain("cannot watch: no event loop");
        return EXIT_FAILED;
    }
    (void)uv_fs_event_init(&loop, &watch.changes);
    (void)uv_timer_init(&loop, &watch.timer);
    watch.changes.data = &watch;
    watch.timer.data = &watch;
    (void)uv_timer_start(&watch.timer, on_timer, 0, WATCH_INTERVAL_MS);
    return uv_run(&loop, UV_RUN_DEFAULT);
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
        return watch_status(file, options->names);
    }
    int result = read_status(file, options->names, &status_file, &status, &error);
    if (result != EXIT_OK) {
        terminal_complain("%s", error.text);
        return result;
    }
    if (json) {
        terminal_json(status);
    } else {
        status_table_print(status, terminal_columns(), time(NULL), stdout);
    }
    return terminal_end(0) == 0 && all_ready(json_get_array(status, "resources", NULL))
               ? EXIT_OK
               : EXIT_FAILED;
}
