// One observation of the engine, in stages; the requests of a stage are under way side by side:
//
//     client     there is none, or it finds no engine: where that is is looked for anew
//     version    of the API, where it is not agreed on, and then what the engine is
//     list       of the containers
//     inspects   of each container of ours and of the nodes that do not run and, as far as the list
//                does not show that they are there, of the network and the images; the storage
//                directories and the files of passwords
//     probes     each registry's own answer to /v2/; the upstreams of caches
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
// Where kind's entrypoint notes a node's address, to find it changed at the next start
// (kind images/base/files/usr/local/bin/entrypoint).
#define ADDRESS_FILE "/kind/old-ipv4"

// The same for what may be missing.
static void join_optional(struct observation *o, const struct error *err)
{
    observe_join(o, err != NULL && err->status == 404 ? NULL : err);
}

// ---- the list ----

static void on_list(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct observation *o = ctx;
    if (err == NULL && current_add_list(o->current, answer->json, &o->refused) < 0) {
        err = &o->refused;
    } else if (err == NULL) {
        int64_t engine_s = docker_time_s(answer);
        o->current->engine->now_s = engine_s == 0 ? time(NULL) : engine_s;
    }
    observe_join(o, err);
}

static void begin_list(struct observation *o)
{
    struct container_memory *memory = o->memory;
    memory->listed_s = time(NULL);
    _cleanup_free_ char *origin = docker_place_text(&memory->place);
    engine_set_about(o->current->engine, memory->place.host, origin,
                     docker_is_podman(o->io->docker), memory->info);
    o->current->engine->about.given = !str_empty(o->input->config->docker.host);
    bool selinux = o->current->engine->about.selinux;
    for (size_t i = 0; i < o->current->specs.count && (selinux || memory->info == NULL); i++) {
        container_spec_relabel(&o->current->specs.items[i], selinux);
    }
    observe_submitted(o, docker_ask_raw(o->io->docker, DOCKER_LIST, NULL, on_list, o, &o->refused));
}

// ---- inspects: nodes that do not run ----
//
// The list does not tell when such a node ended, and the address that it had. What cannot be found
// out stays unknown: it is needed for no more than politeness.

struct node_part {
    struct observation *observation;
    struct engine_node *node;
};

static void on_address(void *ctx, const struct docker_file *files, size_t count,
                       const struct error *err)
{
    const struct node_part *part = ctx;
    struct observation *o = part->observation;
    if (err == NULL && count > 0 && files[0].content != NULL) {
        const char *content = files[0].content;
        const char *address =
            arena_dup_n(&o->current->engine->arena, content, strcspn(content, "\n"));
        part->node->address = name_is_valid_address(address) ? address : NULL;
    }
    observe_join(o, NULL);
}

static void on_node(void *ctx, json_t *answer, const struct error *err)
{
    const struct node_part *part = ctx;
    struct observation *o = part->observation;
    struct engine_node *node = part->node;
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
        observe_join(o, NULL);
    }
}

static void inspect_nodes(struct observation *o)
{
    struct engine *engine = o->current->engine;
    size_t count = 0;
    for (size_t i = 0; i < engine->node_count && count < STOPPED_NODES_MAX; i++) {
        struct engine_node *node = &engine->nodes[i];
        if (!node->running && config_has_cluster(o->input->config, node->cluster)) {
            struct node_part *part = arena_alloc(&o->current->arena, sizeof(*part));
            *part = (struct node_part){o, node};
            count++;
            observe_engine(o, DOCKER_INSPECT, node->id, on_node, part);
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
    part->facts->image_present = err == NULL;
    join_optional(part->observation, err);
}

struct file_part {
    struct part *part;
    const char *path;
    struct storage *storage; // of the facts
};

static void on_file(void *ctx, void *block, const struct error *err)
{
    const struct file_part *file = ctx;
    struct observation *o = file->part->observation;
    const struct file_job *job = block;
    o->works--;
    if (err == NULL) {
        *file->storage = job->storage;
        if (job->stamp[0] != '\0') {
            container_spec_stamp(file->part->spec, job->stamp);
        }
    } else if (err->code == ETIMEDOUT) {
        file->storage->state = STORAGE_BROKEN;
        (void)snprintf(file->storage->why, sizeof(file->storage->why),
                       "the file system of %s does not answer", file->path);
        err = NULL;
    }
    observe_join(o, err);
}

static void check_file(struct part *part, const char *path, void (*check)(void *block),
                       struct storage *storage)
{
    struct observation *o = part->observation;
    struct file_part *file = arena_alloc(&o->current->arena, sizeof(*file));
    *file = (struct file_part){part, path, storage};
    const struct work work = {path, check, file_job_free, .done = on_file, .ctx = file};
    observe_work(o, &work, file_job_new(path));
}

static void begin_inspects(struct observation *o)
{
    struct current *current = o->current;
    for (size_t i = 0; i < current->id_count; i++) {
        observe_engine(o, DOCKER_INSPECT, current->ids[i], on_container, o);
    }
    inspect_nodes(o);
    if (!current->network_present) {
        observe_engine(o, DOCKER_NETWORK_INSPECT, current->network, on_network, o);
    }
    for (size_t i = 0; i < current->specs.count; i++) {
        struct part *part = &o->memory->parts[i];
        const struct container_spec *spec = part->spec;
        if (!part->facts->image_present) {
            observe_engine(o, DOCKER_IMAGE_INSPECT, spec->image, on_image, part);
        }
        if (observe_is_local(o)) {
            check_file(part, spec->storage, storage_check, &part->facts->storage);
        }
        if (spec->password_file != NULL) {
            check_file(part, spec->password_file, password_check, &part->facts->password);
        }
    }
}

// ---- probes ----

// What was counted since the engine was observed before stays counted.
static void keep_writes(struct engine *engine, const struct engine *before)
{
    for (size_t i = 0; before != NULL && i < engine->node_count; i++) {
        const struct engine_node *known = engine_node(before, engine->nodes[i].name);
        engine->nodes[i].writes = known == NULL ? 0 : known->writes;
    }
}

// All is known of the engine: who waits for that need not wait for a registry that is silent, or
// for an upstream.
static void begin_probes(struct observation *o)
{
    struct engine *engine = o->current->engine;
    current_finish_engine(o->current, o->input->config);
    keep_writes(engine, o->memory->engine);
    engine_unref(o->memory->engine);
    o->memory->engine = engine_ref(engine);
    observe_probes(o);
    observe_upstreams(o);
}

// ----

static const observe_stage_fn stages[] = {
    observe_client, observe_version, observe_info, begin_list, begin_inspects, begin_probes, NULL,
};

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
        .stage = stages,
    };
    struct current *current = o->current;
    if (o->memory->parts == NULL) {
        o->memory->part_count = current->specs.count;
        o->memory->parts = xcalloc(current->specs.count, sizeof(*o->memory->parts));
    }
    for (size_t i = 0; i < o->memory->part_count; i++) {
        struct part *part = &o->memory->parts[i];
        part->observation = o;
        part->spec = &current->specs.items[i];
        part->facts = &current->facts[i];
    }
    observe_advance(o);
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
    for (size_t i = 0; i < memory->part_count; i++) {
        const struct part *part = &memory->parts[i];
        http_cancel(part->own.client, part->own.call);
        http_cancel(part->upstream.client, part->upstream.call);
    }
    if (o->works > 0) {
        work_cancel(io->worker);
    }
}
