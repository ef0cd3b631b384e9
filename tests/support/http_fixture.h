// A loop, a transport, a scripted server and a client of it, for the tests of lib/http.
#pragma once

#include "lib/http/curl_transport.h"
#include "tests/support/http_server.h"

struct http_fixture {
    uv_loop_t loop;
    struct http_transport *transport;
    struct http_server *server;
    struct http_client *client;
    char *directory; // for sockets; must be empty again at the end
    char *path;      // of the server's socket
};
extern struct http_fixture fixture;

// What became of a request; filled by the callbacks of fixture_send.
struct outcome {
    struct http_call *call;
    struct http_client *free_in_done;
    struct http_call *cancel_in_done; // of the fixture's client
    const char *send_in_done;         // a path, into `next`
    struct outcome *next;
    bool cancel_in_chunk;
    int chunk_result; // what on_chunk returns
    unsigned chunks;
    size_t chunk_bytes;
    char chunk_text[64]; // their beginning
    unsigned done;
    int status;
    char body[64]; // its beginning
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
#define UNIX(test) cmocka_unit_test_setup_teardown(test, http_fixture_unix, http_fixture_teardown)
#define TCP(test) cmocka_unit_test_setup_teardown(test, http_fixture_tcp, http_fixture_teardown)

struct http_client *fixture_client(struct http_endpoint endpoint);

// Sends a request of the fixture's client, or of another one, that fills outcome; asserts that
// nothing was called meanwhile.
void fixture_send(struct http_client *client, struct http_request request, struct outcome *outcome);
void fixture_begin(const char *path, struct outcome *outcome);
// The same, with the body streamed.
void fixture_stream(const char *path, struct outcome *outcome);

// Runs the loop until nothing is left to do.
void fixture_run(void);

// Sends and runs. The second: a GET by the fixture's client with a generous timeout.
struct outcome fixture_ask(struct http_client *client, struct http_request request);
struct outcome fixture_get(const char *path);

// Asserts that it ended once, without an answer, for this reason, of a kind that may pass.
void outcome_failed(const struct outcome *outcome, int code, const char *text);
