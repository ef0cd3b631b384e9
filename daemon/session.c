#include "daemon/session.h"

#include "lib/base/log.h"
#include "lib/http/curl_transport.h"
#include "lib/work/uv_worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define LOOP_DESCRIPTORS 8

const int session_stop_signals[] = {SIGHUP, SIGINT, SIGTERM, 0};

static void on_due(_unused_ uv_timer_t *timer)
{
    // on_prepare does the work.
}

static void on_prepare(uv_prepare_t *handle)
{
    struct session *session = handle->data;
    struct reconciler *reconciler = session->reconciler;
    uint64_t now_ms = uv_now(&session->loop);
    session->io.now_ms = now_ms;
    if (reconciler_next_due(reconciler) <= now_ms) {
        reconciler_advance(reconciler, now_ms, time(NULL));
    }
    if (!session->stopping && session->options.iterate(session->options.events.ctx)) {
        session_stop(session);
    }
    uint64_t due_ms = reconciler_next_due(reconciler);
    if (session->stopping && reconciler_is_idle(reconciler)) {
        uv_stop(&session->loop);
    } else if (due_ms != KIND_NEVER) {
        (void)uv_timer_start(&session->due, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    } else {
        (void)uv_timer_stop(&session->due);
    }
}

static void cut_short(struct session *session, const char *why)
{
    log_text(LOG_LEVEL_WARNING, LOG_EVENT_NONE,
             "%s: stopping without the answer to the request in flight", why);
    reconciler_abort(session->reconciler);
    work_cancel(session->worker);
}

static void on_stop_limit(uv_timer_t *timer)
{
    cut_short(timer->data, "no answer for too long");
}

void session_stop(struct session *session)
{
    if (session->stopping) {
        cut_short(session, "told to stop again");
        return;
    }
    session->stopping = true;
    reconciler_stop(session->reconciler);
    (void)uv_timer_stop(&session->due);
    (void)uv_timer_start(&session->stop_limit, on_stop_limit, SESSION_STOP_MS, 0);
}

// libuv aborts where it cannot have those that a loop and its signals need.
static int check_descriptors(void)
{
    int descriptors[LOOP_DESCRIPTORS];
    int r = 0;
    for (size_t i = 0; i < ELEMENTS(descriptors); i++) {
        descriptors[i] = eventfd(0, EFD_CLOEXEC);
        r = descriptors[i] < 0 ? -errno : r;
    }
    for (size_t i = 0; i < ELEMENTS(descriptors); i++) {
        closep(&descriptors[i]);
    }
    return r;
}

static void on_signal(uv_signal_t *handle, int number)
{
    const struct session_options *options = handle->data;
    options->signal(options->events.ctx, number);
}

static void start_signals(struct session *session)
{
    struct sigaction hangup = {0};
    (void)sigaction(SIGHUP, NULL, &hangup);
    for (const int *number = session->options.signals; number != NULL && *number != 0; number++) {
        if (*number != SIGHUP || hangup.sa_handler != SIG_IGN) {
            uv_signal_t *handle = &session->signals[session->signal_count++];
            (void)uv_signal_init(&session->loop, handle);
            handle->data = &session->options;
            (void)uv_signal_start(handle, on_signal, *number);
        }
    }
}

int session_open(struct session *session, struct config *config,
                 const struct session_options *options)
{
    struct error error = {0};
    *session = (struct session){.options = *options};
    int r = check_descriptors();
    if (r == 0) {
        r = uv_loop_init(&session->loop);
    }
    if (r < 0) {
        log_text(LOG_LEVEL_ERROR, LOG_EVENT_NONE, "cannot start: %s", strerror(-r));
        return r;
    }
    (void)uv_prepare_init(&session->loop, &session->prepare);
    (void)uv_timer_init(&session->loop, &session->due);
    (void)uv_timer_init(&session->loop, &session->stop_limit);
    session->prepare.data = session;
    session->stop_limit.data = session;
    session->worker = uv_worker_new(&session->loop);
    session->io = (struct io){.worker = uv_worker_new(&session->loop),
                              .secrets = secrets_new(),
                              .progress = options->progress,
                              .progress_ctx = options->events.ctx};
    r = curl_transport_new(&session->loop, &session->io.transport, &error);
    if (r < 0) {
        log_text(LOG_LEVEL_ERROR, LOG_EVENT_NONE, "cannot start: %s", error.text);
        session_close(session);
        return r;
    }
    session->reconciler =
        reconciler_new(&session->io, options->table == NULL ? &kinds : options->table,
                       config_ref(config), options->mode, &options->events);
    start_signals(session);
    return 0;
}

void session_run(struct session *session)
{
    (void)uv_prepare_start(&session->prepare, on_prepare);
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    (void)uv_prepare_stop(&session->prepare);
}

void session_close(struct session *session)
{
    reconciler_free(session->reconciler);
    uv_close((uv_handle_t *)&session->prepare, NULL);
    uv_close((uv_handle_t *)&session->due, NULL);
    uv_close((uv_handle_t *)&session->stop_limit, NULL);
    for (size_t i = 0; i < session->signal_count; i++) {
        uv_close((uv_handle_t *)&session->signals[i], NULL);
    }
    worker_free(session->worker);
    worker_free(session->io.worker);
    if (session->io.transport != NULL) {
        curl_transport_close(session->io.transport);
    }
    // Every close callback runs, so that nothing is left on the loop.
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&session->loop);
    assert(r == 0);
    secrets_free(session->io.secrets);
}
