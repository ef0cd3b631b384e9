// The way to a cluster's API, and what is kept for it from attempt to attempt.
#pragma once

#include "lib/base/strmap.h"
#include "lib/kinds/kind.h"
#include "lib/kinds/object/objects.h"
#include "lib/kube/kube.h"

typedef void (*object_connected_fn)(void *ctx, const struct error *err);

// What a key's memory_t points to.
struct object_memory {
    unsigned refs;    // of the key, and of what is under way
    bool cancelled;   // the observation under way is to end
    struct api *kube; // NULL: there is none yet
    char *source;     // where its credentials came from; NULL: they are to be read again
    uint64_t connected_ms;
    uint64_t discovered_ms; // served is of then; 0: unknown
    bool no_left_over;      // the latest observation over this connection has seen none
    // By the index of the kind in object_apis.
    bool served[OBJECT_APIS_MAX];
    char *listed[OBJECT_APIS_MAX]; // the version of the latest list, NULL: there is none
    struct strmap agreed;          // see object_memory_agree
    struct {
        unsigned open;    // 0: nothing is watched
        struct api *kube; // whose they are
        char *key;
        bool ending;
        struct error error; // why; none when the server just closed the first
        watch_dirty_fn dirty;
        watch_done_fn done;
        void *ctx;
    } watches;
    struct { // under way, for the one observation that may be
        struct io *io;
        const struct input *input;
        char *source;
        object_connected_fn done;
        void *ctx;
    } connect;
};

// Makes it when there is none.
struct object_memory *object_memory_get(memory_t *memory);
struct object_memory *object_memory_ref(struct object_memory *memory);
void object_memory_unref(struct object_memory *memory);

// Remembers that the object is as the manifest of this digest makes it, as long as it has its
// resourceVersion. What has no uid or no version is not remembered.
void object_memory_agree(struct object_memory *memory, const char *resource, const char *digest,
                         const json_t *json);
bool object_memory_agrees(const struct object_memory *memory, const char *resource,
                          const char *digest, const json_t *json);
// Whether that is remembered of the object, of whichever manifest.
bool object_memory_knows(const struct object_memory *memory, const json_t *json);

// Makes memory->kube unless there is one whose credentials still fit. They are those of admin.conf,
// read from the cluster's first control-plane node as `kind get kubeconfig` does and pointed at the
// port that the engine publishes; or of the context kind-NAME of kubernetes.kubeconfig. Returns 1
// when it is there already (done is not called), 0 when done will be called, or -errno. Borrows
// input until done.
int object_connect(struct io *io, struct object_memory *memory, const struct input *input,
                   object_connected_fn done, void *ctx, struct error *err);

// A request failed. When that tells that the credentials no longer fit, or that the server is
// another, the next observation reads them again.
void object_memory_failed(struct object_memory *memory, const struct error *err);
