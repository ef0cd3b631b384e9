// A scripted HTTP server in a thread of the test, one more thread per connection. It answers what
// a route says, byte for byte, so that it can also misbehave.
#pragma once

#include <stddef.h>

enum http_server_then {
    HTTP_SERVER_KEEP,  // wait for the next request
    HTTP_SERVER_CLOSE, // close the connection
    HTTP_SERVER_RESET, // close it with an RST (TCP)
    HTTP_SERVER_HANG,  // say no more until the client or the server goes
};

struct http_server_route {
    const char *request; // "GET /path": what the request line begins with, up to a space or '?'
    const char *answer;  // status line, headers, body; NULL: nothing
    const char *body;    // more body, sent `repeat` times; may be NULL
    unsigned repeat;
    enum http_server_then then;
    _Bool bytewise; // every byte in a packet of its own
};

struct http_server;

// Listens on a unix socket, or for NULL on a free port of 127.0.0.1. The routes (borrowed until
// stop) end with an all-zero one; another request is answered with an empty 404. Never fails: it
// aborts the test program.
struct http_server *http_server_start(const char *unix_socket,
                                      const struct http_server_route *routes);

// Closes all connections, waits for the threads, removes the socket.
void http_server_stop(struct http_server *server);

// "http://localhost" or "http://127.0.0.1:PORT", borrowed until stop.
const char *http_server_base(const struct http_server *server);

unsigned http_server_connections(struct http_server *server); // accepted so far
unsigned http_server_requests(struct http_server *server);    // received whole so far

// The last request as received, head and body; the caller frees.
char *http_server_last_request(struct http_server *server);
