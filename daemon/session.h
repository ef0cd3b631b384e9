// What every command that looks at the world shares: the loop, the transport, the backend and the
// reconciler, driven until the command has what it wants or is told to stop.
#pragma once

#include "lib/backend/backend.h"
#include "lib/reconcile/reconciler.h"

#include <uv.h>

struct session;

struct session_options {
    const char *config_file; // borrowed; what was learned is kept for the next process with it
    enum reconcile_mode mode;
    struct reconciler_events events;
    backend_progress_fn progress; // with events.ctx; may be NULL
    // Asked once in each turn of the loop; true ends session_run. With events.ctx.
    bool (*finished)(void *ctx);
};

// Takes config over, on success only. On failure it is said on stderr.
int session_new(struct config *config, const struct session_options *options, struct session **ret);

// Runs until options->finished, or until session_stop was called and what was in flight has ended.
void session_run(struct session *session);

// Takes up nothing more. Observations end at once. An action in flight is waited for, since a
// request that is cut short may have been carried out or not; at most SESSION_STOP_MS, and a second
// call ends it without waiting.
void session_stop(struct session *session);
#define SESSION_STOP_MS 15000u
bool session_is_stopping(const struct session *session);

// Handles that a command adds to the loop must be closed (uv_close) before session_free.
uv_loop_t *session_loop(struct session *session);
struct reconciler *session_reconciler(struct session *session);

// NULL is fine.
void session_free(struct session *session);
DEFINE_CLEANUP(struct session *, session_free)
