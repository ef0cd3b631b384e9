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

// What a station proved, or did not. All text is static, or of an arena.
struct result {
    const char *did;     // what was proved, as far as it went; NULL: nothing
    const char *skipped; // why it could not begin; NULL: it did
    struct fault *faults;
    size_t fault_count;
};

struct doctor {
    struct session session;
    struct config *config;
    struct arena arena;    // of all that is told
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
    bool late;           // the station's deadline has passed
    bool stopping;       // no station begins any more but the last
    bool cleaning;       // that is under way
    bool aborted;        // it ends, too
    bool timed_out;
    // The request that is waited for, and what came of it.
    bool answered;
    struct error error;   // kind ERROR_NONE: it has not failed
    int exit_code;        // of a command
    const char *output;   // likewise, without secrets; never NULL
    struct answer answer; // to doctor_get
    void *current;        // of an observation
    // What else may be cut short.
    struct api *api; // NULL: nothing of that
    const struct kind *kind;
    memory_t *memory; // of kind
    struct http_client *client;
    struct http_call *call;
};

// Shares config. Returns 0, or -errno, and why is in the log.
int doctor_open(struct doctor *doctor, struct config *config, uint64_t timeout_ms);
void doctor_close(struct doctor *doctor);

// Runs a station of so many ms, unless it is too late for that.
typedef void (*station_fn)(struct doctor *doctor, const char *subject);
void doctor_run(struct doctor *doctor, struct result *result, uint64_t deadline_ms, station_fn run,
                const char *subject);

// ---- what a station says ----

#define doctor_did(doctor, ...)                                                                    \
    ((doctor)->result->did = arena_printf(&(doctor)->arena, __VA_ARGS__))
#define doctor_skip(doctor, ...)                                                                   \
    ((doctor)->result->skipped = arena_printf(&(doctor)->arena, __VA_ARGS__))
// Nothing for a fault without a cause, and for what came once the station was cut short: that is no
// evidence.
void doctor_fault(struct doctor *doctor, struct fault fault);
// A failed request, with the cure, which is static.
void doctor_fail(struct doctor *doctor, const struct error *err, const char *cure);

// Whether nobody listens at the address. Then the station is skipped: another one says so, or,
// where there is no engine, that one.
bool doctor_is_deaf(struct doctor *doctor, const struct error *err, const char *address);

// ---- what a station asks; each waits for the end ----

// Whether a request may begin: 0, or -ECANCELED with err.
int doctor_may_ask(struct doctor *doctor, struct error *err);
// Its callback is this one, or calls it; ctx is the doctor.
void doctor_answered(void *ctx, const struct error *err);
// r is what the submission returned. Returns 0, or -errno with err.
int doctor_wait(struct doctor *doctor, int r, struct error *err);

// Runs a command in a container. Returns its exit code, with doctor->output, or -errno: err then
// tells why, and where it is NULL the station fails for that.
int doctor_exec(struct doctor *doctor, const char *container, const char *const *argv,
                enum api_effect effect, struct error *err);

// Observes the key of a kind, and plans: doctor->plan has a condition for each of its resources,
// also where it could not be observed; then false is returned. A kind that leads leaves its engine
// in doctor->engine.
bool doctor_observe(struct doctor *doctor, const char *prefix, const char *name);
const struct kind *doctor_kind(const char *prefix) __attribute__((returns_nonnull));
// A fault for each resource that is not ready. Returns how many are.
size_t doctor_add_conditions(struct doctor *doctor, const struct plan *plan);

// GET below a URL without a path. The answer is doctor->answer until the next one; its error says
// that none came.
void doctor_get(struct doctor *doctor, const char *base, const char *path, const char *accept);

// "http://127.0.0.1:5002", where registry.listen is reached from here; of the arena.
const char *doctor_registry_base(struct doctor *doctor);
