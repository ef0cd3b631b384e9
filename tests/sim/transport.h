// An http_transport whose requests are answered from outside. `done` runs within answer, chunk, end
// and settle alone.
#pragma once

#include "lib/http/http.h"

struct sim_transport;

// Valid until the next call.
struct sim_request {
    uint64_t id;
    const char *endpoint; // path of a unix socket, or a base: "https://127.0.0.1:6443"
    const char *method;
    const char *path;    // query included
    const char *headers; // "Name: value\r\n" lines
    const char *body;
    size_t body_length;
    uint64_t timeout_ms; // 0: none
    bool is_stream;      // what is sent back goes to the program as it comes
};

// What must not grow.
struct sim_counts {
    size_t clients;
    size_t calls; // under way
    uint64_t requests;
};

struct sim_transport *sim_transport_new(void);
// Every client must have been freed.
void sim_transport_free(struct sim_transport *transport);
struct http_transport *sim_transport_base(struct sim_transport *transport);

// The next request that was sent since; false: there is none. One that is cancelled may not come at
// all.
bool sim_transport_next(struct sim_transport *transport, struct sim_request *ret);
// Answers a request; of a stream the body is all of it. Each of these three returns false, and does
// nothing, where the request is no longer under way.
bool sim_transport_answer(struct sim_transport *transport, uint64_t id, int status,
                          const char *headers, const char *body, size_t length);
// A piece of the body of a stream, whose status then is 200.
bool sim_transport_chunk(struct sim_transport *transport, uint64_t id, const char *data,
                         size_t length);
// The end of a stream's body with code 0, else the end of the request with this errno.
bool sim_transport_end(struct sim_transport *transport, uint64_t id, int code);
void sim_transport_count(const struct sim_transport *transport, struct sim_counts *ret);

// Ends one call that was cancelled, or that its reader gave up; false: there is none.
bool sim_transport_settle(struct sim_transport *transport);
bool sim_transport_is_due(const struct sim_transport *transport);
