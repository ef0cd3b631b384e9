// What every command that observes shares: the loop, what the kinds talk to the outside with, and
// the reconciler, driven until the command has what it is for or is told to stop.
#pragma once

#include "lib/kinds/io.h"
#include "lib/reconcile/reconciler.h"

#include <uv.h>

struct session_options {
    enum reconcile_mode mode;
    const struct kind_table *table; // NULL: all kinds
    struct reconciler_events events;
    // As struct io has it, with events.ctx; may be NULL.
    void (*progress)(void *ctx, const char *line);
    // Called in each iteration of the loop, with events.ctx; true ends session_run.
    bool (*iterate)(void *ctx);
    // Those that are told to signal, with events.ctx, up to a 0; NULL: none. A SIGHUP that is
    // ignored stays so: nohup(1).
    const int *signals;
    void (*signal)(void *ctx, int number);
};
#define SESSION_SIGNALS_MAX 4
extern const int session_stop_signals[]; // all that end a command

struct session {
    uv_loop_t loop;
    struct worker *worker; // of the command; the kinds have their own
    struct reconciler *reconciler;
    struct io io;
    bool stopping;
    // Of session.c alone:
    struct session_options options;
    uv_prepare_t prepare;  // in each iteration of the loop, before it waits
    uv_timer_t due;        // wakes the loop when the next key is due
    uv_timer_t stop_limit; // bounds the wait for what is in flight
    uv_signal_t signals[SESSION_SIGNALS_MAX];
    size_t signal_count;
};

// Shares config. Returns 0, or -errno, and why is in the log.
int session_open(struct session *session, struct config *config,
                 const struct session_options *options);

// Runs until options->iterate, or until session_stop was called and what was in flight has ended.
void session_run(struct session *session);

// Takes up nothing more. Observations end at once. An action in flight is waited for, since a
// request that is cut short may have been carried out or not; at most SESSION_STOP_MS, and a second
// call ends it without waiting.
void session_stop(struct session *session);
#define SESSION_STOP_MS 15000u

// Handles that the command added to the loop must be closed (uv_close), and its work have ended.
void session_close(struct session *session);
