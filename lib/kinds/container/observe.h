// Observes and changes the engine, and keeps for the kind's key what its attempts share.
#pragma once

#include "lib/base/strmap.h"
#include "lib/kinds/container/current.h"
#include "lib/kinds/io.h"
#include "lib/kinds/kind.h"

struct observation;
struct watch;

// Shared by the key and by what is under way when the key forgets it.
struct container_memory {
    unsigned refs;
    bool forgotten;
    struct engine *engine;       // the latest observed, NULL before the first
    struct strmap created;       // name → id of the latest that was made
    char *kept_policy;           // id of a container whose restart policy was not changed
    struct http_client **probes; // of each spec, made when it is first asked
    size_t probe_count;
    struct observation *observation; // under way, NULL: none
    struct watch *watch;             // likewise
    bool makes_storage;              // an action is in a thread
};

// The memory of the key, made if there is none, with a reference of its own for the caller.
struct container_memory *memory_take(memory_t *memory);
void memory_unref(struct container_memory *memory);

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

struct storage_job {
    struct storage storage;
    char path[];
};

// The caller frees it with free.
struct storage_job *storage_job_new(const char *path);
void storage_check(void *block); // a struct storage_job: fills storage

// The files of docker.tls.
enum { TLS_CA, TLS_CERT, TLS_KEY, TLS_FILES };

struct tls_job {
    char *paths[TLS_FILES]; // NULL: not declared
    char *texts[TLS_FILES];
    struct error error; // why they cannot be read, kind ERROR_NONE: they were
};

void tls_read(void *block); // a struct tls_job: fills texts, or error
void tls_destroy(void *block);
