#include "tests/support/http_server.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <arpa/inet.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BACKLOG 256
#define REQUEST_MAX (4u * 1024u * 1024u)

struct http_server_connection {
    union http_server_handle handle; // first
    struct http_server *server;
    struct buf request;
    const struct http_server_route *route; // that is answered
    const char *rest;                      // of the answer, or of the body that is sent
    size_t length;                         // of that
    unsigned repeat;                       // bodies that follow
    uv_write_t write;
};

static void close_handle(union http_server_handle *handle)
{
    if (!uv_is_closing(&handle->handle)) {
        uv_close(&handle->handle, NULL);
    }
}

static void on_written(uv_write_t *write, int status);

static void send_next(struct http_server_connection *connection)
{
    const struct http_server_route *route = connection->route;
    if (connection->length == 0 && connection->repeat > 0) {
        connection->repeat--;
        connection->rest = route->body;
        connection->length = strlen(route->body);
    }
    if (connection->length > 0) {
        size_t length = route->bytewise ? 1 : connection->length;
        const uv_buf_t piece = {.base = (char *)connection->rest, .len = length};
        connection->rest += length;
        connection->length -= length;
        connection->write.data = connection;
        assert_int_equal(
            uv_write(&connection->write, &connection->handle.stream, &piece, 1, on_written), 0);
    } else if (route->then == HTTP_SERVER_CLOSE) {
        close_handle(&connection->handle);
    } else if (route->then == HTTP_SERVER_RESET) {
        assert_int_equal(uv_tcp_close_reset(&connection->handle.tcp, NULL), 0);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct http_server_connection *connection = write->data;
    if (status == 0) {
        send_next(connection);
    } else {
        close_handle(&connection->handle);
    }
}

static const struct http_server_route *find_route(const struct http_server *server,
                                                  const char *request)
{
    static const struct http_server_route unknown = {
        .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    };
    for (const struct http_server_route *route = server->routes; route->request != NULL; route++) {
        size_t length = strlen(route->request);
        if (str_starts_with(request, route->request) &&
            (request[length] == ' ' || request[length] == '?')) {
            return route;
        }
    }
    return &unknown;
}

static bool is_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\nContent-Length:");
    return end != NULL &&
           (length == NULL || length > end ||
            strlen(end + 4) >= strtoul(length + strlen("\r\nContent-Length:"), NULL, 10));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *piece)
{
    struct http_server_connection *connection = (struct http_server_connection *)stream;
    struct http_server *server = connection->server;
    if (count < 0) {
        close_handle(&connection->handle);
        return;
    }
    assert_int_equal(buf_append(&connection->request, piece->base, (size_t)count), 0);
    if (is_whole(buf_str(&connection->request))) {
        server->requests++;
        str_replace(&server->last_request, buf_str(&connection->request));
        buf_truncate(&connection->request, 0);
        connection->route = find_route(server, server->last_request);
        connection->rest = connection->route->answer == NULL ? "" : connection->route->answer;
        connection->length =
            connection->route->length == 0 ? strlen(connection->rest) : connection->route->length;
        connection->repeat = connection->route->repeat;
        send_next(connection);
    }
}

static void on_alloc(_unused_ uv_handle_t *handle, _unused_ size_t size, uv_buf_t *ret)
{
    static char space[65536];
    *ret = uv_buf_init(space, sizeof(space));
}

// What it has keeps the loop from ending no more than another process would.
static void init_handle(uv_loop_t *loop, bool is_unix, union http_server_handle *ret)
{
    assert_int_equal(is_unix ? uv_pipe_init(loop, &ret->pipe, 0) : uv_tcp_init(loop, &ret->tcp), 0);
    uv_unref(&ret->handle);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = (struct http_server *)listener;
    struct http_server_connection *connection = xcalloc(1, sizeof(*connection));
    bool is_unix = listener->type == UV_NAMED_PIPE;
    assert_int_equal(status, 0);
    connection->server = server;
    connection->request = BUF_INIT(REQUEST_MAX);
    *ARRAY_GROW(server->connections, server->connection_count) = connection;
    init_handle(listener->loop, is_unix, &connection->handle);
    assert_int_equal(uv_accept(listener, &connection->handle.stream), 0);
    assert_int_equal(is_unix ? 0 : uv_tcp_nodelay(&connection->handle.tcp, 1), 0);
    assert_int_equal(uv_read_start(&connection->handle.stream, on_alloc, on_read), 0);
}

struct http_server *http_server_start(uv_loop_t *loop, const char *unix_socket,
                                      const struct http_server_route *routes)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->routes = routes;
    init_handle(loop, unix_socket != NULL, &server->listener);
    if (unix_socket != NULL) {
        assert_int_equal(uv_pipe_bind(&server->listener.pipe, unix_socket), 0);
        server->base = str_dup("http://localhost");
    } else {
        struct sockaddr_in address;
        int size = sizeof(address);
        assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
        assert_int_equal(uv_tcp_bind(&server->listener.tcp, (struct sockaddr *)&address, 0), 0);
        assert_int_equal(
            uv_tcp_getsockname(&server->listener.tcp, (struct sockaddr *)&address, &size), 0);
        server->base = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
    }
    assert_int_equal(uv_listen(&server->listener.stream, BACKLOG, on_connection), 0);
    return server;
}

void http_server_stop(struct http_server *server)
{
    uv_loop_t *loop = server->listener.handle.loop;
    close_handle(&server->listener);
    for (size_t i = 0; i < server->connection_count; i++) {
        close_handle(&server->connections[i]->handle);
    }
    (void)uv_run(loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < server->connection_count; i++) {
        buf_done(&server->connections[i]->request);
        free(server->connections[i]);
    }
    free(server->connections);
    free(server->base);
    free(server->last_request);
    free(server);
}
