// A key of a kind whose other side is a script: it is observed, planned, and acted on, and what
// holds of each kind is checked.
#pragma once

#include "lib/kinds/io.h"
#include "lib/kinds/kind.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

struct play {
    const struct kind *kind;
    struct fake_transport *fake;
    struct scripted_worker *worker; // what blocks takes too long
    struct io io;
    struct input input;
    memory_t memory;
    void *current;    // of the latest observation, NULL when it failed
    unsigned ended;   // how often what was begun last was
    struct error err; // why; kind ERROR_NONE: it was done
};

// The configuration of a text, NULL when it is refused. Borrowed until the next call: most inputs
// have that of the one before, and to read it takes longer than all the rest. What would have
// files or an engine of this machine read is taken out.
const struct config *play_config(const char *text);

void play_begin(struct play *play, const struct kind *kind, struct input input);
// Observes; whether something was.
bool play_observe(struct play *play);
// Plans what was observed; the caller frees *ret.
void play_plan(struct play *play, struct plan *ret);
void play_act(struct play *play, const struct action *action);
// Answers what is under way, or cancels it, until it ends.
void play_run(struct play *play);
// An act_done_fn and a watch_done_fn with a struct play.
void play_ended(void *ctx, const struct error *err);
void play_end(struct play *play);
