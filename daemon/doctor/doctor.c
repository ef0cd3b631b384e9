#include "daemon/doctor/doctor.h"

#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BODY_MAX (256u * 1024u)
#define HEADER_MAX 1024
#define MESSAGE_MAX (2 * ERROR_TEXT_MAX)

// What is begun by an answer that came at the same moment ends a little later.
#define CUT_AGAIN_MS 100

// ---- ending what is under way ----

static void cut(struct doctor *doctor, enum api_effect from)
{
    struct io *io = &doctor->session.io;
    if (doctor->kind != NULL) {
        doctor->kind->cancel(io, *doctor->memory, from == API_CHANGES);
    }
    if (io->docker != NULL) {
        docker_cancel(io->docker, from);
    }
    if (doctor->api != NULL) {
        api_cancel(doctor->api, from);
    }
    http_cancel(doctor->client, doctor->call);
    work_cancel(io->worker);
}

static void on_deadline(uv_timer_t *timer)
{
    struct doctor *doctor = timer->data;
    doctor->late = true;
    cut(doctor, API_CHANGES);
}

static void stop(struct doctor *doctor)
{
    doctor->aborted = doctor->stopping;
    doctor->stopping = true;
    if (!doctor->cleaning || doctor->aborted) {
        cut(doctor, doctor->aborted ? API_CHANGES : API_READS);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    struct doctor *doctor = timer->data;
    if (!doctor->stopping && !doctor->cleaning) {
        doctor->timed_out = true;
        stop(doctor);
    }
}

static void on_signal(void *ctx, _unused_ int number)
{
    struct doctor *doctor = ctx;
    if (!doctor->stopping) {
        (void)fputs("stopping, and taking back what was pushed and pulled; once more stops at "
                    "once\n",
                    stderr);
    }
    stop(doctor);
}

static bool is_cut_short(const struct doctor *doctor)
{
    return doctor->late || doctor->aborted || (doctor->stopping && !doctor->cleaning);
}

static void add_fault(struct doctor *doctor, struct fault fault)
{
    struct result *result = doctor->result;
    *ARENA_GROW(&doctor->arena, result->faults, result->fault_count) = fault;
}

// ---- the whole ----

int doctor_open(struct doctor *doctor, struct config *config, uint64_t timeout_ms)
{
    // The session's reconciler is given nothing to do.
    const struct session_options options = {.mode = RECONCILE_OBSERVE,
                                            .events.ctx = doctor,
                                            .signals = session_stop_signals,
                                            .signal = on_signal};
    *doctor = (struct doctor){.config = config};
    int r = session_open(&doctor->session, config, &options);
    if (r < 0) {
        return r;
    }
    doctor->tag = str_printf("%jx-%x", (uintmax_t)time(NULL), (unsigned)getpid());
    (void)uv_timer_init(&doctor->session.loop, &doctor->deadline);
    (void)uv_timer_init(&doctor->session.loop, &doctor->timeout);
    doctor->deadline.data = doctor->timeout.data = doctor;
    (void)uv_timer_start(&doctor->timeout, on_timeout, timeout_ms, 0);
    return 0;
}

void doctor_close(struct doctor *doctor)
{
    uv_close((uv_handle_t *)&doctor->deadline, NULL);
    uv_close((uv_handle_t *)&doctor->timeout, NULL);
    plan_done(&doctor->plan);
    plan_done(&doctor->engine_plan);
    engine_unref(doctor->engine);
    doctor_kind("engine")->invalidate(&doctor->session.io, &doctor->engine_memory);
    strv_done(&doctor->pulling);
    free(doctor->tag);
    free(doctor->digest);
    arena_done(&doctor->arena);
    session_close(&doctor->session);
}

void doctor_run(struct doctor *doctor, struct result *result, uint64_t deadline_ms, station_fn run,
                const char *subject)
{
    doctor->result = result;
    doctor->late = false;
    uv_update_time(&doctor->session.loop);
    (void)uv_timer_start(&doctor->deadline, on_deadline, deadline_ms, CUT_AGAIN_MS);
    if (doctor->cleaning || !doctor->stopping) {
        run(doctor, subject);
    }
    (void)uv_timer_stop(&doctor->deadline);
    if (doctor->late) {
        const char *left = doctor->cleaning ? ", and what was pushed and pulled may be left" : "";
        add_fault(doctor,
                  (struct fault){arena_printf(&doctor->arena, "no answer within %" PRIu64 " s%s",
                                              deadline_ms / 1000, left),
                                 "see that the machine is not overloaded, and that the engine and "
                                 "its containers answer "
                                 "(`docker exec NODE true`); then run doctor again"});
    } else if (is_cut_short(doctor) && result->fault_count == 0) {
        result->skipped = doctor->cleaning ? "interrupted: what was pushed and pulled may be left"
                          : doctor->timed_out ? "the time was up"
                                              : "interrupted";
    }
}

// ---- what a station says ----

void doctor_fault(struct doctor *doctor, struct fault fault)
{
    const struct result *result = doctor->result;
    for (size_t i = 0; i < result->fault_count && fault.cause != NULL; i++) {
        fault.cause = str_equal(result->faults[i].cause, fault.cause) ? NULL : fault.cause;
    }
    if (fault.cause != NULL && !is_cut_short(doctor)) {
        add_fault(doctor, fault);
    }
}

void doctor_fail(struct doctor *doctor, const struct error *err, const char *cure)
{
    doctor_fault(doctor, (struct fault){arena_dup(&doctor->arena, err->text), cure});
}

bool doctor_is_deaf(struct doctor *doctor, const struct error *err, const char *address)
{
    bool deaf = err->code == ECONNREFUSED || err->code == EHOSTUNREACH;
    if (deaf && doctor->engine == NULL) {
        doctor_skip(doctor, "needs the engine");
    } else if (deaf) {
        doctor_skip(doctor, "needs somebody who listens at %s", address);
    }
    return deaf;
}

// ---- waiting ----

int doctor_may_ask(struct doctor *doctor, struct error *err)
{
    doctor->answered = false;
    doctor->error = (struct error){0};
    return is_cut_short(doctor) ? error_set(err, ERROR_TRANSIENT, ECANCELED, "cancelled") : 0;
}

void doctor_answered(void *ctx, const struct error *err)
{
    struct doctor *doctor = ctx;
    doctor->answered = true;
    doctor->error = err == NULL ? doctor->error : *err;
}

int doctor_wait(struct doctor *doctor, int r, struct error *err)
{
    while (r == 0 && !doctor->answered) {
        (void)uv_run(&doctor->session.loop, UV_RUN_ONCE);
    }
    if (r == 0 && doctor->error.kind != ERROR_NONE) {
        *err = doctor->error;
        r = -err->code;
    }
    return r;
}

// ---- the engine ----

static void on_executed(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct doctor *doctor = ctx;
    _cleanup_free_ char *shown = secrets_hide(doctor->session.io.secrets, output);
    doctor->exit_code = exit_code;
    doctor->output = arena_dup(&doctor->arena, shown == NULL ? "" : shown);
    doctor_answered(doctor, err);
}

int doctor_exec(struct doctor *doctor, const char *container, const char *const *argv,
                enum api_effect effect, struct error *err)
{
    struct docker *docker = doctor->session.io.docker; // the observation of the engine made it
    struct error error = {0};
    doctor->output = "";
    int r = doctor_may_ask(doctor, &error);
    r = r == 0 ? docker_exec(docker, container, argv, effect, on_executed, doctor, &error) : r;
    r = doctor_wait(doctor, r, &error);
    if (r == 0) {
        return doctor->exit_code;
    }
    engine_name_ids(doctor->engine, &error);
    if (err != NULL) {
        *err = error;
    } else {
        doctor_fail(doctor, &error, "see the engine's own log");
    }
    return r;
}

// ---- the kinds ----

const struct kind *doctor_kind(const char *prefix)
{
    size_t i = 0;
    while (!str_equal(kinds.kinds[i]->prefix, prefix)) {
        i++;
        assert(i < kinds.count);
    }
    return kinds.kinds[i];
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct doctor *doctor = ctx;
    doctor->current = current;
    doctor_answered(doctor, err);
}

// Plans what was observed, or with err could not be.
static void plan_key(struct doctor *doctor, const struct kind *kind, struct input *input,
                     const struct error *err)
{
    if (!doctor->observed) {
        char message[MESSAGE_MAX];
        struct condition condition = {.ready = READY_UNKNOWN, .message = message};
        condition.reason = kind->explain(input, NULL, err, message, sizeof(message));
        kind->resources(input, &condition, &doctor->plan);
        return;
    }
    if (kind->engine_of != NULL) {
        engine_unref(doctor->engine);
        input->engine = doctor->engine = engine_ref(kind->engine_of(*doctor->memory));
    }
    kind->plan(input, doctor->current, &doctor->plan);
    kind->free_current(doctor->current);
}

bool doctor_observe(struct doctor *doctor, const char *prefix, const char *name)
{
    const struct kind *kind = doctor_kind(prefix);
    struct io *io = &doctor->session.io;
    struct error err = {0};
    memory_t memory = NULL; // the engine's has the client that all others use
    bool leads = kind->engine_of != NULL;
    struct input input = {
        .config = doctor->config,
        .engine = doctor->engine,
        .name = name,
        .desired = true,
        .now_ms = uv_now(&doctor->session.loop),
    };
    plan_done(&doctor->plan);
    doctor->kind = kind;
    doctor->memory = leads ? &doctor->engine_memory : &memory;
    io->now_ms = input.now_ms;
    int r = doctor_may_ask(doctor, &err);
    r = r == 0 ? kind->observe(io, doctor->memory, &input, on_observed, doctor, &err) : r;
    doctor->observed = doctor_wait(doctor, r, &err) == 0;
    doctor->kind = NULL;
    engine_name_ids(doctor->engine, &err);
    plan_key(doctor, kind, &input, &err);
    if (!leads) {
        kind->invalidate(io, &memory);
    }
    return doctor->observed;
}

size_t doctor_add_conditions(struct doctor *doctor, const struct plan *plan)
{
    size_t ready = 0;
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        if (condition->ready == READY_TRUE) {
            ready++;
        } else {
            doctor_fault(doctor, fault_of_condition(&doctor->arena, condition));
        }
    }
    return ready;
}

