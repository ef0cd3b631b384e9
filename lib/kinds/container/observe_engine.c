// Where the engine is, and what it is.
#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/docker/docker_access.h"
#include "lib/kinds/hints.h"

#include <errno.h>
#include <string.h>

#define PEM_BYTES_MAX (256u * 1024u)
#define UNIX_SCHEME "unix://"

enum { TLS_CA, TLS_CERT, TLS_KEY, TLS_FILES };

// Where the engine is, and the files that it takes to be let in.
struct find_job {
    struct arena arena;
    struct docker_hints hints; // of the arena
    struct docker_place place;
    char *texts[TLS_FILES]; // NULL: there is no such file
    struct error error;     // why it cannot be used, kind ERROR_NONE: it can
};

static void find_run(void *block)
{
    struct find_job *job = block;
    struct docker_place *place = &job->place;
    (void)docker_find(&job->hints, place, &job->error);
    const char *const paths[TLS_FILES] = {place->ca, place->cert, place->key};
    for (size_t i = 0; i < TLS_FILES && job->error.kind == ERROR_NONE; i++) {
        if (place->tls && paths[i] != NULL) {
            local_read(paths[i], PEM_BYTES_MAX, &job->texts[i], &job->error);
        }
    }
    if (job->error.kind != ERROR_NONE) {
        (void)error_wrap(&job->error, "engine");
    } else if (str_starts_with(place->host, UNIX_SCHEME)) {
        (void)docker_access(place->host + strlen(UNIX_SCHEME), &job->error);
    }
}

static void find_destroy(void *block)
{
    struct find_job *job = block;
    for (size_t i = 0; i < TLS_FILES; i++) {
        secret_wipe(job->texts[i]);
    }
    docker_place_done(&job->place);
    arena_done(&job->arena);
    free(job);
}

static bool is_same(const struct docker_place *a, const struct docker_place *b)
{
    return str_equal(a->host, b->host) && a->tls == b->tls && str_equal(a->ca, b->ca) &&
           str_equal(a->cert, b->cert) && str_equal(a->key, b->key);
}

// A client that is there stays where the engine is the same: other keys may be using it.
static int take_place(struct observation *o, struct find_job *job)
{
    struct container_memory *memory = o->memory;
    bool same = o->io->docker != NULL && is_same(&memory->place, &job->place);
    docker_place_done(&memory->place);
    memory->place = TAKE_STRUCT(job->place);
    if (same) {
        return 0;
    }
    _cleanup_free_ char *origin = docker_place_text(&memory->place);
    const struct docker_options options = {
        .host = memory->place.host,
        .tls = memory->place.tls,
        .ca_pem = job->texts[TLS_CA],
        .cert_pem = job->texts[TLS_CERT],
        .key_pem = job->texts[TLS_KEY],
        .origin = origin,
        .timeout_ms = o->input->config->reconcile.timeout_ms,
        .secrets = o->io->secrets,
    };
    docker_free(TAKE_PTR(o->io->docker));
    return docker_new(o->io->transport, &options, &o->io->docker, &o->refused);
}

static void on_found(void *ctx, void *block, const struct error *err)
{
    struct observation *o = ctx;
    struct find_job *job = block;
    struct error error = err == NULL ? job->error : *err;
    o->works--;
    if (err != NULL) {
        (void)error_wrap(&error, "engine: look for it");
    } else if (o->memory->forgotten) { // it was looked for by a former configuration
        (void)error_set(&error, ERROR_TRANSIENT, ECANCELED, "cancelled");
    } else if (error.kind == ERROR_NONE && take_place(o, job) < 0) {
        error = o->refused;
    }
    observe_join(o, error.kind == ERROR_NONE ? NULL : &error);
}

void observe_client(struct observation *o)
{
    if (o->io->docker == NULL || !docker_is_negotiated(o->io->docker)) {
        struct find_job *job = xcalloc(1, sizeof(*job));
        job->hints = hints_make(o->input->config, &job->arena);
        const struct work work = {"the engine", find_run, find_destroy, .done = on_found, .ctx = o};
        observe_work(o, &work, job);
    }
}

static void on_version(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    observe_join(ctx, err);
}

void observe_version(struct observation *o)
{
    if (!docker_is_negotiated(o->io->docker)) {
        o->memory->info_asked = false;
        observe_submitted(o, docker_negotiate(o->io->docker, on_version, o, &o->refused));
    }
}

// What an engine does not say (a proxy before it may refuse that) is not known, and no more: what
// it has said before counts until then.
static void on_info(void *ctx, json_t *answer, const struct error *err)
{
    struct observation *o = ctx;
    bool refused = err != NULL && err->status != 0;
    if (err == NULL) {
        json_decref(o->memory->info);
        o->memory->info = json_incref(answer);
    }
    o->memory->info_asked = err == NULL || (refused && err->kind != ERROR_TRANSIENT);
    observe_join(o, refused ? NULL : err);
}

void observe_info(struct observation *o)
{
    if (!o->memory->info_asked) {
        observe_engine(o, DOCKER_INFO, NULL, on_info, o);
    }
}
