// run: the daemon. Stays until SIGTERM or SIGINT; SIGHUP reads the configuration again, SIGUSR1
// asks for a full pass.
#include "daemon/commands.h"
#include "daemon/exit_status.h"
#include "daemon/instance.h"
#include "daemon/journal.h"
#include "daemon/load.h"
#include "daemon/memory.h"
#include "daemon/narrate.h"
#include "daemon/notify.h"
#include "daemon/session.h"
#include "daemon/status_file.h"

#include "lib/base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STATUS_LINE_MAX (ERROR_TEXT_MAX + 64)
// A burst of changes is written to the status file at its beginning and at its end. The interval is
// no longer than what a burst of events is gathered for (COALESCE_MS in lib/reconcile), so that who
// acts on what the file says finds it changed before anything else is; but thousands of entries
// take their time to write, and get it, also before the first time.
#define STATUS_FILE_INTERVAL_MS 10
#define STATUS_FILE_ENTRIES_PER_MS 50

enum {
    SIGNAL_HANGUP,
    SIGNAL_USER,
    SIGNAL_TERMINATE,
    SIGNAL_INTERRUPT,
    SIGNAL_COUNT,
};

static const int signal_numbers[SIGNAL_COUNT] = {
    [SIGNAL_HANGUP] = SIGHUP,
    [SIGNAL_USER] = SIGUSR1,
    [SIGNAL_TERMINATE] = SIGTERM,
    [SIGNAL_INTERRUPT] = SIGINT,
};

struct daemon {
    const struct options *options;
    const char *config_file;
    bool must_exist; // the file, since it was named or was there once
    struct session *session;
    struct instance instance;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_timer_t watchdog;
    uv_timer_t status_file;     // writes it; runs while the file is behind the status
    uint64_t status_file_again; // not before, in the loop's ms
    struct narrator narrator;
    bool publish;               // the status changed since it was last published
    bool unpublished;           // it could not be, and that was said
    uint64_t published_passes;  // the passes that the published status tells of
    bool trimmed;               // memory that only the start needed was given back
    char line[STATUS_LINE_MAX]; // last STATUS=
};

static int write_status(struct daemon *daemon, struct status *status, struct error *err)
{
    struct instance *instance = &daemon->instance;
    int r = instance_renew(instance, err);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        log_text(LOG_LEVEL_NOTICE, "the directory of %s was removed, and is made again",
                 instance->status_file);
    }
    r = status_file_write(instance->status_file, status, daemon->config_file);
    return r == 0 ? 0
                  : error_set(err, ERROR_PERMANENT, -r, "cannot write %s: %s",
                              instance->status_file, strerror(-r));
}

static uint64_t writing_ms(const struct status *status)
{
    return status->count / STATUS_FILE_ENTRIES_PER_MS;
}

// Everything goes on without a status file; that there is none is said once.
static void write_status_file(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    struct status *status = reconciler_status(session_reconciler(daemon->session));
    struct error error = {0};
    bool failed = write_status(daemon, status, &error) < 0;
    if (failed && !daemon->unpublished) {
        log_text(LOG_LEVEL_WARNING, "no status is published: %s", error.text);
    }
    daemon->unpublished = failed;

    uint64_t rest_ms = writing_ms(status);
    daemon->status_file_again =
        uv_now(timer->loop) +
        (rest_ms > STATUS_FILE_INTERVAL_MS ? rest_ms : STATUS_FILE_INTERVAL_MS);
    (void)uv_timer_stop(timer);
}

// An earlier time stands.
static void publish_at(struct daemon *daemon, uint64_t due_ms)
{
    uv_timer_t *timer = &daemon->status_file;
    uint64_t ms = due_ms - uv_now(timer->loop);
    if (!uv_is_active((const uv_handle_t *)timer) || uv_timer_get_due_in(timer) > ms) {
        (void)uv_timer_start(timer, write_status_file, ms, 0);
    }
}

static void publish_change(struct daemon *daemon)
{
    const struct status *status = reconciler_status(session_reconciler(daemon->session));
    char line[STATUS_LINE_MAX];
    status_line(status, line, sizeof(line));
    if (!str_equal(line, daemon->line)) {
        (void)snprintf(daemon->line, sizeof(daemon->line), "%s", line);
        notify_status(line);
    }
    uint64_t now_ms = uv_now(session_loop(daemon->session));
    uint64_t due_ms = now_ms + writing_ms(status);
    due_ms = due_ms > daemon->status_file_again ? due_ms : daemon->status_file_again;
    if (due_ms <= now_ms) {
        write_status_file(&daemon->status_file);
    } else {
        publish_at(daemon, due_ms);
    }
}

// That a pass has ended is no news that would hold up those that matter.
static void publish_pass(struct daemon *daemon)
{
    publish_at(daemon, uv_now(session_loop(daemon->session)) + STATUS_FILE_INTERVAL_MS);
}

static void on_status(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->publish = true;
}

static void on_acted(_unused_ void *ctx, const struct action *action, const struct error *err)
{
    narrate_action(action, err);
}

static void on_condition(_unused_ void *ctx, const struct condition *condition,
                         const struct condition *before)
{
    narrate_condition(condition, before);
}

static void on_progress(void *ctx, const char *line)
{
    struct daemon *daemon = ctx;
    if (narrate_progress(&daemon->narrator, line)) {
        notify_status(line);
        daemon->line[0] = '\0';
    }
}

