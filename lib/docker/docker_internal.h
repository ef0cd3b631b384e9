// What the files of lib/docker share: the request plumbing of docker_request.c.
#pragma once

#include "lib/doc/json_memo.h"
#include "lib/docker/docker.h"

#include <stddef.h>

#define DOCKER_SEGMENTS_MAX 3
#define DOCKER_TOLERATED_MAX 3

struct docker {
    struct http_client *client;
    uint64_t timeout_ms;
    unsigned api_minor; // last agreed on, 0: never
    bool negotiated;    // and nothing has shown since that another engine may answer
    int64_t time_s;     // see docker_time_s
    struct docker_call *calls;
    // Of what is asked in every pass.
    struct json_memo list;
    struct json_memo inspected;
};

// A piece of a path: text as it is, then value percent-encoded (NULL for none, never empty).
struct docker_segment {
    const char *text;
    const char *value;
};

// An error that is none, since the wish is fulfilled already: the status, and, where the engine
// says it with its message alone, a part of that.
struct docker_tolerated {
    int status;
    const char *message; // NULL: any
};

enum docker_shape {
    DOCKER_SHAPE_NONE, // a body is ignored
    DOCKER_SHAPE_OBJECT,
    DOCKER_SHAPE_ENTITY,   // an object with its Id
    DOCKER_SHAPE_ENTITIES, // a list of those
};

// Borrowed until return, but for what on_chunk needs.
struct docker_request {
    // The head of error texts: "create container NAME", "connect NAME to NETWORK". All but the verb
    // may be NULL.
    const char *verb;
    const char *subject;
    const char *relation;
    const char *object;
    enum http_method method;
    bool unversioned; // the path begins at the root, not at the API version
    struct docker_segment path[DOCKER_SEGMENTS_MAX];
    const char *content_type;
    const void *body;
    size_t body_length;
    uint64_t timeout_ms;    // 0: as the options say
    uint64_t extra_ms;      // added to that
    bool endless;           // a stream without any bound
    http_chunk_fn on_chunk; // called with the struct docker_call
    struct docker_tolerated tolerated[DOCKER_TOLERATED_MAX];
    enum docker_shape shape;
    struct json_memo *memo; // NULL: none
};

// One operation: a request, or several in turn. Embedded first in a larger struct of one block from
// calloc; docker_call_free frees it.
struct docker_call {
    struct docker *docker;
    struct docker_call *previous;
    struct docker_call *next;
    struct http_call *http; // the request under way, else NULL
    char *what;
    enum docker_effect effect; // of all its requests together
    struct docker_tolerated tolerated[DOCKER_TOLERATED_MAX];
    // The answer (successful or tolerated) or NULL with why there is none. Either sends the next
    // request, or tells the caller; in the latter case the call is freed afterwards.
    void (*answered)(struct docker_call *call, struct http_response *response, struct error *err);
    void (*destroy)(struct docker_call *call); // frees what the larger struct owns, may be NULL
};

void docker_call_free(struct docker_call *call);
DEFINE_CLEANUP(struct docker_call *, docker_call_free)

// Sends the first or the next request of a call. The call then belongs to the client until
// `answered` runs; on failure it stays with the caller. Returns 0 or -errno.
int docker_call_send(struct docker *docker, struct docker_call *call,
                     const struct docker_request *request, struct error *err);

// A request whose answer is nothing or JSON of the shape it names.
int docker_submit(struct docker *docker, const struct docker_request *request, docker_done_fn done,
                  void *ctx, struct error *err);

// Appends the JSON text of a request's body, which NULL says there was no memory for.
#define DOCKER_BODY_BYTES_MAX (4u * 1024u * 1024u)
int docker_print_body(const char *verb, const json_t *body, struct buf *ret, struct error *err);

// As docker_submit, with JSON text of `body` (borrowed until return) as the body.
int docker_submit_json(struct docker *docker, struct docker_request request, const json_t *body,
                       docker_done_fn done, void *ctx, struct error *err);

// Decodes a body that must be an object or an array; memo may be NULL. The caller owns *ret.
int docker_decode(const struct docker_call *call, const struct buf *body, enum docker_shape shape,
                  struct json_memo *memo, json_t **ret, struct error *err);

// "engine: WHAT: reason". Returns -code.
int docker_error(const struct docker_call *call, struct error *err, enum error_kind kind, int code,
                 const char *reason);
