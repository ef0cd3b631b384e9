// plan, apply, teardown: a session that ends when nothing is left that it could do. plan prints
// what apply would do; teardown lists what is owned, asks, and removes what was listed.
#include "daemon/claims.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define LINE_MAX_BYTES 512

struct once {
    struct session session;
    uv_timer_t timeout;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    unsigned changes;
    bool settled;
    bool timed_out;
    bool progress_due;
};

static bool on_iteration(void *ctx)
{
    struct once *once = ctx;
    if (once->progress_due) {
        char line[LINE_MAX_BYTES];
        once->progress_due = false;
        status_line(reconciler_status(once->session.reconciler), line, sizeof(line));
        terminal_progress(line);
    }
    once->settled = reconciler_is_settled(once->session.reconciler);
    return once->settled;
}

// ---- what would be done ----

struct preview {
    unsigned changes; // actions
    unsigned blocked; // resources that are not as desired and that no action would mend
    bool all_observed;
    json_t *changes_json; // NULL: what is found is printed
    json_t *blocked_json;
};

static void on_pending(void *ctx, const struct action *action)
{
    struct preview *preview = ctx;
    if (action->part) {
        return;
    }
    preview->changes++;
    if (preview->changes_json != NULL) {
        (void)json_array_append_new(preview->changes_json, report_action_json(action));
    } else {
        report_print_action(action);
    }
}

// Resources that are not ready for another reason than an action that is about to be done.
static void add_blocked(struct preview *preview, const struct status *status)
{
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (condition->ready == READY_TRUE || condition->reason == REASON_CONVERGING) {
            continue;
        }
        preview->blocked++;
        if (preview->blocked_json != NULL) {
            (void)json_array_append_new(preview->blocked_json, report_condition_json(condition));
        } else {
            report_print_condition(condition);
        }
    }
}

// Observes everything once and prints what would be done about it. Returns 0 with *ret and
// everything printed, or -errno, said on stderr.
static int print_preview(struct config *config, enum reconcile_mode mode, bool json,
                         struct preview *ret)
{
    struct once once = {.settled = false};
    const struct session_options options = {
        .mode = mode, .events.ctx = &once, .iterate = on_iteration};
    int r = session_open(&once.session, config, &options);
    if (r < 0) {
        return r;
    }
    struct reconciler *reconciler = once.session.reconciler;
    reconciler_trigger(reconciler);
    session_run(&once.session);

    *ret = (struct preview){
        .all_observed = reconciler_all_observed(reconciler),
        .changes_json = json ? json_array() : NULL,
        .blocked_json = json ? json_array() : NULL,
    };
    const struct engine *engine = reconciler_status(reconciler)->engine;
    bool found = engine != NULL && !engine->about.given;
    if (found && !json) {
        (void)printf("engine: %s\n", engine->about.origin);
    }
    reconciler_each_pending(reconciler, on_pending, ret);
    add_blocked(ret, reconciler_status(reconciler));
    if (json) {
        json_auto_t *document = json_pack(
            "{s:s*, s:o, s:o, s:b}", "engine", found ? engine->about.origin : NULL, "changes",
            ret->changes_json, "blocked", ret->blocked_json, "observed", ret->all_observed);
        terminal_json(document);
    } else if (ret->changes + ret->blocked == 0) {
        (void)printf("nothing to do\n");
    } else {
        (void)printf("%u change%s pending, %u resource%s blocked\n", ret->changes,
                     ret->changes == 1 ? "" : "s", ret->blocked, ret->blocked == 1 ? "" : "s");
    }
    session_close(&once.session);
    return terminal_end(0);
}

int command_plan(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    struct preview preview;
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    if (print_preview(config, RECONCILE_OBSERVE, (options->given & OPTION_JSON) != 0, &preview) <
            0 ||
        !preview.all_observed) {
        return EXIT_FAILED;
    }
    return preview.changes + preview.blocked > 0 ? EXIT_CHANGES : EXIT_OK;
}

// ---- doing it ----

static void on_acted(void *ctx, const struct action *action, const struct error *err)
{
    struct once *once = ctx;
    bool failed = err->kind != ERROR_NONE;
    if (action->part && !failed) {
        return;
    }
    terminal_progress("");
    if (failed || !str_empty(err->text)) {
        _cleanup_free_ char *line = report_action(action, err);
        (void)printf("%s\n", line);
    } else {
        report_print_action(action);
    }
    (void)fflush(stdout);
    once->changes += !failed;
}

static void on_status(void *ctx)
{
    struct once *once = ctx;
    once->progress_due = true;
}

