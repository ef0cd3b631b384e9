// One observation of the engine, in steps; the requests of a step are under way side by side:
//
//     client     there is none yet: one is made, for which the files of docker.tls are read
//     version    of the API, where it is not agreed on
//     list       of the containers
//     inspects   of each container of ours and of the nodes that do not run and, as far as the list
//                does not show that they are there, of the network and the images; the storage
//                directories
//     probes     each registry's own answer to /v2/
#include "lib/kinds/container/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/container/compare.h"
#include "lib/kinds/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STOPPED_NODES_MAX 16 // that are inspected
#define PROBE_TIMEOUT_MS 2000u
#define PROBE_BODY_MAX (64u * 1024u)
// Where kind's entrypoint notes a node's address, to find it changed at the next start
// (kind images/base/files/usr/local/bin/entrypoint).
#define ADDRESS_FILE "/kind/old-ipv4"

// What is asked about one of the specs, or about one of the nodes.
struct part {
    struct observation *observation;
    size_t index;
    struct http_call *probe;
};

struct observation {
    struct io *io;
    struct container_memory *memory;
    const struct input *input;
    observe_done_fn done;
    void *ctx;
    struct current *current;
    struct part *specs;   // of current's arena, as many as there are of these
    size_t step;          // the next one
    size_t pending;       // requests and work under way
    size_t works;         // of these, work
    struct error error;   // the first that came
    struct error refused; // of the latest submission
};

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
    for (size_t i = 0; i < memory->probe_count; i++) {
        http_client_free(memory->probes[i]);
    }
    free(memory->probes);
    strmap_done(&memory->created);
    free(memory->kept_policy);
    engine_unref(memory->engine);
    free(memory);
}

// ---- from step to step ----

static void begin_client(struct observation *o);
static void begin_version(struct observation *o);
static void begin_list(struct observation *o);
static void begin_inspects(struct observation *o);
static void begin_probes(struct observation *o);

static void (*const steps[])(struct observation *o) = {
    begin_client, begin_version, begin_list, begin_inspects, begin_probes,
};

static void note_error(struct observation *o, const struct error *err)
{
    if (err != NULL && o->error.kind == ERROR_NONE) {
        o->error = *err;
    }
}

// Of the submission of a request with o->refused: one that is refused counts as a failed request.
static void note_submitted(struct observation *o, int r)
{
    if (r < 0) {
        note_error(o, &o->refused);
    } else {
        o->pending++;
    }
}

static void submit_work(struct observation *o, struct work *work, void *block)
{
    work->timeout_ms = o->input->config->reconcile.timeout_ms;
    o->pending++;
    o->works++;
    work_submit(o->io->worker, work, block);
}

// Goes on until something is under way, has failed, or nothing is left to do.
static void advance(struct observation *o)
{
    while (o->pending == 0 && o->error.kind == ERROR_NONE && o->step < ELEMENTS(steps)) {
        steps[o->step++](o);
    }
}

static void observation_free(struct observation *o)
{
    current_free(o->current);
    memory_unref(o->memory);
    free(o);
}

// What was counted since the engine was observed before stays counted.
static void keep_writes(struct engine *engine, const struct engine *before)
{
    for (size_t i = 0; before != NULL && i < engine->node_count; i++) {
        const struct engine_node *known = engine_node(before, engine->nodes[i].name);
        engine->nodes[i].writes = known == NULL ? 0 : known->writes;
    }
}

// Everything that was asked ends here.
static void join(struct observation *o, const struct error *err)
{
    struct container_memory *memory = o->memory;
    note_error(o, err);
    o->pending--;
    advance(o);
    if (o->pending > 0) {
        return;
    }
    memory->observation = NULL;
    if (o->error.kind == ERROR_NONE) {
        current_finish(o->current, o->input->config);
        keep_writes(o->current->engine, memory->engine);
        engine_unref(memory->engine);
        memory->engine = engine_ref(o->current->engine);
        o->done(o->ctx, TAKE_PTR(o->current), NULL);
    } else {
        o->done(o->ctx, NULL, &o->error);
    }
    observation_free(o);
}

// The same for what may be missing.
static void join_optional(struct observation *o, const struct error *err)
{
    join(o, err != NULL && err->status == 404 ? NULL : err);
}

static bool is_local(const struct observation *o)
{
    return str_starts_with(o->input->config->docker.host, "unix://");
}

// ---- client, version, list ----

static int make_client(struct observation *o, char *const texts[TLS_FILES])
{
    const struct config *config = o->input->config;
    const struct docker_options options = {
        .host = config->docker.host,
        .tls = config->docker.tls,
        .ca_pem = texts[TLS_CA],
        .cert_pem = texts[TLS_CERT],
        .key_pem = texts[TLS_KEY],
        .timeout_ms = config->reconcile.timeout_ms,
        .secrets = o->io->secrets,
    };
    return docker_new(o->io->transport, &options, &o->io->docker, &o->refused);
}

