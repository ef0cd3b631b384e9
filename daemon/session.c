#include "daemon/session.h"

#include "daemon/node_cache_file.h"
#include "lib/base/log.h"
#include "lib/http/curl_transport.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LOOP_DESCRIPTORS 8

struct session {
    uv_loop_t loop;
    uv_prepare_t turn;     // in each turn of the loop, before it waits
    uv_timer_t due;        // wakes the loop when the next key is due
    uv_timer_t stop_limit; // bounds the wait for what is in flight
    struct http_transport *transport;
    struct backend *backend;
    struct reconciler *reconciler;
    struct session_options options;
    bool stopping;
};

static void on_due(_unused_ uv_timer_t *timer)
{
    // The turn does the work.
}

static void on_turn(uv_prepare_t *handle)
{
    struct session *session = handle->data;
    uint64_t now_ms = uv_now(&session->loop);
    uint64_t due_ms = 0;
    if (reconciler_next_due(session->reconciler, &due_ms) && due_ms <= now_ms) {
        reconciler_step(session->reconciler, now_ms, time(NULL));
    }
    if (!session->stopping && session->options.finished(session->options.events.ctx)) {
        session_stop(session);
    }
    if (session->stopping && reconciler_idle(session->reconciler)) {
        uv_stop(&session->loop);
    } else if (reconciler_next_due(session->reconciler, &due_ms)) {
        (void)uv_timer_start(&session->due, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    } else {
        (void)uv_timer_stop(&session->due);
    }
}

static void cut_short(struct session *session, const char *why)
{
    log_text(LOG_LEVEL_WARNING, "%s: stopping without the answer to the request in flight", why);
    session->backend->ops->cancel(session->backend, true);
}

static void on_stop_limit(uv_timer_t *timer)
{
    cut_short(timer->data, "no answer for too long");
}

// Lets every close callback run, so that nothing is left on the loop.
static void session_close_loop(struct session *session)
{
    uv_close((uv_handle_t *)&session->turn, NULL);
    uv_close((uv_handle_t *)&session->due, NULL);
    uv_close((uv_handle_t *)&session->stop_limit, NULL);
    if (session->transport != NULL) {
        curl_transport_close(session->transport);
    }
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&session->loop);
    assert(r == 0);
    (void)r;
}

// libuv aborts where it cannot have those that a loop and its signals need.
static int check_descriptors(void)
{
    int descriptors[LOOP_DESCRIPTORS];
    size_t count = 0;
    int r = 0;
    while (r == 0 && count < ELEMENTS(descriptors)) {
        descriptors[count] = eventfd(0, EFD_CLOEXEC);
        if (descriptors[count] < 0) {
            r = -errno;
        } else {
            count++;
        }
    }
    while (count > 0) {
        (void)close(descriptors[--count]);
    }
    return r;
}

int session_new(struct config *config, const struct session_options *options, struct session **ret)
{
    struct error error = {0};
    _cleanup_free_ struct session *session = calloc(1, sizeof(*session));
    int r = session == NULL ? -ENOMEM : check_descriptors();
    if (r == 0) {
        r = uv_loop_init(&session->loop);
    }
    if (r < 0) {
        (void)fprintf(stderr, "hostk8s-registryd: cannot start: %s\n", strerror(-r));
        return r;
    }
    session->options = *options;
    (void)uv_prepare_init(&session->loop, &session->turn);
    (void)uv_timer_init(&session->loop, &session->due);
    (void)uv_timer_init(&session->loop, &session->stop_limit);
    session->turn.data = session;
    session->stop_limit.data = session;

    r = curl_transport_new(&session->loop, &session->transport, &error);
    if (r >= 0) {
        r = backend_new(session->transport, options->progress, options->events.ctx,
                        &session->backend);
    }
    if (r >= 0) {
        node_cache_file_load(options->config_file, session->backend);
        r = reconciler_new(session->backend, config, options->mode, &options->events,
                           &session->reconciler);
    }
    if (r < 0) {
        (void)fprintf(stderr, "hostk8s-registryd: cannot start: %s\n",
                      error.kind == ERROR_NONE ? strerror(-r) : error.text);
        backend_free(session->backend);
        session_close_loop(session);
        return r;
    }
    *ret = TAKE_PTR(session);
    return 0;
}

void session_run(struct session *session)
{
    (void)uv_prepare_start(&session->turn, on_turn);
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    (void)uv_prepare_stop(&session->turn);
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

bool session_is_stopping(const struct session *session)
{
    return session->stopping;
}

uv_loop_t *session_loop(struct session *session)
{
    return &session->loop;
}

struct reconciler *session_reconciler(struct session *session)
{
    return session->reconciler;
}

void session_free(struct session *session)
{
    if (session == NULL) {
        return;
    }
    reconciler_free(session->reconciler);
    node_cache_file_save(session->options.config_file, session->backend);
    backend_free(session->backend);
    session_close_loop(session);
    free(session);
}
