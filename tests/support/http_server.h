// A scripted HTTP server on the test's own loop. It answers what a route says, byte for byte, so
// that it can also misbehave, and keeps no loop from ending.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

enum http_server_then {
    HTTP_SERVER_KEEP,  // wait for the next request
    HTTP_SERVER_CLOSE, // close the connection
    HTTP_SERVER_RESET, // close it with an RST (TCP)
};

struct http_server_route {
    const char *request; // "GET /path": what the request line begins with, up to a space or '?'
    const char *answer;  // status line, headers, body; NULL: nothing, ever
    size_t length;       // of the answer; 0: strlen(answer)
    const char *body;    // more body, sent `repeat` times; may be NULL
    unsigned repeat;
    enum http_server_then then;
    bool bytewise; // every byte in a packet of its own
};

union http_server_handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct http_server_connection;

struct http_server {
    union http_server_handle listener;
    const struct http_server_route *routes;
    char *base;         // "http://localhost" or "http://127.0.0.1:PORT"
    unsigned requests;  // received whole so far
    char *last_request; // as received, head and body
    struct http_server_connection **connections;
    size_t connection_count; // accepted so far
};

// Listens on a unix socket, or for NULL on a free port of 127.0.0.1. The routes (borrowed until
// stop) end with an all-zero one; another request is answered with an empty 404.
struct http_server *http_server_start(uv_loop_t *loop, const char *unix_socket,
                                      const struct http_server_route *routes);
// Closes all connections, removes the socket, and turns the loop once for that.
void http_server_stop(struct http_server *server);
