// A scripted http_transport for tests of clients: it records every request and answers it from a
// script, and only when the test says so: `done` never runs inside http_send or http_cancel, it
// runs inside fake_transport_run.
//
//     struct fake_transport *fake = fake_transport_new();
//     ... give fake_transport_http(fake) to the client under test ...
//     fake_transport_reply(fake, 200, "{}");
//     ... submit a request ...
//     fake_transport_run(fake);
//     assert_string_equal(fake_transport_last(fake)->path, "/v1.41/info");
//     ... free the client ...
//     fake_transport_free(fake);
#pragma once

#include "lib/http/http.h"

#include <stdbool.h>
#include <stddef.h>

struct fake_transport;

struct fake_transport *fake_transport_new(void);

// All clients must have been freed.
void fake_transport_free(struct fake_transport *fake);

struct http_transport *fake_transport_http(struct fake_transport *fake);

// One answer of the script. All but the fields named is zero.
struct fake_answer {
    int status;          // 0: no answer at all, but error
    const char *headers; // "Name: value\r\n" lines, NULL for none
    const char *body;    // NULL for none
    size_t length;       // of body; 0: strlen(body)
    size_t chunk;        // bytes per on_chunk call of a stream; 0: all in one
    struct error error;  // with a status and a kind: the body comes, then the exchange breaks
};

// Appends to the script: copies the answer. Requests take answers in the order they were sent; a
// request beyond the end of the script stays under way.
void fake_transport_answer(struct fake_transport *fake, const struct fake_answer *answer);
void fake_transport_reply(struct fake_transport *fake, int status, const char *body);
void fake_transport_fail(struct fake_transport *fake, enum error_kind kind, int code,
                         const char *text);

// Answers what is under way, also what is sent meanwhile, until every request is done or waits for
// a longer script. A cancelled request takes no answer. Returns how many `done` ran.
size_t fake_transport_run(struct fake_transport *fake);

// As fake_transport_run, but at most one `done`. Returns false when there was none to run.
bool fake_transport_advance(struct fake_transport *fake);

// Delivers a piece of the body of a stream that is under way (request is its id); the stream stays
// open. When on_chunk refuses it, the next run ends it. false: it is no longer under way.
bool fake_transport_push(struct fake_transport *fake, size_t request, const char *data,
                         size_t length);

// The next `count` calls of http_send are refused with -code.
void fake_transport_refuse(struct fake_transport *fake, size_t count, int code);

struct fake_request {
    size_t id; // how many were sent before it
    enum http_method method;
    const char *path;
    const char *accept;       // NULL for none
    const char *content_type; // likewise
    const char *body;         // NUL-terminated, "" for none
    size_t body_length;
    uint64_t timeout_ms;
    size_t max_body;
    bool streamed; // had on_chunk
    bool cancelled;
    bool done;
    size_t endpoint; // which client sent it, as in fake_transport_endpoint
};

// ---- in the place of a script, for a driver outside and runs of days: tests/sim

// What is done is forgotten from here on, and what of its client is freed.
void fake_transport_forget(struct fake_transport *fake);
// The next request that was not told yet; NULL: there is none. One that is cancelled may be none.
const struct fake_request *fake_transport_next(struct fake_transport *fake);
// Runs `done`; false: the request is no longer under way.
bool fake_transport_answer_now(struct fake_transport *fake, size_t request,
                               const struct fake_answer *answer);
// Whether fake_transport_run would end something that was cancelled, or that its reader gave up.
bool fake_transport_is_due(const struct fake_transport *fake);
size_t fake_transport_clients(const struct fake_transport *fake); // that were not freed

// ---- what was asked for

// The requests in the order they were sent; an index beyond the count fails the test.
size_t fake_transport_count(const struct fake_transport *fake);
size_t fake_transport_under_way(const struct fake_transport *fake);
const struct fake_request *fake_transport_request(const struct fake_transport *fake, size_t index);
const struct fake_request *fake_transport_last(const struct fake_transport *fake);

// The endpoints of the clients made, in order. The strings are copies, NULL where they were.
struct fake_endpoint {
    const char *unix_socket;
    const char *base;
    const char *ca_pem;
    const char *cert_pem;
    const char *key_pem;
    const char *bearer_token;
    const char *tls_server_name;
    bool freed; // its client was freed
};
size_t fake_transport_endpoint_count(const struct fake_transport *fake);
const struct fake_endpoint *fake_transport_endpoint(const struct fake_transport *fake,
                                                    size_t index);
