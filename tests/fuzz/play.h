// The real backend on a scripted transport. The first part of the input is the configuration
// (empty: the default one), in whose comments words choose the circumstances; the others are the
// answers of the engine and of the API server (tests/fuzz/script.h).
#pragma once

#include "lib/backend/backend.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_transport.h"

#define PLAY_NOW_S 1795386200 // when every observation is made: 2026-11-22T22:23:20Z
#define PLAY_CLUSTER "dev"    // of play_meet_cluster, likewise the node
#define PLAY_NODE "dev-control-plane"

struct play {
    char *setting;               // the first part
    const struct config *config; // borrowed until the next play begins
    const char *answers;         // the other parts
    size_t answers_length;
    struct fake_transport *fake;
    struct backend *backend;
    struct plan_input input;
    struct world_engine *engine; // what input.engine points at
    struct observation observation;
    struct error error; // of the last operation
    unsigned ended;     // how often its callback ran
};

// Returns false for a configuration that is refused: then there is nothing to end.
bool play_begin(struct play *play, const uint8_t *data, size_t size);
void play_end(struct play *play);

// Whether a word is in the first part.
bool play_says(const struct play *play, const char *word);

// Makes the input's answers those of the requests from now on.
void play_answers(struct play *play);

// Observes with the answers there are, the rest fails. Checks the error if there is one, and the
// conditions that it leads to. Returns whether there is an observation.
bool play_observe(struct play *play, const char *key);

// Observes an engine that has a control plane of the cluster, with its API published, and the
// registry, and makes it the input's engine. Takes no answer of the input.
void play_meet_engine(struct play *play);
// As play_meet_engine, and the client of the cluster gets its credentials.
void play_meet_cluster(struct play *play);

// Executes the action with the answers there are, the rest fails. Checks the requests, the error if
// there is one, and the words that it leads to.
void play_act(struct play *play, const struct action *action);

// Answers everything that is under way, or cancels it.
void play_run(struct play *play);
// Notes the end of an operation.
void play_note_end(struct play *play, const struct error *err);
