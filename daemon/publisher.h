// What a daemon keeps in the runtime directory: its status, written there when it changes, and its
// claims, which follow the configuration. The directory may be on a file system that hangs, so all
// of it is the worker's, one piece of work at a time; what is written is the newest.
#pragma once

#include "daemon/claims.h"
#include "daemon/session.h"

// config is claimed (err NULL) and the callee's, or it could not be and is NULL.
typedef void (*publisher_claimed_fn)(void *ctx, struct config *config, const struct error *err);

struct publisher {
    struct session *session;
    const char *config_file;
    struct claims *claims; // while busy they are a thread's
    publisher_claimed_fn claimed;
    void *ctx;
    char *progress; // of what takes its time; NULL: none
    char *status_file;
    uv_timer_t timer;    // runs until the status is due to be written
    uint64_t again_ms;   // it is not due before, in the loop's ms
    bool due;            // it is to be written
    struct config *next; // to be claimed, NULL: nothing
    bool busy;           // a thread writes or claims
    bool claiming;       // it claims
    bool failed;         // no status could be written, and the log has it
};

// Takes claims over. The rest is borrowed until session_close.
void publisher_open(struct publisher *publisher, struct session *session, const char *config_file,
                    struct claims *claims, publisher_claimed_fn claimed, void *ctx);

// Writes the reconciler's status soon: of a burst of changes the first at once, then the last.
void publisher_write(struct publisher *publisher);

// Claims what config, which it takes over, names, in place of what is claimed.
void publisher_claim(struct publisher *publisher, struct config *config);

// Waits for what is under way, in iterations of the loop, then gives the claims up. Before
// session_close.
void publisher_close(struct publisher *publisher);
