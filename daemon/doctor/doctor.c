#include "daemon/doctor/doctor.h"

#include "lib/base/str.h"
#include "lib/registry/registry.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BODY_MAX (256u * 1024u)
#define HEADER_MAX 1024
#define MESSAGE_MAX (2 * ERROR_TEXT_MAX)

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

static void on_signal(uv_signal_t *handle, _unused_ int number)
{
    struct doctor *doctor = handle->data;
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

// ---- the whole ----

static void start_signal(struct doctor *doctor, uv_signal_t *handle, int number)
{
    (void)uv_signal_init(&doctor->session.loop, handle);
    handle->data = doctor;
    (void)uv_signal_start(handle, on_signal, number);
}

int doctor_open(struct doctor *doctor, struct config *config, uint64_t timeout_ms)
{
    // The session's reconciler is given nothing to do.
    const struct session_options options = {.mode = RECONCILE_OBSERVE};
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
    start_signal(doctor, &doctor->interrupt, SIGINT);
    start_signal(doctor, &doctor->terminate, SIGTERM);
    return 0;
}

void doctor_close(struct doctor *doctor)
{
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&doctor->deadline,
        (uv_handle_t *)&doctor->timeout,
        (uv_handle_t *)&doctor->interrupt,
        (uv_handle_t *)&doctor->terminate,
    };
    for (size_t i = 0; i < ELEMENTS(handles); i++) {
        uv_close(handles[i], NULL);
    }
    plan_done(&doctor->plan);
    plan_done(&doctor->engine_plan);
    engine_unref(doctor->engine);
    doctor_kind("engine")->invalidate(&doctor->session.io, &doctor->engine_memory);
    strv_done(&doctor->pulling);
    free(doctor->tag);
    free(doctor->digest);
    session_close(&doctor->session);
}

void doctor_begin(struct doctor *doctor, struct result *result, uint64_t deadline_ms)
{
    doctor->result = result;
    doctor->late = false;
    uv_update_time(&doctor->session.loop);
    (void)uv_timer_start(&doctor->deadline, on_deadline, deadline_ms, 0);
}

void doctor_end(struct doctor *doctor)
{
    struct result *result = doctor->result;
    (void)uv_timer_stop(&doctor->deadline);
    if (TAKE(doctor->late, false)) {
        doctor_fault(doctor,
                     (struct fault){"it had no end within the time that it has",
                                    "see that the machine, the engine and the nodes are not "
                                    "overloaded, and run doctor again"});
    } else if (is_cut_short(doctor) && result->fault_count == 0) {
        doctor_skip(doctor, "%s",
                    doctor->cleaning    ? "interrupted: what was pushed and pulled may be left"
                    : doctor->timed_out ? "the time was up"
                                        : "interrupted");
    }
}

// ---- what a station says ----

void doctor_did(struct doctor *doctor, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    doctor->result->did = arena_vprintf(&doctor->result->arena, format, args);
    va_end(args);
}

void doctor_skip(struct doctor *doctor, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    doctor->result->skipped = arena_vprintf(&doctor->result->arena, format, args);
    va_end(args);
}

void doctor_fault(struct doctor *doctor, struct fault fault)
{
    struct result *result = doctor->result;
    for (size_t i = 0; i < result->fault_count && fault.cause != NULL; i++) {
        fault.cause = str_equal(result->faults[i].cause, fault.cause) ? NULL : fault.cause;
    }
    if (fault.cause != NULL && !is_cut_short(doctor)) {
        *ARENA_GROW(&result->arena, result->faults, result->fault_count) = fault;
    }
}

void doctor_fail(struct doctor *doctor, const struct error *err, const char *cure)
{
    doctor_fault(doctor, (struct fault){arena_dup(&doctor->result->arena, err->text), cure});
}

bool doctor_is_deaf(struct doctor *doctor, const struct error *err, const char *address)
{
    bool deaf = err->code == ECONNREFUSED || err->code == EHOSTUNREACH;
    if (deaf) {
        doctor_skip(doctor, "needs somebody who listens at %s", address);
    }
    return deaf;
}

// ---- waiting ----

int doctor_may_ask(const struct doctor *doctor, struct error *err)
{
    return is_cut_short(doctor) ? error_set(err, ERROR_TRANSIENT, ECANCELED, "cancelled") : 0;
}

void doctor_answered(struct wait *wait, const struct error *err)
{
    wait->done = true;
    if (err != NULL) {
        *wait->err = *err;
        wait->r = -err->code;
    }
}

int doctor_wait(struct doctor *doctor, struct wait *wait, int r)
{
    while (r == 0 && !wait->done) {
        (void)uv_run(&doctor->session.loop, UV_RUN_ONCE);
    }
    return r < 0 ? r : wait->r;
}

// ---- the engine ----

struct executed {
    struct wait wait; // first
    struct doctor *doctor;
    const char *output;
};

static void on_executed(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct executed *executed = ctx;
    struct doctor *doctor = executed->doctor;
    _cleanup_free_ char *shown = secrets_hide(doctor->session.io.secrets, output);
    executed->wait.r = exit_code;
    executed->output = arena_dup(&doctor->result->arena, shown);
    doctor_answered(&executed->wait, err);
}

