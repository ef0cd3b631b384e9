// The kind "container" over a scripted engine: what an observation asks, in order, takes the
// answers in the order in which they were given.
#pragma once

#include "lib/kinds/container/container.h"
#include "lib/kinds/container/observe.h"
#include "lib/kinds/container/planner.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

struct container_rig {
    struct config *config;
    char directory[64]; // the storage of the configuration, removed at the end
    struct fake_transport *fake;
    struct scripted_worker *worker;
    struct secrets *secrets;
    struct io io;
    struct input input;
    memory_t memory;
    struct current *current; // of the latest observation: empty at first, NULL when it failed
    unsigned ended;          // how often the latest observation or action was
    struct error error;      // why
    // Events.
    char dirty[256]; // keys, each followed by a space
    struct error watch_error;
    unsigned watched; // streams that ended
    char progress[256];
};

// For cmocka: *state is a struct container_rig.
int container_rig_begin(void **state);
int container_rig_end(void **state);

// Another configuration, with the rig's storage. Before anything is observed.
void container_rig_configure(struct container_rig *rig, const char *text);

// Answers for what is asked next: "STATUS BODY", or the name of a file below tests/fixtures; "ping"
// for the API version and what the engine is. With ' for ".
void container_rig_answer(struct container_rig *rig, const char *answer);
// All of them.
#define ANSWER(rig, ...)                                                                           \
    do {                                                                                           \
        const char *const answers_[] = {__VA_ARGS__};                                              \
        for (size_t i_ = 0; i_ < ELEMENTS(answers_); i_++) {                                       \
            container_rig_answer(rig, answers_[i_]);                                               \
        }                                                                                          \
    } while (0)

// Begins an observation, which has to be accepted.
void container_rig_begin_observation(struct container_rig *rig);
// Answers everything that is asked, as far as there are answers.
void container_rig_run(struct container_rig *rig);
// Both, to its end.
void container_rig_observe(struct container_rig *rig);

// Begins the action; whether it was accepted.
bool container_rig_begin_action(struct container_rig *rig, const struct action *action);
// Carries it out with the answers there are; whether it was done without an error.
bool container_rig_act(struct container_rig *rig, const struct action *action);