static void on_tls(void *ctx, void *block, const struct error *err)
{
    struct observation *o = ctx;
    const struct tls_job *job = block;
    struct error error = err == NULL ? job->error : *err;
    o->works--;
    if (err != NULL) {
        (void)error_wrap(&error, "engine: docker.tls");
    } else if (o->memory->forgotten) { // they are of a former configuration
        (void)error_set(&error, ERROR_TRANSIENT, ECANCELED, "cancelled");
    } else if (error.kind == ERROR_NONE && make_client(o, job->texts) < 0) {
        error = o->refused;
    }
    join(o, error.kind == ERROR_NONE ? NULL : &error);
}

static void begin_client(struct observation *o)
{
    const struct config_docker *declared = &o->input->config->docker;
    if (o->io->docker == NULL && declared->tls) {
        struct tls_job *job = xcalloc(1, sizeof(*job));
        job->paths[TLS_CA] = str_dup(declared->ca);
        job->paths[TLS_CERT] = str_dup(declared->cert);
        job->paths[TLS_KEY] = str_dup(declared->key);
        submit_work(
            o, &(struct work){"docker.tls", tls_read, tls_destroy, .done = on_tls, .ctx = o}, job);
    } else if (o->io->docker == NULL && make_client(o, (char *[TLS_FILES]){0}) < 0) {
        note_error(o, &o->refused);
    }
}

static void on_version(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    join(ctx, err);
}

static void begin_version(struct observation *o)
{
    if (!docker_is_negotiated(o->io->docker)) {
        note_submitted(o, docker_negotiate(o->io->docker, on_version, o, &o->refused));
    }
}

static void on_list(void *ctx, json_t *answer, const struct error *err)
{
    struct observation *o = ctx;
    if (err == NULL && current_add_list(o->current, answer, &o->refused) < 0) {
        err = &o->refused;
    } else if (err == NULL) {
        int64_t engine_s = docker_time_s(o->io->docker);
        o->current->engine->now_s = engine_s == 0 ? time(NULL) : engine_s;
    }
    join(o, err);
}

static void begin_list(struct observation *o)
{
    note_submitted(o, docker_container_list(o->io->docker, on_list, o, &o->refused));
}

// ---- inspects: nodes that do not run ----
//
// The list does not tell when such a node ended, and the address that it had. What cannot be found
// out stays unknown: it is needed for no more than politeness.

static struct engine_node *node_of(const struct part *part)
{
    return &part->observation->current->engine->nodes[part->index];
}

static void on_address(void *ctx, const struct docker_file *files, size_t count,
                       const struct error *err)
{
    const struct part *part = ctx;
    if (err == NULL && count > 0 && files[0].content != NULL) {
        const char *content = files[0].content;
        const char *address = arena_dup_n(&part->observation->current->engine->arena, content,
                                          strcspn(content, "\n"));
        node_of(part)->address = name_is_valid_address(address) ? address : NULL;
    }
    join(part->observation, NULL);
}

static void on_node(void *ctx, json_t *answer, const struct error *err)
{
    const struct part *part = ctx;
    struct observation *o = part->observation;
    struct engine_node *node = node_of(part);
    const struct engine_node *known =
        o->memory->engine == NULL ? NULL : engine_node(o->memory->engine, node->name);
    node->stopped_s = container_stopped_s(answer);
    if (known != NULL && str_equal(known->id, node->id) && known->stopped_s == node->stopped_s) {
        // To read a file costs the engine a process: it is the same until the node's next end.
        node->address = arena_dup(&o->current->engine->arena, known->address);
    }
    if (err != NULL || node->address != NULL ||
        docker_archive_get(o->io->docker, node->id, ADDRESS_FILE, NULL, on_address, ctx,
                           &o->refused) < 0) {
        join(o, NULL);
    }
}

static void inspect_nodes(struct observation *o)
{
    struct engine *engine = o->current->engine;
    size_t count = 0;
    for (size_t i = 0; i < engine->node_count; i++) {
        struct engine_node *node = &engine->nodes[i];
        if (!node->running && count < STOPPED_NODES_MAX &&
            config_has_cluster(o->input->config, node->cluster)) {
            struct part *part = arena_alloc(&o->current->arena, sizeof(*part));
            *part = (struct part){.observation = o, .index = i};
            count++;
            note_submitted(
                o, docker_container_inspect(o->io->docker, node->id, on_node, part, &o->refused));
        }
    }
}

// ---- inspects: everything else ----

static void on_container(void *ctx, json_t *answer, const struct error *err)
{
    struct observation *o = ctx;
    struct error error = {0};
    if (err == NULL && current_add_container(o->current, answer, o->io->secrets, &error) < 0) {
        err = &error;
    } else if (err == NULL) {
        struct container *added = &o->current->containers[o->current->container_count - 1];
        added->keeps_restart_policy = str_equal(added->id, o->memory->kept_policy);
    }
    join_optional(o, err); // it may be gone since it was listed
}

static void on_network(void *ctx, json_t *answer, const struct error *err)
{
    struct observation *o = ctx;
    if (err == NULL) {
        current_set_network(o->current, answer);
    }
    join_optional(o, err);
}

