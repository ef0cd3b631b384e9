// The Docker Engine API. All requests are asynchronous with the contract of lib/http/http.h: 0 and
// `done` later exactly once, or -errno and no `done`.
// Answers of status 2xx (and 304 for start and stop: already so) are success, 404 is success for a
// remove. Any other status is an error with the engine's own message, its status and the kind of
// http_status_kind(). Paths and fields: https://docs.docker.com/reference/api/engine/version/v1.41/
#pragma once

#include "lib/api/api.h"

#include <stdbool.h>
#include <stdint.h>

// The newest API version asked for; an older engine's own maximum is used instead.
#define DOCKER_API_MAX_MINOR 44
// The oldest version whose answers the decoders know.
#define DOCKER_API_MIN_MINOR 24

struct docker;

struct docker_options {
    const char *host; // unix:///PATH or tcp://HOST:PORT
    bool tls;
    const char *ca_pem; // PEM texts, NULL when unset
    const char *cert_pem;
    const char *key_pem;
    uint64_t timeout_ms; // of one request; pull and exec have bounds of their own, a stop has its
                         // seconds more
    const struct secrets *secrets; // hidden in what the engine says; borrowed until docker_free
    const char *origin; // for errors of an engine that cannot be used: which one it is; may be NULL
};

// Connects nothing yet. Copies all options but secrets. The transport must outlive the client.
int docker_new(struct http_transport *transport, const struct docker_options *options,
               struct docker **ret, struct error *err);

// Ends calls of this effect and of those below it early; each still runs its `done` with code
// ECANCELED. An image pull only reads: what it has fetched is there for the next one.
void docker_cancel(struct docker *docker, enum api_effect from);
// The same for those about the container of this id: one that is inspected, its files, what runs in
// it.
void docker_cancel_container(struct docker *docker, const char *id, enum api_effect from);

// Ends what is under way with code ECANCELED; memory goes with the last `done`, which still comes.
// NULL is fine.
void docker_free(struct docker *docker);
DEFINE_CLEANUP(struct docker *, docker_free)

// The decoded answer, borrowed until return (NULL when the answer has no body), or an error.
typedef void (*docker_done_fn)(void *ctx, json_t *answer, const struct error *err);

// Agrees on an API version through /_ping (header Api-Version). Must have succeeded before any
// other request; a request before that is -ENOTCONN. docker_is_negotiated turns false again when a
// request finds no engine or the engine refuses the version (400 with "client version", a transient
// error of code ENOTCONN); until it is negotiated anew the former version is used.
int docker_negotiate(struct docker *docker, docker_done_fn done, void *ctx, struct error *err);
bool docker_is_negotiated(const struct docker *docker);
// Whether it was podman that answered then.
bool docker_is_podman(const struct docker *docker);

// The requests that are one exchange, and what they take.
enum docker_op {            // name; argument; body
    DOCKER_INFO,            // nothing
    DOCKER_LIST,            // nothing: it lists all containers
    DOCKER_INSPECT,         // container
    DOCKER_CREATE,          // its name; ; what it is to be: the answer has the Id
    DOCKER_START,           // container
    DOCKER_STOP,            // container: SIGTERM, and SIGKILL after DOCKER_STOP_SECONDS
    DOCKER_UNPAUSE,         // container
    DOCKER_RENAME,          // container; new name
    DOCKER_UPDATE,          // container; ; changes
    DOCKER_REMOVE,          // container: by force; never its volumes (v=0)
    DOCKER_WAIT,            // container: for its end, as what only watches; the answer has the
                            // StatusCode of its process. Ask again after ETIMEDOUT
    DOCKER_LOG,             // container with a tty: the answer is its last DOCKER_LOG_LINES
    DOCKER_NETWORK_INSPECT, // network
    DOCKER_CONNECT,         // container; network; {Container, EndpointConfig: {Aliases}}: connected
                            // already (403) is success
    DOCKER_DISCONNECT,      // container; network; {Container, Force}: not connected is success
    DOCKER_IMAGE_INSPECT,   // image
};
// A registry finishes uploads under way when it is asked to stop.
#define DOCKER_STOP_SECONDS 10
#define DOCKER_LOG_LINES 2
// Borrows all; what op does not take is not looked at.
int docker_ask(struct docker *docker, enum docker_op op, const char *name, const char *argument,
               const json_t *body, docker_done_fn done, void *ctx, struct error *err);

