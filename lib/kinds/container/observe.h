// Observes and changes the engine, and keeps for the kind's key what its attempts share.
#pragma once

#include "lib/base/strmap.h"
#include "lib/docker/docker_find.h"
#include "lib/kinds/container/current.h"
#include "lib/kinds/io.h"
#include "lib/kinds/kind.h"

struct watch;

// A registry that is asked in the observation that is under way.
struct asked {
    struct http_client *client; // NULL: it is not asked
    struct http_call *call;     // under way, NULL: none
};

// What is known of one of the specs by asking registries, and what is being asked.
struct part {
    struct asked own;
    // The latest upload, of this start of a container (its id and the time):
    char *start;
    struct upload upload;
    uint64_t upload_again_ms; // monotonic
    // The upstream of a cache:
    struct asked upstream;
    uint64_t upstream_again_ms; // monotonic
    char *upstream_fault;       // what its latest answer means, NULL: nothing is wrong
    // Of the observation that is under way:
    struct observation *observation;
    struct container_spec *spec;
    struct container_facts *facts;
    unsigned upload_stage;
    unsigned upload_tries;
    const char *location; // where the upload's next request goes
};

// Shared by the key and by what is under way when the key forgets it.
struct container_memory {
    unsigned refs;
    bool forgotten;
    struct docker_place place; // of io->docker
    json_t *info;              // what that engine says of itself, NULL: nothing
    bool info_asked;           // since a version was agreed on
    struct engine *engine;     // the latest observed, NULL before the first
    int64_t listed_s;          // Unix time when the containers were last asked for
    struct strmap created;     // name → id of the latest that was made
    char *kept_policy;         // id of a container whose restart policy was not changed
    struct part *parts;        // of each spec
    size_t part_count;
    struct observation *observation; // under way, NULL: none
    struct watch *watch;             // likewise
    bool has_work;                   // an action is in a thread
};

// The memory of the key, made if there is none, with a reference of its own for the caller.
struct container_memory *memory_take(memory_t *memory);
void memory_unref(struct container_memory *memory);

typedef void (*observe_stage_fn)(struct observation *o);

struct observation {
    struct io *io;
    struct container_memory *memory;
    const struct input *input;
    observe_done_fn done;
    void *ctx;
    struct current *current;
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
void observe_engine(struct observation *o, enum docker_op op, const char *name, docker_done_fn done,
                    void *ctx);
// Sends a request whose done gets the part; the declared timeout counts where it is shorter.
void observe_send(struct part *part, struct asked *asked, struct http_request request);
// Asks the registry at base for /v2/.
void observe_ask(struct part *part, struct asked *asked, const char *base, http_done_fn done);
// The error if it is this process's own, else NULL: what is wrong with a registry ends no
// observation.
const struct error *observe_own(const struct error *err);
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

struct file_job {
    struct error error;
    struct storage storage;
    char stamp[64]; // of a password's file: another one when it is written to
    uint32_t user;  // who may write in the directory that is made, too; 0: nobody
    char *password; // NULL: it could not be read
    char path[];
};

// file_job_free frees it.
struct file_job *file_job_new(const char *path);
void file_job_free(void *block);
// Each takes a file_job:
void storage_check(void *block);  // fills storage
void storage_make(void *block);   // makes the directory and those above it
void password_check(void *block); // fills storage, and the stamp
void password_read(void *block);
// Reads a file as a text, which the caller wipes. The error has not the file's errno, which would
// speak of the engine's socket.
void local_read(const char *path, size_t max, char **ret, struct error *err);
