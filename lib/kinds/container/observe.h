// Observes and changes the engine, and keeps for the kind's key what its attempts share.
#pragma once

#include "lib/base/strmap.h"
#include "lib/docker/docker_find.h"
#include "lib/kinds/container/current.h"
#include "lib/kinds/io.h"
#include "lib/kinds/kind.h"

struct watch;

#define STAMP_SIZE 64

// What is known of the registry of a spec by asking it.
struct probe_memory {
    struct http_client *client; // made when it is first asked
    char *base;                 // of the client
    // The latest upload, of this start of a container (its id and the time):
    char *start;
    struct upload upload;
    uint64_t upload_again_ms; // monotonic
    // The upstream of a cache:
    struct http_client *upstream;
    uint64_t upstream_again_ms; // monotonic
    char *upstream_fault;       // what its latest answer means, NULL: nothing is wrong
};

// Shared by the key and by what is under way when the key forgets it.
struct container_memory {
    unsigned refs;
    bool forgotten;
    struct docker_place place;   // of io->docker
    json_t *info;                // what that engine says of itself, NULL: nothing
    bool info_asked;             // since a version was agreed on
    struct engine *engine;       // the latest observed, NULL before the first
    struct strmap created;       // name → id of the latest that was made
    char *kept_policy;           // id of a container whose restart policy was not changed
    struct probe_memory *probes; // of each spec
    size_t probe_count;
    struct observation *observation; // under way, NULL: none
    struct watch *watch;             // likewise
    bool has_work;                   // an action is in a thread
};

// The memory of the key, made if there is none, with a reference of its own for the caller.
struct container_memory *memory_take(memory_t *memory);
void memory_unref(struct container_memory *memory);

// What is asked about one of the specs, or about one of the nodes.
struct part {
    struct observation *observation;
    size_t index;
    struct http_call *probe;
    struct http_call *upstream;
    // An upload:
    unsigned upload_stage;
    const char *location; // where its next request goes
    struct upload upload; // what has come of it so far
};

typedef void (*observe_stage_fn)(struct observation *o);

struct observation {
    struct io *io;
    struct container_memory *memory;
    const struct input *input;
    observe_done_fn done;
    void *ctx;
    struct current *current;
    struct part *specs;            // of current's arena, as many as there are of these
    const observe_stage_fn *stage; // the next one; NULL ends them
    size_t pending;                // requests and work under way
    size_t works;                  // of these, work
    struct error error;            // the first that came
    struct error refused;          // of the latest submission
};

// Goes on until something is under way, has failed, or nothing is left to do.
void observe_advance(struct observation *o);
void observation_free(struct observation *o);
// Of the submission of a request with o->refused: one that is refused counts as a failed request.
void observe_submitted(struct observation *o, int r);
// Asks a registry for /v2/; its done has the part. Returns what http_send does, with o->refused.
#define OBSERVE_BODY_MAX (64u * 1024u)
int observe_ask(struct part *part, struct http_client *client, http_done_fn done,
                struct http_call **ret);
void observe_work(struct observation *o, const struct work *work, void *block);
// What was asked ends here; with the last of a stage the next one begins.
void observe_join(struct observation *o, const struct error *err);
bool observe_is_local(const struct observation *o);

// The stages of the files of these names.
void observe_client(struct observation *o); // observe_engine.c
void observe_version(struct observation *o);
void observe_info(struct observation *o);
void observe_probes(struct observation *o);    // observe_probe.c
void observe_upstreams(struct observation *o); // observe_upstream.c

// See struct kind; each in the file of its name.
int container_act(struct io *io, memory_t *memory, const struct action *action,
                  const struct input *input, act_done_fn done, void *ctx, struct error *err);
int container_watch(struct io *io, memory_t *memory, const struct input *input,
                    watch_dirty_fn dirty, watch_done_fn done, void *ctx, struct error *err);
void container_unwatch(struct io *io, memory_t memory);
int container_observe(struct io *io, memory_t *memory, const struct input *input,
                      observe_done_fn done, void *ctx, struct error *err);
// Ends what an observation under way waits for beside the engine.
void container_observe_cancel(struct io *io, struct container_memory *memory);

// observe_local.c: files of this machine. Their file system may hang, so that a thread works on
// them (lib/work/work.h).

#define PASSWORD_BYTES_MAX 4096

struct storage_job {
    struct storage storage;
    char stamp[STAMP_SIZE]; // of a password's file: another one when it is written to
    char path[];
};

// The caller frees it with free.
struct storage_job *storage_job_new(const char *path);
void storage_check(void *block);  // a struct storage_job: fills storage
void password_check(void *block); // likewise, and the stamp

// Lets another user write in a directory of this one's, as far as its file system knows of access
// control lists.
void storage_admit(const char *path, uint32_t user);

enum { TLS_CA, TLS_CERT, TLS_KEY, TLS_FILES };

// Where the engine is, and the files that it takes to be let in.
struct find_job {
    struct arena arena;
    struct docker_hints hints; // of the arena
    struct docker_place place;
    char *texts[TLS_FILES]; // NULL: there is no such file
    struct error error;     // why it cannot be used, kind ERROR_NONE: it can
};

void find_run(void *block); // a struct find_job
void find_destroy(void *block);