static void on_progress(_unused_ void *ctx, const char *line)
{
    terminal_progress(line);
}

static void on_timeout(uv_timer_t *timer)
{
    struct once *once = timer->data;
    once->timed_out = true;
    session_stop(&once->session);
}

static void on_signal(uv_signal_t *handle, _unused_ int number)
{
    struct once *once = handle->data;
    if (!once->session.stopping) {
        terminal_progress("");
        (void)fputs("stopping after the request in flight; once more stops at once\n", stderr);
    }
    session_stop(&once->session);
}

static void start_signal(struct once *once, uv_signal_t *handle, int number)
{
    (void)uv_signal_init(&once->session.loop, handle);
    handle->data = once;
    (void)uv_signal_start(handle, on_signal, number);
}

static int print_end(const struct once *once, const char *done_word)
{
    const struct status *status = reconciler_status(once->session.reconciler);
    terminal_progress("");
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (condition->ready != READY_TRUE) {
            report_print_condition(condition);
        }
    }
    bool done = once->settled && status->ready == status->count;
    const char *outcome = once->timed_out ? "timed out" : "not done";
    (void)printf("%s: %zu of %zu ready, %u change%s\n", done ? done_word : outcome, status->ready,
                 status->count, once->changes, once->changes == 1 ? "" : "s");
    return terminal_end(0) == 0 && done ? EXIT_OK : EXIT_FAILED;
}

// Works until nothing is left to do, and prints what it did. done_word is what the last line says
// of success. Returns the exit status.
static int converge(struct config *config, enum reconcile_mode mode, uint64_t timeout_ms,
                    const char *done_word)
{
    struct once once = {.settled = false};
    const struct session_options options = {
        .mode = mode,
        .events = {.acted = on_acted, .status = on_status, .ctx = &once},
        .progress = on_progress,
        .iterate = on_iteration,
    };
    if (session_open(&once.session, config, &options) < 0) {
        return EXIT_FAILED;
    }
    (void)uv_timer_init(&once.session.loop, &once.timeout);
    once.timeout.data = &once;
    (void)uv_timer_start(&once.timeout, on_timeout, timeout_ms, 0);
    start_signal(&once, &once.interrupt, SIGINT);
    start_signal(&once, &once.terminate, SIGTERM);
    reconciler_trigger(once.session.reconciler);
    session_run(&once.session);
    int status = print_end(&once, done_word);

    uv_close((uv_handle_t *)&once.timeout, NULL);
    uv_close((uv_handle_t *)&once.interrupt, NULL);
    uv_close((uv_handle_t *)&once.terminate, NULL);
    session_close(&once.session);
    return status;
}

int command_apply(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_free_ char *status_file = NULL;
    pid_t pid = 0;
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    // It does no harm: both do the same, as long as it has read what is there now.
    if (claims_find(file, &pid, &status_file, NULL) > 0) {
        terminal_complain(
            "process %d runs with %s and keeps everything as the file was when it read it; "
            "after a change, reload it (systemctl --user reload hostk8s-registryd)",
            (int)pid, file);
    }
    return converge(config, RECONCILE_ONCE, options->timeout_ms, "converged");
}

int command_teardown(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(claims_freep) struct claims *claims = NULL;
    struct error error = {0};
    struct preview preview;
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    // A daemon would put everything back, and one that is started meanwhile as well.
    int r = claims_new(file, config, &claims, &error);
    if (r < 0) {
        terminal_complain("%s%s", error.text,
                          r == -EBUSY ? "; stop it first (systemctl --user stop hostk8s-registryd)"
                                      : "");
        return EXIT_FAILED;
    }
    if ((options->given & OPTION_YES) == 0) {
        if (print_preview(config, RECONCILE_OBSERVE_TEARDOWN, false, &preview) < 0) {
            return EXIT_FAILED;
        }
        if (preview.changes == 0 && preview.all_observed) {
            return EXIT_OK;
        }
        const char *storage = config->registry.storage;
        _cleanup_free_ char *cached =
            config->caches[0].upstream == NULL
                ? NULL
                : str_printf("What is cached in %s-cache stays. ", storage);
        _cleanup_free_ char *question =
            str_printf("%sThe storage directory %s stays. Remove the above?",
                       cached == NULL ? "" : cached, storage);
        if (preview.changes == 0 || !terminal_confirms(question)) {
            (void)fputs("nothing was removed\n", stderr);
            return EXIT_FAILED;
        }
    }
    return converge(config, RECONCILE_TEARDOWN, options->timeout_ms, "removed");
}
