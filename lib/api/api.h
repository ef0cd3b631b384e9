// JSON over HTTP, as the Docker Engine, Kubernetes and registries speak it: requests, their answers
// as JSON, streams of JSON lines, and why there is no answer. Asynchronous, with the contract of
// lib/http/http.h: a call that was begun (0) runs its callback exactly once, later; one that was
// not (-errno) never does.
//
// Errors are "NAME: WHAT: REASON". Where the other side said the reason, they have its status, the
// kind of http_status_kind() and what a Retry-After header asks for, and no secret stands in them.
#pragma once

#include "lib/base/error.h"
#include "lib/base/secret.h"
#include "lib/http/http.h"

#include <jansson.h>
#include <sys/queue.h>

#define API_ARGS_MAX 3
#define API_TOLERATED_MAX 3
#define API_BODY_BYTES_MAX (4u * 1024u * 1024u) // of a request's JSON
#define API_LINE_BYTES_MAX (8u * 1024u * 1024u) // of a stream's line
#define API_ENDLESS UINT64_MAX                  // for timeout_ms

// A client. Embedded first in its owner's struct, in a block of its own.
struct api {
    const char *name;              // of the other side, heads all error texts; static
    const char *accept;            // media type of the answers, NULL: any; static
    uint64_t timeout_ms;           // of a request that has none of its own
    const struct secrets *secrets; // borrowed until api_free
    // May be NULL. Sees each failure but ECANCELED before it is told, and may change it. said: the
    // other side's words, NULL when there was no answer.
    void (*failed)(struct api *api, const char *said, struct error *err);
    // ---- set by api_open
    struct http_client *http;
    LIST_HEAD(api_call_list, api_call) calls;
    bool freed; // by its owner: the last call frees the block
};

// Connects nothing yet; borrows endpoint until return. The transport must outlive the client.
int api_open(struct api *api, struct http_transport *transport,
             const struct http_endpoint *endpoint, struct error *err);

// Ends all calls early. The block goes with the last one's callback, or at once. NULL is fine.
void api_free(struct api *api);

// What a call that is cut short leaves behind.
enum api_effect {
    API_CHANGES, // a change of which nobody knows whether it was made
    API_READS,   // nothing
    API_WATCHES, // nothing: it follows events
};
// Ends the calls of this effect and of those below it early; each still runs its callback with code
// ECANCELED. api_cancel_about: those whose first argument is about alone.
void api_cancel(struct api *api, enum api_effect from);
void api_cancel_about(struct api *api, const char *about, enum api_effect from);

// An error that is none, since what was asked for is so already: a status and, unless NULL, a part
// of the message or the reason that stand in the answer.
struct api_tolerated {
    int status;
    const char *message;
    const char *reason;
};

struct api_answer {
    const char *what;                     // "NAME: WHAT", the head of an error of the owner's own
    const struct http_response *response; // NULL when there is an error
    json_t *json;                         // NULL without a check, and when tolerated
};

// Why the other side ends a stream, as a line of it tells.
struct api_refusal {
    const char *message; // NULL: the line tells nothing of that kind
    int status;          // of HTTP's, 0: none
    enum error_kind kind;
};

// The answer, borrowed until return, or an error.
typedef void (*api_raw_fn)(void *ctx, const struct api_answer *answer, const struct error *err);
// The answer's JSON alone.
typedef void (*api_done_fn)(void *ctx, json_t *answer, const struct error *err);
// What is wrong with an answer's JSON, NULL when nothing is.
typedef const char *(*api_check_fn)(const json_t *answer);
// A line of a stream, borrowed until return. A negative return ends it.
typedef int (*api_event_fn)(void *ctx, const json_t *event);
typedef struct api_refusal (*api_refused_fn)(const json_t *event);

const char *api_check_object(const json_t *answer);

// Borrowed until api_send returns; texts but prefix, args and body are static. $0 to $2 in what and
// path stand for the args, in the path percent-encoded and never empty; one that is NULL takes its
// query parameter away, which then is the last one.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): a row begins with these four
struct api_request {
    enum http_method method;
    const char *what; // "create container $0"; NULL: the method and the prefix
    const char *path; // "/containers/create?name=$0"; NULL: the prefix alone
    enum api_effect effect;
    const char *content_type; // NULL: no body
    api_check_fn check;       // NULL: an answer's body is not looked at
    struct api_tolerated tolerated[API_TOLERATED_MAX];
    uint64_t timeout_ms; // 0: the client's
    const char *prefix;  // of the path, as it is; may be NULL
    const char *args[API_ARGS_MAX];
    const json_t *json; // the body, or, when that is NULL:
    const void *body;
    size_t body_length;
    api_event_fn on_event;  // the answer is a stream of JSON lines
    api_refused_fn refused; // of these; may be NULL
    api_done_fn done;       // one of the two
    api_raw_fn raw;
    void *ctx; // of all callbacks
    size_t
        ctx_size; // they get a copy of so many bytes, which is gone after the last; 0: ctx itself
};

int api_send(struct api *api, const struct api_request *request, struct error *err);
