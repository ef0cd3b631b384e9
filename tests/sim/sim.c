// The reconciler over a transport that is answered from outside.
#include "tests/sim/sim.h"

#include "lib/base/alloc.h"
#include "lib/kinds/io.h"
#include "lib/reconcile/reconciler.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONFIG_FILE "/sim/registryd.yaml" // what relative paths are relative to; nobody reads it
#define MS_PER_S 1000
#define STATUS_BYTES_MAX (64u * 1024u * 1024u)

struct sim {
    struct scripted_worker *worker; // its work is done when the program goes on
    struct fake_transport *fake;
    struct io io;
    struct reconciler *reconciler;
};

// The program's own clock, in the place of the system's (-Wl,--wrap).
static uint64_t clock_ms;
static int64_t clock_s;

time_t __wrap_time(time_t *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

time_t __wrap_time(time_t *ret)
{
    if (ret != NULL) {
        *ret = (time_t)clock_s;
    }
    return (time_t)clock_s;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    *ret = (struct timespec){
        .tv_sec = (time_t)(clock == CLOCK_REALTIME ? clock_s : (int64_t)(clock_ms / MS_PER_S)),
        .tv_nsec = (long)(clock_ms % MS_PER_S) * 1000000,
    };
    return 0;
}

// Ends what blocking work there is, or one request that was cancelled; false: there is none.
static bool settle(struct sim *sim)
{
    return scripted_worker_run(sim->worker) > 0 || fake_transport_advance(sim->fake);
}

static const char *no_variable(_unused_ void *ctx, const char *name)
{
    return strcmp(name, "HOME") == 0 ? "/sim" : NULL;
}

static struct config *parse(const char *yaml, char *error, size_t error_size)
{
    const struct config_environment environment = {.get = no_variable};
    struct problems problems = {0};
    struct config *config = NULL;
    if (config_parse(yaml, strlen(yaml), CONFIG_FILE, &environment, &config, &problems) < 0) {
        (void)snprintf(error, error_size, "%s: %s", problems.items[0].path, problems.items[0].text);
        problems_done(&problems);
        return NULL;
    }
    problems_done(&problems);
    return config;
}

struct sim *sim_new(const char *yaml, enum sim_mode mode, uint64_t now_ms, int64_t now_s,
                    char *error, size_t error_size)
{
    static const enum reconcile_mode modes[] = {
        [SIM_RUN] = RECONCILE_KEEP,
        [SIM_APPLY] = RECONCILE_ONCE,
        [SIM_PLAN] = RECONCILE_OBSERVE,
        [SIM_TEARDOWN] = RECONCILE_TEARDOWN,
    };
    clock_ms = now_ms;
    clock_s = now_s;
    struct config *config = parse(yaml, error, error_size);
    if (config == NULL) {
        return NULL;
    }
    const struct reconciler_events events = {0};
    struct sim *sim = xcalloc(1, sizeof(*sim));
    sim->worker = scripted_worker_new();
    sim->fake = fake_transport_new();
    fake_transport_forget(sim->fake);
    sim->io = (struct io){.transport = fake_transport_http(sim->fake),
                          .worker = &sim->worker->base,
                          .secrets = secrets_new()};
    sim->reconciler = reconciler_new(&sim->io, &kinds, config, modes[mode], &events);
    reconciler_trigger(sim->reconciler);
    return sim;
}

void sim_free(struct sim *sim)
{
    if (sim == NULL) {
        return;
    }
    reconciler_stop(sim->reconciler);
    reconciler_abort(sim->reconciler);
    while (!reconciler_is_idle(sim->reconciler)) {
        (void)settle(sim);
        reconciler_advance(sim->reconciler, clock_ms, clock_s);
    }
    reconciler_free(sim->reconciler);
    while (settle(sim)) {
    }
    secrets_free(sim->io.secrets);
    scripted_worker_free(sim->worker);
    fake_transport_free(sim->fake);
    free(sim);
}

bool sim_next(struct sim *sim, struct sim_request *ret)
{
    const struct fake_request *request = fake_transport_next(sim->fake);
    if (request == NULL) {
        return false;
    }
    const struct fake_endpoint *at = fake_transport_endpoint(sim->fake, request->endpoint);
    *ret = (struct sim_request){
        .id = request->id,
        .endpoint = at->unix_socket != NULL ? at->unix_socket : at->base,
        .method = http_method_name(request->method),
        .path = request->path,
        .accept = request->accept,
        .content_type = request->content_type,
        .body = request->body,
        .body_length = request->body_length,
        .timeout_ms = request->timeout_ms,
        .is_stream = request->streamed,
    };
    return true;
}

bool sim_answer(struct sim *sim, uint64_t id, int status, const char *headers, const char *body,
                size_t length)
{
    const struct fake_answer answer = {
        .status = status, .headers = headers, .body = body, .length = length};
    return fake_transport_answer_now(sim->fake, id, &answer);
}

bool sim_chunk(struct sim *sim, uint64_t id, const char *data, size_t length)
{
    return fake_transport_push(sim->fake, id, data, length);
}

bool sim_end(struct sim *sim, uint64_t id, int code)
{
    struct fake_answer answer = {.status = code == 0 ? 200 : 0, .headers = ""};
    if (code != 0) {
        (void)error_set(&answer.error, ERROR_TRANSIENT, code, "%s", strerror(code));
    }
    return fake_transport_answer_now(sim->fake, id, &answer);
}

void sim_count(const struct sim *sim, struct sim_counts *ret)
{
    *ret = (struct sim_counts){.clients = fake_transport_clients(sim->fake),
                               .calls = fake_transport_under_way(sim->fake)};
}

void sim_advance(struct sim *sim, uint64_t now_ms, int64_t now_s)
{
    clock_ms = now_ms;
    clock_s = now_s;
    sim->io.now_ms = now_ms;
    while (settle(sim)) {
    }
    if (reconciler_next_due(sim->reconciler) <= now_ms) {
        reconciler_advance(sim->reconciler, now_ms, now_s);
    }
}

uint64_t sim_next_due(const struct sim *sim)
{
    bool is_due = sim->worker->count > 0 || fake_transport_is_due(sim->fake);
    return is_due ? clock_ms : reconciler_next_due(sim->reconciler);
}

bool sim_reload(struct sim *sim, const char *yaml, char *error, size_t error_size)
{
    struct config *config = parse(yaml, error, error_size);
    if (config == NULL) {
        return false;
    }
    reconciler_reload(sim->reconciler, config);
    return true;
}

void sim_trigger(struct sim *sim)
{
    reconciler_trigger(sim->reconciler);
}

bool sim_is_done(const struct sim *sim)
{
    return reconciler_is_settled(sim->reconciler);
}

char *sim_status_json(struct sim *sim)
{
    struct buf text = BUF_INIT(STATUS_BYTES_MAX);
    (void)status_print_json(reconciler_status(sim->reconciler), 1, CONFIG_FILE, NULL, &text);
    return buf_take(&text);
}

void sim_text_free(char *text)
{
    free(text);
}
