// The whole program without sockets, for a driver outside (tests/sim/run, by ctypes): requests are
// queued and answered from there (transport.h), blocking work runs at once, the clock is set.
// Nothing happens but in these calls, and with the same calls the same happens.
#pragma once

#include "tests/sim/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

enum sim_mode {
    SIM_RUN,
    SIM_APPLY,
    SIM_PLAN,
    SIM_TEARDOWN,
};

// With the configuration as YAML; the clock is at now_ms (monotonic) and now_s (Unix). NULL, with a
// line in error, for a configuration that is wrong.
struct sim *sim_new(const char *yaml, enum sim_mode mode, uint64_t now_ms, int64_t now_s,
                    char *error, size_t error_size);
// What is under way ends with ECANCELED. NULL is fine.
void sim_free(struct sim *sim);
// Belongs to sim.
struct sim_transport *sim_requests(struct sim *sim);

// Sets the clock, does what is due by then, and ends what was cancelled.
void sim_advance(struct sim *sim, uint64_t now_ms, int64_t now_s);
// In ms of the clock; UINT64_MAX: nothing is scheduled.
uint64_t sim_next_due(const struct sim *sim);

// As SIGHUP does it; false, with a line in error, for a configuration that is wrong.
bool sim_reload(struct sim *sim, const char *yaml, char *error, size_t error_size);
// As SIGUSR1 does it.
void sim_trigger(struct sim *sim);
// In the modes but SIM_RUN: nothing is left to be done.
bool sim_is_done(const struct sim *sim);

// As in status.json; the caller frees it with sim_text_free.
char *sim_status_json(struct sim *sim);
void sim_text_free(char *text);
