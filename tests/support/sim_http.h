// An http_transport without sockets, whose servers are functions of the test. A request is under
// way until the test delivers its answer: `done` never runs inside http_send or http_cancel. The
// server sees the request when it is delivered, so that what was sent side by side is answered
// from the world of that moment. A stream stays under way; what its server tells is delivered like
// an answer.
//
// The double looks away from allocations (tests/support/alloc.h), but for what a real transport
// would need memory for: the call and the answer's body.
#pragma once

#include "lib/http/http.h"
#include "tests/support/random.h"

struct sim_request {
    enum http_method method;
    const char *line; // "GET /path?query"
    const char *path; // within line
    const char *body; // NUL-terminated, "" for none
    size_t body_length;
};

// All zero but what is set; headers and body are freed by the transport.
struct sim_reply {
    int status;     // 0: the connection is closed without an answer
    char *headers;  // "Name: value\r\n" lines
    char *body;     // NUL-terminated
    size_t length;  // of the body; 0: strlen
    bool is_stream; // a 200 whose body goes on: sim_http_tell
};

typedef void (*sim_serve_fn)(void *ctx, const struct sim_request *request, struct sim_reply *reply);

struct sim_http;

struct sim_http *sim_http_new(void);
// Every client must have been freed.
void sim_http_free(struct sim_http *http);
struct http_transport *sim_http_transport(struct sim_http *http);

// Answers what goes to address: the path of a unix socket or a base, "https://127.0.0.1:6443". One
// without a server refuses connections. ctx NULL: the server is gone, its streams end.
void sim_http_serve(struct sim_http *http, const char *address, sim_serve_fn serve, void *ctx);

// Appends to each of the server's streams whose request line begins with line, or ends it (NULL).
void sim_http_tell(struct sim_http *http, const void *ctx, const char *line, const char *text);

// Delivers one thing: an answer, a piece of a stream, the end of what was cancelled. False: nothing
// is left to be delivered.
bool sim_http_step(struct sim_http *http);
// In the order of their sending, or for random choices (borrowed) in any order.
void sim_http_shuffle(struct sim_http *http, struct random *random);

size_t sim_http_under_way(const struct sim_http *http); // streams included
size_t sim_http_streams(const struct sim_http *http);
uint64_t sim_http_requests(const struct sim_http *http); // sent so far

// Writes a line for each request sent from now on; NULL ends it.
void sim_http_record(struct sim_http *http, struct buf *log);

enum sim_fault_kind {
    SIM_REFUSED,  // no connection
    SIM_SILENT,   // no answer in time, and the server has not seen it
    SIM_LOST,     // the server did what it was asked to, but the answer is lost
    SIM_STATUS,   // an answer of this status, with a proxy's page; the server has not seen it
    SIM_GARBAGE,  // an answer of 200 that is no JSON
    SIM_SHAPELESS // JSON of another shape
};

struct sim_fault {
    const char *line; // the request line contains it; borrowed
    enum sim_fault_kind kind;
    int status;
    unsigned count; // of requests that it hits
};

// Replaces the fault that was there; NULL: none from now on.
void sim_http_fault(struct sim_http *http, const struct sim_fault *fault);
