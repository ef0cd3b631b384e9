// The whole program without sockets, for a driver outside (tests/sim/run, by ctypes): requests are
// queued and answered from there, blocking work runs at once, the clock is set.
// Nothing happens but in these calls, and with the same calls the same happens.
#pragma once

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
// Valid until the next call.
struct sim_request {
    uint64_t id;
    const char *endpoint; // path of a unix socket, or a base: "https://127.0.0.1:6443"
    const char *method;
    const char *path;   // query included
    const char *accept; // NULL for none
    const char *content_type;
    const char *body;
    size_t body_length;
    uint64_t timeout_ms; // 0: none
    bool is_stream;      // what is sent back goes to the program as it comes
};

// What must not grow.
struct sim_counts {
    size_t clients;
    size_t calls; // under way
};

// The next request that was sent since; false: there is none.
bool sim_next(struct sim *sim, struct sim_request *ret);
// Answers a request; of a stream the body is all of it. Each of these three returns false, and does
// nothing, where the request is no longer under way.
bool sim_answer(struct sim *sim, uint64_t id, int status, const char *headers, const char *body,
                size_t length);
// A piece of the body of a stream, whose status then is 200.
bool sim_chunk(struct sim *sim, uint64_t id, const char *data, size_t length);
// The end of a stream's body with code 0, else the end of the request with this errno.
bool sim_end(struct sim *sim, uint64_t id, int code);
void sim_count(const struct sim *sim, struct sim_counts *ret);

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