// In each turn of the loop; never ends it by itself.
static bool on_turn(void *ctx)
{
    struct daemon *daemon = ctx;
    const struct status *status = reconciler_status(session_reconciler(daemon->session));
    if (daemon->published_passes != status->passes) {
        daemon->published_passes = status->passes;
        publish_pass(daemon);
    }
    if (daemon->publish) {
        daemon->publish = false;
        publish_change(daemon);
    }
    if (!daemon->trimmed && status->passes >= 2) {
        daemon->trimmed = true;
        memory_trim();
    }
    return false;
}

// STATUS= has the first problem of a reload.
static void reload_problem(struct daemon *daemon, const char *text)
{
    narrate_reload_problem(text);
    if (daemon->line[0] == '\0') {
        (void)snprintf(daemon->line, sizeof(daemon->line), "reload failed: %s", text);
    }
}

static int read_config(struct daemon *daemon, struct config **ret)
{
    struct config_problems problems = {0};
    int r = config_load(daemon->config_file, daemon->must_exist, &config_process_environment, ret,
                        &problems);
    if (r < 0 && problems.count == 0) {
        reload_problem(daemon, strerror(-r));
    }
    for (size_t i = 0; i < problems.count; i++) {
        _cleanup_free_ char *text = load_problem_text(daemon->config_file, &problems.items[i]);
        reload_problem(daemon, text == NULL ? daemon->config_file : text);
    }
    config_problems_done(&problems);
    return r;
}

// Takes config over when it succeeds.
static int take_config(struct daemon *daemon, struct config *config)
{
    struct error error = {0};
    int r = instance_reclaim(&daemon->instance, config, &error);
    if (r < 0) {
        reload_problem(daemon, error.text);
        return r;
    }
    if (daemon->options->has_level) {
        config->log_level = daemon->options->level;
    }
    log_set_level(config->log_level);
    daemon->must_exist |= config->from_file;
    reconciler_reload(session_reconciler(daemon->session), config);
    return 0;
}

// Swaps a valid configuration in, keeps the old one otherwise. Both ways systemd is told READY.
static void reload(struct daemon *daemon)
{
    _cleanup_(config_freep) struct config *config = NULL;
    notify_reloading();
    daemon->line[0] = '\0';
    if (read_config(daemon, &config) < 0 || take_config(daemon, config) < 0) {
        notify_ready(daemon->line);
        return;
    }
    TAKE_PTR(config);
    narrate_reloaded(daemon->config_file);
    status_line(reconciler_status(session_reconciler(daemon->session)), daemon->line,
                sizeof(daemon->line));
    notify_ready(daemon->line);
    daemon->publish = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    switch (number) {
    case SIGHUP:
        if (!session_is_stopping(daemon->session)) {
            reload(daemon);
        }
        break;
    case SIGUSR1:
        reconciler_trigger(session_reconciler(daemon->session));
        break;
    default:
        if (!session_is_stopping(daemon->session)) {
            notify_stopping();
            log_emit(&(struct log_record){.level = LOG_LEVEL_INFO,
                                          .event = LOG_EVENT_STOPPED,
                                          .message = "stopping; the registry keeps running"});
        }
        session_stop(daemon->session);
        break;
    }
}

// Both would end the process before the loop takes them up; until then they wait.
static void hold_back(int how)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigprocmask(how, &signals, NULL);
}

static void on_watchdog(_unused_ uv_timer_t *timer)
{
    notify_watchdog();
}

static void open_handles(struct daemon *daemon)
{
    uv_loop_t *loop = session_loop(daemon->session);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        (void)uv_signal_init(loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        (void)uv_signal_start(&daemon->signals[i], on_signal, signal_numbers[i]);
    }
    (void)uv_timer_init(loop, &daemon->status_file);
    daemon->status_file.data = daemon;
    (void)uv_timer_init(loop, &daemon->watchdog);
    uint64_t interval_ms = notify_watchdog_interval_ms();
    if (interval_ms > 0) {
        (void)uv_timer_start(&daemon->watchdog, on_watchdog, 0, interval_ms);
    }
}

static void close_handles(struct daemon *daemon)
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&daemon->status_file, NULL);
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
}

int command_run(const struct options *options)
{
    hold_back(SIG_BLOCK);
    memory_keep();
    _cleanup_free_ char *file = load_file_name(options);
    _cleanup_(config_freep) struct config *config = NULL;
    if (file == NULL || load_config(options, file, &config) < 0) {
        notify_failed(EINVAL);
        return EXIT_CONFIGURATION;
    }
    journal_open(config->log_level);

    struct daemon daemon = {
        .options = options,
        .config_file = file,
        .must_exist = options->config_file != NULL || config->from_file,
        .instance = INSTANCE_NONE,
        .publish = true,
    };
    struct error error = {0};
    if (instance_claim(file, config, &daemon.instance, &error) < 0) {
        log_text(LOG_LEVEL_ERROR, "%s", error.text);
        notify_failed(error.code);
        return EXIT_FAILED;
    }
    const struct session_options session_options = {
        .config_file = file,
        .mode = RECONCILE_KEEP,
        .events = {.acted = on_acted,
                   .condition = on_condition,
                   .status = on_status,
                   .ctx = &daemon},
        .progress = on_progress,
        .finished = on_turn,
    };
    int r = session_new(config, &session_options, &daemon.session);
    if (r < 0) {
        notify_failed(-r);
        instance_done(&daemon.instance);
        return EXIT_FAILED;
    }
    TAKE_PTR(config);

    open_handles(&daemon);
    hold_back(SIG_UNBLOCK);
    narrate_started(file);
    notify_ready("starting");
    reconciler_trigger(session_reconciler(daemon.session));
    session_run(daemon.session);
    close_handles(&daemon);
    session_free(daemon.session);
    instance_done(&daemon.instance);
    return EXIT_OK;
}