// For the answer as it is.
int docker_ask_raw(struct docker *docker, enum docker_op op, const char *name, api_raw_fn done,
                   void *ctx, struct error *err);

// The engine's clock when it answered, Unix time, 0 when it did not say. The times that it notes
// are by it.
int64_t docker_time_s(const struct api_answer *answer);

// One line of progress for people, borrowed until return: "registry:2: 3 of 5 layers, 12.3 MB",
// and the bytes so far.
typedef void (*docker_progress_fn)(void *ctx, const char *line, uint64_t bytes);
// Pulls NAME[:TAG][@DIGEST] (no tag: latest). Bounded by DOCKER_PULL_TIMEOUT_MS; an error in the
// stream (the engine answers 200 and reports it there) is an error with ERROR_PERMANENT.
int docker_image_pull(struct docker *docker, const char *image, docker_progress_fn progress,
                      docker_done_fn done, void *ctx, struct error *err);
#define DOCKER_PULL_TIMEOUT_MS (15u * 60u * 1000u)

// What HEAD …/archive says of a path in a container, in the header X-Docker-Container-Path-Stat:
// its size, mode, modification time and link's target, as one text to be compared with what was
// said before. NULL: there is nothing (404). Borrowed until return.
typedef void (*docker_stamp_fn)(void *ctx, const char *stamp, const struct error *err);
int docker_path_stamp(struct docker *docker, const char *container, const char *path,
                      docker_stamp_fn done, void *ctx, struct error *err);

// A file in a tar body. Only a regular one has a content: nothing is followed.
struct docker_file {
    char *path;    // relative, no "." or ".." component, no leading '/'
    char *content; // NUL-terminated, NULL for a directory and what `special` says
    size_t length;
    const char *special; // "a symbolic link", "a device", …, static; NULL for a file or directory
    bool is_private;     // is written for root alone
};
#define DOCKER_FILES_MAX 1024
#define DOCKER_FILE_BYTES_MAX (1024u * 1024u)

// The entries below path (a file or a directory) whose own path, beginning with the last component
// of that, is wanted (NULL: all). Borrowed until return. A missing path is an error with status
// 404.
typedef bool (*docker_select_fn)(const char *path);
typedef void (*docker_files_fn)(void *ctx, const struct docker_file *files, size_t count,
                                const struct error *err);
int docker_archive_get(struct docker *docker, const char *container, const char *path,
                       docker_select_fn select, docker_files_fn done, void *ctx, struct error *err);
// Writes files (mode 0644 or, private ones, 0600, root) and the directories (0755) on their way
// below the existing directory `path`. Borrows files.
int docker_archive_put(struct docker *docker, const char *container, const char *path,
                       const struct docker_file *files, size_t count, docker_done_fn done,
                       void *ctx, struct error *err);

void docker_files_free(struct docker_file *files, size_t count);

// Runs argv (ended by NULL) in a running container without a shell and waits for its end; effect is
// what it does there. Output is what it wrote (a tty's stream, at most DOCKER_EXEC_OUTPUT_MAX
// bytes), borrowed until return.
#define DOCKER_EXEC_OUTPUT_MAX (256u * 1024u)
typedef void (*docker_exec_fn)(void *ctx, int exit_code, const char *output,
                               const struct error *err);
int docker_exec(struct docker *docker, const char *container, const char *const *argv,
                enum api_effect effect, docker_exec_fn done, void *ctx, struct error *err);

// Listens to the engine's events of containers and networks from since_s on (Unix time; the engine
// replays what it still has): on_event gets each, borrowed until return, until the stream ends.
// `done` then says why, or gets no error when the engine closed it. A negative return of on_event
// ends the stream. Filters stay with the caller: a label or container filter would drop the network
// events, which carry neither (moby daemon/events/filter.go).
typedef int (*docker_event_fn)(void *ctx, const json_t *event);
int docker_events(struct docker *docker, int64_t since_s, docker_event_fn on_event,
                  docker_done_fn done, void *ctx, struct error *err);
