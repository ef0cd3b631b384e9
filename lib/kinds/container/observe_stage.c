// What the key keeps from observation to observation, and how an observation goes from stage to
// stage.
#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <sys/param.h>

#define ASK_TIMEOUT_MS 2000u // of a registry that is asked whether it is there
#define BODY_BYTES_MAX (64u * 1024u)

// ---- what is kept ----

struct container_memory *memory_take(memory_t *memory)
{
    if (*memory == NULL) {
        *memory = xcalloc(1, sizeof(struct container_memory));
        ((struct container_memory *)*memory)->refs = 1;
    }
    struct container_memory *taken = *memory;
    taken->refs++;
    return taken;
}

void memory_unref(struct container_memory *memory)
{
    if (--memory->refs > 0) {
        return;
    }
    for (size_t i = 0; i < memory->part_count; i++) {
        struct part *part = &memory->parts[i];
        free(part->start);
        free(part->upstream_fault);
    }
    free(memory->parts);
    strmap_done(&memory->created);
    free(memory->kept_policy);
    docker_place_done(&memory->place);
    json_decref(memory->info);
    engine_unref(memory->engine);
    free(memory);
}

// ---- from stage to stage ----

static void note_error(struct observation *o, const struct error *err)
{
    if (err != NULL && o->error.kind == ERROR_NONE) {
        o->error = *err;
    }
}

void observe_submitted(struct observation *o, int r)
{
    if (r < 0) {
        note_error(o, &o->refused);
    } else {
        o->pending++;
    }
}

void observe_engine(struct observation *o, enum docker_op op, const char *name, docker_done_fn done,
                    void *ctx)
{
    observe_submitted(o, docker_ask(o->io->docker, op, name, NULL, NULL, done, ctx, &o->refused));
}

void observe_send(struct part *part, struct asked *asked, struct http_request request)
{
    struct observation *o = part->observation;
    uint64_t timeout_ms = o->input->config->reconcile.timeout_ms;
    request.timeout_ms = MIN(request.timeout_ms, timeout_ms);
    request.max_body = BODY_BYTES_MAX;
    request.ctx = part;
    observe_submitted(o, http_send(asked->client, &request, &asked->call, &o->refused));
}

void observe_ask(struct part *part, struct asked *asked, const char *base, http_done_fn done)
{
    struct observation *o = part->observation;
    struct http_transport *transport = o->io->transport;
    const struct http_endpoint endpoint = {.base = base};
    const struct http_request request = {
        .path = "/v2/", .timeout_ms = ASK_TIMEOUT_MS, .done = done};
    if (transport->client_new(transport, &endpoint, &asked->client, &o->refused) < 0) {
        note_error(o, &o->refused);
    } else {
        observe_send(part, asked, request);
    }
}

const struct error *observe_own(const struct error *err)
{
    return err != NULL && error_is_own(err) ? err : NULL;
}

void observe_work(struct observation *o, const struct work *work, void *block)
{
    struct work timed = *work;
    timed.timeout_ms = o->input->config->reconcile.timeout_ms;
    o->pending++;
    o->works++;
    work_submit(o->io->worker, &timed, block);
}

void observe_advance(struct observation *o)
{
    while (o->pending == 0 && o->error.kind == ERROR_NONE && *o->stage != NULL) {
        (*o->stage++)(o);
    }
}

void observation_free(struct observation *o)
{
    // A connection, with what curl needs for its like, is more than a few requests are worth.
    for (size_t i = 0; i < o->memory->part_count; i++) {
        http_client_free(TAKE_PTR(o->memory->parts[i].own.client));
        http_client_free(TAKE_PTR(o->memory->parts[i].upstream.client));
    }
    current_free(o->current);
    memory_unref(o->memory);
    free(o);
}

void observe_join(struct observation *o, const struct error *err)
{
    struct container_memory *memory = o->memory;
    note_error(o, err);
    o->pending--;
    observe_advance(o);
    if (o->pending > 0) {
        return;
    }
    memory->observation = NULL;
    if (o->error.kind == ERROR_NONE) {
        current_add_undeclared(o->current, o->input->config);
        o->done(o->ctx, TAKE_PTR(o->current), NULL);
    } else {
        o->done(o->ctx, NULL, &o->error);
    }
    observation_free(o);
}

bool observe_is_local(const struct observation *o)
{
    return str_starts_with(o->memory->place.host, "unix://");
}