static void on_image(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    const struct part *part = ctx;
    part->observation->current->facts[part->index].image_present = err == NULL;
    join_optional(part->observation, err);
}

static void on_storage(void *ctx, void *block, const struct error *err)
{
    const struct part *part = ctx;
    struct observation *o = part->observation;
    struct storage *storage = &o->current->facts[part->index].storage;
    o->works--;
    if (err == NULL) {
        *storage = ((const struct storage_job *)block)->storage;
    } else if (err->code == ETIMEDOUT) {
        storage->state = STORAGE_BROKEN;
        (void)snprintf(storage->why, sizeof(storage->why), "the file system of %s does not answer",
                       o->current->specs.items[part->index].storage);
        err = NULL;
    }
    join(o, err);
}

static void check_storages(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count && is_local(o); i++) {
        const char *path = o->current->specs.items[i].storage;
        submit_work(o, &(struct work){path, storage_check, .done = on_storage, .ctx = &o->specs[i]},
                    storage_job_new(path));
    }
}

static void begin_inspects(struct observation *o)
{
    struct current *current = o->current;
    struct docker *docker = o->io->docker;
    for (size_t i = 0; i < current->id_count; i++) {
        note_submitted(
            o, docker_container_inspect(docker, current->ids[i], on_container, o, &o->refused));
    }
    inspect_nodes(o);
    if (!current->network_present) {
        note_submitted(
            o, docker_network_inspect(docker, current->network, on_network, o, &o->refused));
    }
    for (size_t i = 0; i < current->specs.count; i++) {
        if (!current->facts[i].image_present) {
            note_submitted(o, docker_image_inspect(docker, current->specs.items[i].image, on_image,
                                                   &o->specs[i], &o->refused));
        }
    }
    check_storages(o);
}

// ---- probes ----

static void on_probe(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    bool answers = response != NULL && response->status < 500;
    part->probe = NULL;
    part->observation->current->facts[part->index].probe = answers ? PROBE_ANSWERS : PROBE_SILENT;
    join(part->observation, err != NULL && error_is_own(err) ? err : NULL);
}

static int make_probe(struct observation *o, const struct container_spec *spec,
                      struct http_client **ret)
{
    char host[ENGINE_HOST_SIZE];
    char base[ENGINE_HOST_SIZE + sizeof("http://:65535")];
    engine_published_host(o->input->config, spec->host_address, host, sizeof(host));
    (void)snprintf(base, sizeof(base), "http://%s:%s", host, spec->host_port);
    const struct http_endpoint endpoint = {.base = base};
    return o->io->transport->client_new(o->io->transport, &endpoint, ret, &o->refused);
}

static void probe(struct part *part)
{
    struct observation *o = part->observation;
    const struct container_spec *spec = &o->current->specs.items[part->index];
    const struct container *container = current_container(o->current, spec->name);
    if (container == NULL || container->state != CONTAINER_RUNNING || spec->host_address == NULL ||
        !is_local(o) || compare_is_elsewhere(spec, container)) {
        return;
    }
    uint64_t timeout_ms = o->input->config->reconcile.timeout_ms;
    const struct http_request request = {
        .method = HTTP_GET,
        .path = "/v2/",
        .timeout_ms = timeout_ms < PROBE_TIMEOUT_MS ? timeout_ms : PROBE_TIMEOUT_MS,
        .max_body = PROBE_BODY_MAX,
        .done = on_probe,
        .ctx = part,
    };
    struct http_client **client = &o->memory->probes[part->index];
    int r = *client == NULL ? make_probe(o, spec, client) : 0;
    note_submitted(o, r < 0 ? r : http_send(*client, &request, &part->probe, &o->refused));
}

static void begin_probes(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count; i++) {
        probe(&o->specs[i]);
    }
}

// ----

int container_observe(struct io *io, memory_t *memory, const struct input *input,
                      observe_done_fn done, void *ctx, struct error *err)
{
    struct observation *o = xcalloc(1, sizeof(*o));
    *o = (struct observation){
        .io = io,
        .memory = memory_take(memory),
        .input = input,
        .done = done,
        .ctx = ctx,
        .current = current_new(input->config),
    };
    size_t count = o->current->specs.count;
    o->specs = arena_alloc(&o->current->arena, count * sizeof(*o->specs));
    for (size_t i = 0; i < count; i++) {
        o->specs[i] = (struct part){.observation = o, .index = i};
    }
    if (o->memory->probes == NULL) {
        o->memory->probes = xcalloc(count, sizeof(struct http_client *));
        o->memory->probe_count = count;
    }
    advance(o);
    if (o->pending == 0) { // the list is always asked for: that was refused, or what comes before
        *err = o->error;
        observation_free(o);
        return -err->code;
    }
    o->memory->observation = o;
    return 0;
}

void container_observe_cancel(struct io *io, struct container_memory *memory)
{
    struct observation *o = memory->observation;
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->current->specs.count; i++) {
        http_cancel(memory->probes[i], o->specs[i].probe);
    }
    if (o->works > 0) {
        work_cancel(io->worker);
    }
}