// ---- HTTP ----

// NULL when there is none.
static const char *header(struct arena *arena, const struct http_response *response,
                          const char *name)
{
    char value[HEADER_MAX];
    char text[HEADER_MAX];
    if (!http_response_header(response, name, value, sizeof(value))) {
        return NULL;
    }
    str_excerpt(value, text, sizeof(text));
    return arena_dup(arena, text);
}

static void on_got(void *ctx, struct http_response *response, const struct error *err)
{
    struct doctor *doctor = ctx;
    struct arena *arena = &doctor->arena;
    doctor->call = NULL;
    doctor_answered(doctor, err);
    if (err == NULL) {
        doctor->answer = (struct answer){
            .status = response->status,
            .has_api = header(arena, response, "Docker-Distribution-Api-Version") != NULL,
            .server = header(arena, response, "Server"),
            .location = header(arena, response, "Location"),
        };
    }
}

void doctor_get(struct doctor *doctor, const char *base, const char *path, const char *accept)
{
    struct http_transport *transport = doctor->session.io.transport;
    const struct http_endpoint endpoint = {.base = base};
    const struct http_request request = {
        .method = HTTP_GET,
        .path = path,
        .accept = accept,
        .timeout_ms = doctor->config->reconcile.timeout_ms,
        .max_body = BODY_MAX,
        .done = on_got,
        .ctx = doctor,
    };
    struct error *err = &doctor->answer.error;
    doctor->answer = (struct answer){0};
    int r = doctor_may_ask(doctor, err);
    r = r == 0 ? transport->client_new(transport, &endpoint, &doctor->client, err) : r;
    r = r == 0 ? http_send(doctor->client, &request, &doctor->call, err) : r;
    (void)doctor_wait(doctor, r, err);
    http_client_free(TAKE_PTR(doctor->client));
}

const char *doctor_registry_base(struct doctor *doctor)
{
    const struct config_registry *registry = &doctor->config->registry;
    char host[ENGINE_HOST_SIZE];
    engine_published_host(doctor->engine == NULL ? "" : doctor->engine->about.host,
                          registry->listen_address, host, sizeof(host));
    return arena_printf(&doctor->arena, "http://%s:%u", host, registry->listen_port);
}