int doctor_exec(struct doctor *doctor, const char *container, const char *const *argv,
                enum api_effect effect, const char **ret_output, struct error *err)
{
    struct executed executed = {.wait.err = err, .doctor = doctor, .output = ""};
    struct docker *docker = doctor->session.io.docker; // that the first observation makes
    int r = docker == NULL ? error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: not connected")
                           : doctor_may_ask(doctor, err);
    r = r == 0 ? docker_exec(docker, container, argv, effect, on_executed, &executed, err) : r;
    r = doctor_wait(doctor, &executed.wait, r);
    *ret_output = executed.output == NULL ? "" : executed.output;
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

struct observed {
    struct wait wait; // first
    void *current;
};

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct observed *observed = ctx;
    observed->current = current;
    doctor_answered(&observed->wait, err);
}

static int observe(struct doctor *doctor, const struct kind *kind, memory_t *memory,
                   const struct input *input, void **ret, struct error *err)
{
    struct observed observed = {.wait.err = err};
    struct io *io = &doctor->session.io;
    io->now_ms = input->now_ms;
    int r = doctor_may_ask(doctor, err);
    r = r == 0 ? kind->observe(io, memory, input, on_observed, &observed, err) : r;
    doctor->kind = kind;
    doctor->memory = memory;
    r = doctor_wait(doctor, &observed.wait, r);
    doctor->kind = NULL;
    *ret = observed.current;
    return r;
}

// Plans what was observed, or with err could not be.
static void plan_key(struct doctor *doctor, const struct kind *kind, struct input *input,
                     const void *current, const struct error *err)
{
    if (current == NULL) {
        char message[MESSAGE_MAX];
        struct condition condition = {.ready = READY_UNKNOWN, .message = message};
        condition.reason = kind->explain(input, NULL, err, message, sizeof(message));
        kind->resources(input, &condition, &doctor->plan);
        return;
    }
    if (kind->engine_of != NULL) {
        engine_unref(doctor->engine);
        input->engine = doctor->engine = engine_ref(kind->engine_of(current));
    }
    kind->plan(input, current, &doctor->plan);
}

bool doctor_observe(struct doctor *doctor, const char *prefix, const char *name)
{
    const struct kind *kind = doctor_kind(prefix);
    struct error err = {0};
    memory_t memory = NULL; // the engine's has the client that all others use
    bool leads = kind->engine_of != NULL;
    void *current = NULL;
    struct input input = {
        .config = doctor->config,
        .engine = doctor->engine,
        .name = name,
        .desired = true,
        .now_ms = uv_now(&doctor->session.loop),
    };
    plan_done(&doctor->plan);
    doctor->plan = (struct plan){0};
    (void)observe(doctor, kind, leads ? &doctor->engine_memory : &memory, &input, &current, &err);
    plan_key(doctor, kind, &input, current, &err);
    doctor->observed = current != NULL;
    if (current != NULL) {
        kind->free_current(current);
    }
    if (!leads) {
        kind->invalidate(&doctor->session.io, &memory);
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
            doctor_fault(doctor, fault_of_condition(&doctor->result->arena, condition));
        }
    }
    return ready;
}

// ---- HTTP ----

struct got {
    struct wait wait; // first; its error is the answer's
    struct doctor *doctor;
    struct answer *answer;
};

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
    struct got *got = ctx;
    struct arena *arena = &got->doctor->result->arena;
    got->doctor->call = NULL;
    doctor_answered(&got->wait, err);
    if (err != NULL) {
        return;
    }
    *got->answer = (struct answer){
        .status = response->status,
        .has_api = header(arena, response, "Docker-Distribution-Api-Version") != NULL,
        .server = header(arena, response, "Server"),
        .location = header(arena, response, "Location"),
    };
}

void doctor_get(struct doctor *doctor, const char *base, const char *path, const char *accept,
                struct answer *ret)
{
    struct http_transport *transport = doctor->session.io.transport;
    const struct http_endpoint endpoint = {.base = base};
    struct got got = {.wait.err = &ret->error, .doctor = doctor, .answer = ret};
    const struct http_request request = {
        .method = HTTP_GET,
        .path = path,
        .accept = accept,
        .timeout_ms = doctor->config->reconcile.timeout_ms,
        .max_body = BODY_MAX,
        .done = on_got,
        .ctx = &got,
    };
    *ret = (struct answer){0};
    int r = doctor_may_ask(doctor, &ret->error);
    r = r == 0 ? transport->client_new(transport, &endpoint, &doctor->client, &ret->error) : r;
    r = r == 0 ? http_send(doctor->client, &request, &doctor->call, &ret->error) : r;
    (void)doctor_wait(doctor, &got.wait, r);
    http_client_free(TAKE_PTR(doctor->client));
}

int doctor_open_api(struct doctor *doctor, const char *base, struct error *err)
{
    const struct io *io = &doctor->session.io;
    int r = doctor_may_ask(doctor, err);
    return r == 0 ? registry_new(io->transport, base, doctor->config->reconcile.timeout_ms,
                                 io->secrets, &doctor->api, err)
                  : r;
}

void doctor_close_api(struct doctor *doctor)
{
    if (doctor->api != NULL) {
        api_free(TAKE_PTR(doctor->api));
    }
}

const char *doctor_registry_base(struct doctor *doctor)
{
    const struct config_registry *registry = &doctor->config->registry;
    char host[ENGINE_HOST_SIZE];
    engine_published_host(doctor->engine == NULL ? "" : doctor->engine->about.host,
                          registry->listen_address, host, sizeof(host));
    return arena_printf(&doctor->result->arena, "http://%s:%u", host, registry->listen_port);
}
