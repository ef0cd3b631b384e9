// One way through everything, station by station: each asks, waits in the loop for the answer, and
// goes on. Signals and deadlines end the waiting, so that a station reads from top to bottom.
//
// At the first signal, or when the time is up, what only reads ends at once. What changes something
// is waited for, and then taken back by the last station; a second signal ends that, too.
#pragma once

#include "daemon/doctor/http_fault.h"
#include "daemon/session.h"
#include "lib/api/api.h"
#include "lib/base/strv.h"

// What a station proved, or did not. All text is of its arena, or static.
struct result {
    struct arena arena;
    const char *did;     // what was proved, as far as it went; NULL: nothing
    const char *skipped; // why it could not begin; NULL: it did
    struct fault *faults;
    size_t fault_count;
};

struct doctor {
    struct session session;
    struct config *config;
    struct result *result; // of the station under way

    // What stations tell those behind them.
    struct engine *engine; // NULL: it could not be observed
    memory_t engine_memory;
    struct plan engine_plan;
    bool registry_answers;
    char *tag;        // of the image, another in each run
    char *digest;     // of its manifest; NULL: it was not pushed
    struct plan plan; // of the latest observation
    bool observed;    // whether that came
    // What is to be taken back.
    bool pushing;        // there may be something in the registry
    struct strv pulling; // nodes, each before the first pull in it

    uv_timer_t deadline; // of the station
    uv_timer_t timeout;  // of all of them
    uv_signal_t interrupt;
    uv_signal_t terminate;
    bool late;     // the station's deadline has passed
    bool stopping; // no station begins any more but the last
    bool cleaning; // that is under way
    bool aborted;  // it ends, too
    bool timed_out;
    // What may be under way.
    struct api *api; // NULL: nothing of that
    const struct kind *kind;
    memory_t *memory; // of kind
    struct http_client *client;
    struct http_call *call;
};

// Shares config. Returns 0, or -errno, and why is in the log.
int doctor_open(struct doctor *doctor, struct config *config, uint64_t timeout_ms);
void doctor_close(struct doctor *doctor);

// Begins and ends a station of so many ms; between them stands its function.
void doctor_begin(struct doctor *doctor, struct result *result, uint64_t deadline_ms);
void doctor_end(struct doctor *doctor);

// ---- what a station says ----

void doctor_did(struct doctor *doctor, const char *format, ...) _printf_(2, 3);
void doctor_skip(struct doctor *doctor, const char *format, ...) _printf_(2, 3);
// Nothing for a fault without a cause, and for what came once the station was cut short: that is no
// evidence.
void doctor_fault(struct doctor *doctor, struct fault fault);
// A failed request, with the cure, which is static.
void doctor_fail(struct doctor *doctor, const struct error *err, const char *cure);

// Whether nobody listens at the address; the station that says so is another, and this is skipped.
bool doctor_is_deaf(struct doctor *doctor, const struct error *err, const char *address);

// ---- what a station asks; each waits for the end ----

// One request that is waited for. Its callback calls doctor_answered.
struct wait {
    bool done;
    int r;
    struct error *err; // where a failure goes
};
void doctor_answered(struct wait *wait, const struct error *err);
// r is what the submission returned. Returns that or wait->r, 0 or -errno.
int doctor_wait(struct doctor *doctor, struct wait *wait, int r);
// Whether a request may begin: 0, or -ECANCELED with err.
int doctor_may_ask(const struct doctor *doctor, struct error *err);

// Runs a command in a container. Returns its exit code, with *ret_output (of the result's arena),
// or -errno.
int doctor_exec(struct doctor *doctor, const char *container, const char *const *argv,
                enum api_effect effect, const char **ret_output, struct error *err);

// Observes the key of a kind, and plans: doctor->plan has a condition for each of its resources,
// also where it could not be observed; then false is returned. A kind that leads leaves its engine
// in doctor->engine.
bool doctor_observe(struct doctor *doctor, const char *prefix, const char *name);
const struct kind *doctor_kind(const char *prefix) __attribute__((returns_nonnull));
// A fault for each resource that is not ready. Returns how many are.
size_t doctor_add_conditions(struct doctor *doctor, const struct plan *plan);

// GET below a URL without a path; ret->error says that no answer came.
void doctor_get(struct doctor *doctor, const char *base, const char *path, const char *accept,
                struct answer *ret);

// Sets doctor->api to a client for the registry below a URL without a path. Returns 0 or -errno.
int doctor_open_api(struct doctor *doctor, const char *base, struct error *err);
void doctor_close_api(struct doctor *doctor); // NULL is fine

// "http://127.0.0.1:5002", where registry.listen is reached from here; of the result's arena.
const char *doctor_registry_base(struct doctor *doctor);
