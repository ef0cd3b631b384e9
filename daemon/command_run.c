// run: the daemon. Stays until SIGTERM or SIGINT; SIGHUP reads the configuration again, SIGUSR1
// asks for a full pass.
#include "daemon/claims.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/publisher.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/work/work.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <systemd/sd-daemon.h>

#define STATUS_LINE_MAX (ERROR_TEXT_MAX + 64)
#define PROGRESS_INTERVAL_MS 5000
#define HOLD_MS 5000 // what has not stood for so long is not told of

static const int signal_numbers[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, 0};

struct daemon {
    const struct options *options;
    const char *config_file;
    bool must_exist;          // the file, since it was named or was there once
    uint64_t read_timeout_ms; // of the configuration that is in force
    struct session session;
    struct publisher publisher;
    uv_timer_t watchdog;
    uint64_t progress_again_ms; // no progress is logged before, in the loop's ms
    bool publish;               // the status changed since it was last published
    uint64_t published_passes;  // the passes that the published status tells of
    bool reading;               // the configuration is being read
    bool reloading;             // it is being read or claimed
    bool reload_again;          // SIGHUP came meanwhile
    bool reload_failed;         // and line has the reason
    char line[STATUS_LINE_MAX]; // last STATUS=
};

// ---- what is told to systemd, the log and the status file ----

// "READY=1", "STOPPING=1" or "" with the text for STATUS=, which becomes one line: what is behind a
// line's end would be assigned, too.
static void notify(const char *state, const char *status)
{
    _cleanup_free_ char *line = str_dup(status);
    str_make_printable(line);
    (void)sd_notifyf(0, "%s\nSTATUS=%s", state, line);
}

static void set_line(struct daemon *daemon)
{
    status_line(reconciler_status(daemon->session.reconciler), daemon->line, sizeof(daemon->line));
}

static void publish(struct daemon *daemon)
{
    char before[STATUS_LINE_MAX];
    memcpy(before, daemon->line, sizeof(before));
    set_line(daemon);
    if (!str_equal(before, daemon->line)) {
        notify("", daemon->line);
    }
    publisher_write(&daemon->publisher);
}

static void on_status(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->publish = true;
}

static void on_progress(void *ctx, const char *line)
{
    struct daemon *daemon = ctx;
    uint64_t now_ms = uv_now(&daemon->session.loop);
    if (line[0] == '\0') {
        free(TAKE_PTR(daemon->publisher.progress));
        daemon->publish = true;
        return;
    }
    if (now_ms < daemon->progress_again_ms) {
        return;
    }
    daemon->progress_again_ms = now_ms + PROGRESS_INTERVAL_MS;
    log_emit(&(struct log_record){
        .level = LOG_LEVEL_INFO, .event = LOG_EVENT_PROGRESS, .action = "pull", .message = line});
    notify("", line);
    daemon->line[0] = '\0';
    str_replace(&daemon->publisher.progress, line);
    publisher_write(&daemon->publisher);
}

static bool on_iteration(void *ctx)
{
    struct daemon *daemon = ctx;
    uint64_t passes = reconciler_status(daemon->session.reconciler)->passes;
    if (daemon->publish || passes != daemon->published_passes) {
        daemon->published_passes = passes;
        daemon->publish = false;
        publish(daemon);
    }
    return false; // a signal alone ends it
}

// ---- reload: read, claim, swap ----

// What a thread reads.
struct reading {
    char *file;
    bool must_exist;
    struct config *config;
    struct problems problems;
};

static void reading_free(void *block)
{
    struct reading *reading = block;
    config_free(reading->config);
    problems_done(&reading->problems);
    free(reading->file);
    free(reading);
}

static void run_reading(void *block)
{
    struct reading *reading = block;
    (void)config_load(reading->file, reading->must_exist, &config_process_environment,
                      &reading->config, &reading->problems);
}

static void on_read(void *ctx, void *block, const struct error *err);

static void reload(struct daemon *daemon)
{
    struct reading *reading = xcalloc(1, sizeof(*reading));
    reading->file = str_dup(daemon->config_file);
    reading->must_exist = daemon->must_exist;
    daemon->reading = true;
    daemon->reloading = true;
    daemon->reload_again = false;
    daemon->reload_failed = false;
    const struct work work = {.name = daemon->config_file,
                              .run = run_reading,
                              .destroy = reading_free,
                              .timeout_ms = daemon->read_timeout_ms,
                              .done = on_read,
                              .ctx = daemon};
    // Type=notify-reload of systemd 253 wants the time; older ones ignore it.
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
    work_submit(daemon->session.worker, &work, reading);
}

// STATUS= has the first problem.
static void fail_reload(struct daemon *daemon, const char *problem)
{
    log_text(LOG_LEVEL_ERROR, LOG_EVENT_RELOAD_FAILED,
             "reload failed, the old configuration stays: %s", problem);
    if (!daemon->reload_failed) {
        daemon->reload_failed = true;
        (void)snprintf(daemon->line, sizeof(daemon->line), "reload failed: %s", problem);
    }
}

// Lets systemd know, which waits for it, whether it went well or not.
static void end_reload(struct daemon *daemon)
{
    daemon->reloading = false;
    if (!daemon->reload_failed) {
        set_line(daemon);
        daemon->publish = true;
    }
    notify("READY=1", daemon->line);
    if (daemon->reload_again) {
        reload(daemon);
    }
}

