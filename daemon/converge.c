#include "daemon/converge.h"

#include "daemon/exit_status.h"
#include "daemon/output.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"

#include <signal.h>
#include <stdio.h>

#define LINE_MAX_BYTES 512

struct convergence {
    struct session *session;
    uv_timer_t timeout;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    unsigned changes;
    bool settled;
    bool timed_out;
    bool progress_due;
};

static void on_acted(void *ctx, const struct action *action, const struct error *err)
{
    struct convergence *convergence = ctx;
    char line[LINE_MAX_BYTES];
    if (action->step && err == NULL) {
        return;
    }
    report_action_line(action, line, sizeof(line));
    terminal_progress(stdout, "");
    if (err != NULL) {
        (void)printf("%s: failed to %s: %s\n", action->resource, line, err->text);
    } else {
        (void)printf("%s: %s\n", action->resource, line);
        convergence->changes++;
    }
    (void)fflush(stdout);
}

static void on_status(void *ctx)
{
    struct convergence *convergence = ctx;
    convergence->progress_due = true;
}

static void on_progress(_unused_ void *ctx, const char *line)
{
    terminal_progress(stdout, line);
}

static bool on_turn(void *ctx)
{
    struct convergence *convergence = ctx;
    if (convergence->progress_due) {
        char line[LINE_MAX_BYTES];
        convergence->progress_due = false;
        status_line(reconciler_status(session_reconciler(convergence->session)), line,
                    sizeof(line));
        terminal_progress(stdout, line);
    }
    convergence->settled = reconciler_settled(session_reconciler(convergence->session));
    return convergence->settled;
}

static void on_timeout(uv_timer_t *timer)
{
    struct convergence *convergence = timer->data;
    convergence->timed_out = true;
    session_stop(convergence->session);
}

static void on_signal(uv_signal_t *handle, _unused_ int number)
{
    struct convergence *convergence = handle->data;
    if (!session_is_stopping(convergence->session)) {
        terminal_progress(stdout, "");
        (void)fputs("stopping after the request in flight; once more stops at once\n", stderr);
    }
    session_stop(convergence->session);
}

static void open_handles(struct convergence *convergence, uint64_t timeout_ms)
{
    uv_loop_t *loop = session_loop(convergence->session);
    (void)uv_timer_init(loop, &convergence->timeout);
    convergence->timeout.data = convergence;
    (void)uv_timer_start(&convergence->timeout, on_timeout, timeout_ms, 0);
    const struct {
        uv_signal_t *handle;
        int number;
    } signals[] = {{&convergence->interrupt, SIGINT}, {&convergence->terminate, SIGTERM}};
    for (size_t i = 0; i < ELEMENTS(signals); i++) {
        (void)uv_signal_init(loop, signals[i].handle);
        signals[i].handle->data = convergence;
        (void)uv_signal_start(signals[i].handle, on_signal, signals[i].number);
    }
}

static int report_end(const struct convergence *convergence, const char *done_word)
{
    const struct status *status = reconciler_status(session_reconciler(convergence->session));
    terminal_progress(stdout, "");
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (condition->ready != READY_TRUE) {
            report_condition(stdout, condition);
        }
    }
    bool done = convergence->settled && status->ready == status->count;
    const char *outcome = done_word;
    if (!done) {
        outcome = convergence->timed_out ? "timed out" : "not done";
    }
    (void)printf("%s: %zu of %zu ready, %u change%s\n", outcome, status->ready, status->count,
                 convergence->changes, convergence->changes == 1 ? "" : "s");
    return output_end(0) == 0 && done ? EXIT_OK : EXIT_FAILED;
}

int converge(struct config *config, const char *config_file, enum reconcile_mode mode,
             uint64_t timeout_ms, const char *done_word)
{
    struct convergence convergence = {0};
    const struct session_options options = {
        .config_file = config_file,
        .mode = mode,
        .events = {.acted = on_acted, .status = on_status, .ctx = &convergence},
        .progress = on_progress,
        .finished = on_turn,
    };
    if (session_new(config, &options, &convergence.session) < 0) {
        config_free(config);
        return EXIT_FAILED;
    }
    open_handles(&convergence, timeout_ms);
    reconciler_trigger(session_reconciler(convergence.session));
    session_run(convergence.session);
    int status = report_end(&convergence, done_word);

    uv_close((uv_handle_t *)&convergence.timeout, NULL);
    uv_close((uv_handle_t *)&convergence.interrupt, NULL);
    uv_close((uv_handle_t *)&convergence.terminate, NULL);
    session_free(convergence.session);
    return status;
}
