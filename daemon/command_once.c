// plan, apply, teardown: a session that ends when nothing is left that it could do. plan prints
// what apply would do; teardown lists what is owned, asks, and removes what was listed.
#include "daemon/claims.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "daemon/terminal.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>

#define LINE_MAX_BYTES 512

struct once {
    struct session session;
    uv_timer_t timeout;
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
    unsigned changes;   // actions
    unsigned blocked;   // resources that are not as desired and that no action would mend
    unsigned waiting;   // those that come right by the actions of others, or by themselves
    struct strv acting; // resources that have an action
    bool all_observed;
    json_t *changes_json; // NULL: what is found is printed
    json_t *blocked_json;
    json_t *waiting_json;
};

static void on_pending(void *ctx, const struct action *action)
{
    struct preview *preview = ctx;
    if (action->part) {
        return;
    }
    preview->changes++;
    strv_add_unique(&preview->acting, action->resource);
    if (preview->changes_json != NULL) {
        (void)json_array_append_new(preview->changes_json, report_action_json(action));
    } else {
        report_print_action(action);
    }
}

// Resources that are not ready for another reason than an action of theirs that is to be done.
static void add_conditions(struct preview *preview, const struct status *status)
{
    _cleanup_free_ const struct condition **shown = xcalloc(status->count, sizeof(*shown));
    size_t count = 0;
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        bool converges = condition->reason == REASON_CONVERGING;
        if (condition->ready == READY_TRUE ||
            (converges && strv_contains(&preview->acting, condition->resource))) {
            continue;
        }
        preview->waiting += converges;
        preview->blocked += !converges;
        if (preview->changes_json != NULL) {
            (void)json_array_append_new(converges ? preview->waiting_json : preview->blocked_json,
                                        report_condition_json(condition));
        } else {
            shown[count++] = condition;
        }
    }
    report_print_conditions(shown, count);
}

// Observes everything once and prints what would be done about it. Returns EXIT_OK with *ret and
// everything printed, or EXIT_FAILED, said on stderr.
static int print_preview(struct config *config, enum reconcile_mode mode, bool json,
                         struct preview *ret)
{
    struct once once = {.settled = false};
    const struct session_options options = {
        .mode = mode, .events.ctx = &once, .iterate = on_iteration};
    if (session_open(&once.session, config, &options) < 0) {
        return EXIT_FAILED;
    }
    struct reconciler *reconciler = once.session.reconciler;
    reconciler_trigger(reconciler);
    session_run(&once.session);

    *ret = (struct preview){
        .all_observed = reconciler_all_observed(reconciler),
        .changes_json = json ? json_array() : NULL,
        .blocked_json = json ? json_array() : NULL,
        .waiting_json = json ? json_array() : NULL,
    };
    const struct engine *engine = reconciler_status(reconciler)->engine;
    bool found = engine != NULL && !engine->about.given;
    if (found && !json) {
        (void)printf("engine: %s\n", engine->about.origin);
    }
    reconciler_each_pending(reconciler, on_pending, ret);
    add_conditions(ret, reconciler_status(reconciler));
    strv_done(&ret->acting);
    if (json) {
        json_auto_t *document =
            json_pack("{s:s*, s:o, s:o, s:o, s:b}", "engine", found ? engine->about.origin : NULL,
                      "changes", ret->changes_json, "blocked", ret->blocked_json, "waiting",
                      ret->waiting_json, "observed", ret->all_observed);
        terminal_json(document);
    } else if (ret->changes + ret->blocked + ret->waiting == 0) {
        (void)printf("nothing to do\n");
    } else {
        (void)printf("%u change%s pending, %u resource%s blocked\n", ret->changes,
                     ret->changes == 1 ? "" : "s", ret->blocked, ret->blocked == 1 ? "" : "s");
    }
    session_close(&once.session);
    return terminal_end();
}

int command_plan(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    struct preview preview;
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    bool json = (options->given & OPTION_JSON) != 0;
    int r = print_preview(config, RECONCILE_OBSERVE, json, &preview);
    return r != EXIT_OK || !preview.all_observed   ? EXIT_FAILED
           : preview.changes + preview.blocked > 0 ? EXIT_CHANGES
                                                   : EXIT_OK;
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

static void on_signal(void *ctx, _unused_ int number)
{
    struct once *once = ctx;
    if (!once->session.stopping) {
        terminal_progress("");
        (void)fputs("stopping after the request in flight; once more stops at once\n", stderr);
    }
    session_stop(&once->session);
}

static int print_end(const struct once *once, const char *done_word)
{
    const struct status *status = reconciler_status(once->session.reconciler);
    _cleanup_free_ const struct condition **shown = xcalloc(status->count, sizeof(*shown));
    size_t count = 0;
    terminal_progress("");
    for (size_t i = 0; i < status->count; i++) {
        if (status->entries[i].condition.ready != READY_TRUE) {
            shown[count++] = &status->entries[i].condition;
        }
    }
    report_print_conditions(shown, count);
    bool done = once->settled && status->ready == status->count;
    const char *outcome = once->timed_out ? "timed out" : "not done";
    (void)printf("%s: %zu of %zu ready, %u change%s\n", done ? done_word : outcome, status->ready,
                 status->count, once->changes, once->changes == 1 ? "" : "s");
    return terminal_end() == EXIT_OK && done ? EXIT_OK : EXIT_FAILED;
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
        .signals = session_stop_signals,
        .signal = on_signal,
    };
    if (session_open(&once.session, config, &options) < 0) {
        return EXIT_FAILED;
    }
    (void)uv_timer_init(&once.session.loop, &once.timeout);
    once.timeout.data = &once;
    (void)uv_timer_start(&once.timeout, on_timeout, timeout_ms, 0);
    reconciler_trigger(once.session.reconciler);
    session_run(&once.session);
    int status = print_end(&once, done_word);

    uv_close((uv_handle_t *)&once.timeout, NULL);
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
        if (print_preview(config, RECONCILE_OBSERVE_TEARDOWN, false, &preview) != EXIT_OK) {
            return EXIT_FAILED;
        }
        if (preview.changes == 0 && preview.all_observed) {
            return EXIT_OK;
        }
        const char *storage = config->registry.storage;
        bool caches = config->caches[0].upstream != NULL;
        _cleanup_free_ char *question =
            str_printf("%s%s%sThe storage directory %s stays. Remove the above?",
                       caches ? "What is cached in " : "", caches ? storage : "",
                       caches ? "-cache stays. " : "", storage);
        if (preview.changes == 0 || !terminal_confirms(question)) {
            (void)fputs("nothing was removed\n", stderr);
            return EXIT_FAILED;
        }
    }
    return converge(config, RECONCILE_TEARDOWN, options->timeout_ms, "removed");
}