static void on_claimed(void *ctx, struct config *config, const struct error *err)
{
    struct daemon *daemon = ctx;
    if (daemon->session.stopping) {
        config_free(config);
        return;
    }
    if (err != NULL) {
        fail_reload(daemon, err->text);
    } else {
        load_override(daemon->options, config);
        log_set_level(config->log_level);
        daemon->must_exist |= config->from_file;
        daemon->read_timeout_ms = config->reconcile.timeout_ms;
        reconciler_reload(daemon->session.reconciler, config);
        log_text(LOG_LEVEL_INFO, LOG_EVENT_RELOADED, "reloaded %s", daemon->config_file);
    }
    end_reload(daemon);
}

static void on_read(void *ctx, void *block, const struct error *err)
{
    struct daemon *daemon = ctx;
    struct reading *reading = block;
    daemon->reading = false;
    if (daemon->session.stopping) {
        return;
    }
    if (err != NULL) {
        struct error error = *err;
        (void)error_wrap(&error, "%s", daemon->config_file);
        fail_reload(daemon, error.text);
    } else if (reading->config != NULL) {
        publisher_claim(&daemon->publisher, TAKE_PTR(reading->config));
        return;
    } else {
        for (size_t i = 0; i < reading->problems.count; i++) {
            _cleanup_free_ char *problem =
                load_problem_text(daemon->config_file, &reading->problems.items[i]);
            fail_reload(daemon, problem);
        }
    }
    end_reload(daemon);
}

// ---- signals ----

static void on_signal(void *ctx, int number)
{
    struct daemon *daemon = ctx;
    if (number == SIGUSR1) {
        reconciler_trigger(daemon->session.reconciler);
    } else if (number != SIGHUP) {
        if (!daemon->session.stopping) {
            notify("STOPPING=1", "stopping");
            log_text(LOG_LEVEL_INFO, LOG_EVENT_STOPPED, "stopping; the registry keeps running");
        }
        session_stop(&daemon->session);
    } else if (daemon->reloading) {
        daemon->reload_again = true;
    } else if (!daemon->session.stopping) {
        reload(daemon);
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
    (void)sd_notify(0, "WATCHDOG=1");
}

static void open_handles(struct daemon *daemon)
{
    (void)uv_timer_init(&daemon->session.loop, &daemon->watchdog);
    uint64_t us = 0; // the unit's WatchdogSec
    if (sd_watchdog_enabled(0, &us) > 0) {
        (void)uv_timer_start(&daemon->watchdog, on_watchdog, 0, us / 2000);
    }
}

static void close_handles(struct daemon *daemon)
{
    publisher_close(&daemon->publisher);
    // A file that hangs is not waited for.
    work_cancel(daemon->session.worker);
    while (daemon->reading) {
        (void)uv_run(&daemon->session.loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
}

// What the next pass finds otherwise is no news.
static uint64_t hold_ms(const struct config *config)
{
    uint64_t half_ms = config->reconcile.poll_ms / 2;
    return MIN(half_ms, HOLD_MS);
}

static int fail(int code, int status)
{
    (void)sd_notifyf(0, "ERRNO=%d", code);
    return status;
}

int command_run(const struct options *options)
{
    hold_back(SIG_BLOCK);
    (void)signal(SIGHUP, SIG_DFL); // it reloads below nohup(1) as well
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    if (!load(options, &file, &config)) {
        return fail(EINVAL, EXIT_CONFIGURATION);
    }
    struct claims *claims = NULL;
    struct error error = {0};
    if (claims_new(file, config, &claims, &error) < 0) {
        log_text(LOG_LEVEL_ERROR, LOG_EVENT_NONE, "%s", error.text);
        return fail(error.code, EXIT_FAILED);
    }
    struct daemon daemon = {
        .options = options,
        .config_file = file,
        .must_exist = options->config_file != NULL || config->from_file,
        .read_timeout_ms = config->reconcile.timeout_ms,
        .publish = true,
    };
    const struct session_options session_options = {
        .mode = RECONCILE_KEEP,
        .events = {.acted = report_log_action,
                   .news = report_log_news,
                   .hold_ms = hold_ms(config),
                   .status = on_status,
                   .ctx = &daemon},
        .progress = on_progress,
        .iterate = on_iteration,
        .signals = signal_numbers,
        .signal = on_signal,
    };
    int r = session_open(&daemon.session, config, &session_options);
    if (r < 0) {
        claims_free(claims);
        return fail(-r, EXIT_FAILED);
    }
    config_free(TAKE_PTR(config));
    publisher_open(&daemon.publisher, &daemon.session, file, claims, on_claimed, &daemon);

    open_handles(&daemon);
    hold_back(SIG_UNBLOCK);
    log_text(LOG_LEVEL_INFO, LOG_EVENT_STARTED, "hostk8s-registryd %s started with %s",
             PROGRAM_VERSION, file);
    notify("READY=1", "starting");
    reconciler_trigger(daemon.session.reconciler);
    session_run(&daemon.session);
    close_handles(&daemon);
    session_close(&daemon.session);
    return EXIT_OK;
}
