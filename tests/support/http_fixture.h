// A loop, a transport, a scripted server and a client of it, for the tests of lib/http.
#pragma once

#include "lib/http/curl_transport.h"
#include "tests/support/http_server.h"

struct http_fixture {
    uv_loop_t loop;
    struct http_transport *transport;
    struct http_server *server;
    struct http_client *client;
    char *directory; // for sockets and files; must be empty again at the end
    char *path;      // of the server's socket
};

// What became of a request; filled by http_fixture_send's callbacks.
struct http_outcome {
    struct http_fixture *fixture;
    struct http_call *call;
    struct http_client *free_in_done;
    struct http_call *cancel_in_done; // of the fixture's client
    const char *send_in_done;         // a path, into `next`
    struct http_outcome *next;
    bool cancel_in_chunk;
    int chunk_result; // what on_chunk returns
    unsigned chunks;
    size_t chunk_bytes;
    char chunk_text[64]; // their beginning
    unsigned done;
    int status;
    char body[64];
    size_t body_length;
    char kind[16]; // the answer's X-Kind
    struct error err;
};

#define HTTP_FIXTURE_BIG 6400000 // bytes of the body of GET /huge

extern const struct http_server_route http_fixture_routes[];

// cmocka's setup, with a unix socket or TCP, and teardown, which checks that the loop closes.
int http_fixture_unix(void **state);
int http_fixture_tcp(void **state);
int http_fixture_teardown(void **state);

struct http_client *http_fixture_client(struct http_fixture *f,
                                        const struct http_endpoint *endpoint);

// Sends a request that fills outcome; asserts that nothing was called meanwhile.
void http_fixture_send(struct http_fixture *f, struct http_client *client,
                       struct http_request request, struct http_outcome *outcome);
// The same, with the body streamed.
void http_fixture_stream(struct http_fixture *f, const char *path, struct http_outcome *outcome);

// Runs the loop until nothing is left to do.
void http_fixture_run(struct http_fixture *f);

// Both send and run. The second: a GET by the fixture's client with a generous timeout.
struct http_outcome http_fixture_get_from(struct http_fixture *f, struct http_client *client,
                                          struct http_request request);
struct http_outcome http_fixture_get(struct http_fixture *f, const char *path);

// Asserts that there was no answer, for this reason, of a kind that may pass.
void http_outcome_failed(const struct http_outcome *outcome, int code, const char *text);
