#include "tests/support/http_server.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONNECTIONS_MAX 256
#define REQUEST_MAX (4u * 1024u * 1024u)
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            perror("http_server: " #condition);                                                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct connection {
    struct http_server *server;
    pthread_t thread;
    int fd; // closed by stop alone, so that its number stays taken
};

struct http_server {
    const struct http_server_route *routes;
    char *unix_socket;
    char *base;
    int fd;
    pthread_t thread;
    pthread_mutex_t lock; // for all below
    struct connection connections[CONNECTIONS_MAX];
    unsigned connection_count;
    unsigned request_count;
    char *last_request;
};

static bool send_all(int fd, const char *data, size_t length, bool bytewise)
{
    while (length > 0) {
        ssize_t n = send(fd, data, bytewise ? 1 : length, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static size_t content_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");
    return field == NULL ? 0 : strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
}

// Reads one request; false when there is none any more.
static bool receive(int fd, struct buf *request)
{
    for (;;) {
        const char *head_end = strstr(buf_str(request), "\r\n\r\n");
        if (head_end != NULL) {
            size_t head = (size_t)(head_end - request->data) + 4;
            if (request->length >= head + content_length(request->data)) {
                return true;
            }
        }
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0) {
            return false;
        }
        MUST(buf_append(request, piece, (size_t)n) == 0);
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
        if (strncmp(request, route->request, length) == 0 &&
            (request[length] == ' ' || request[length] == '?')) {
            return route;
        }
    }
    return &unknown;
}

static bool answer(int fd, const struct http_server_route *route)
{
    if (route->answer != NULL &&
        !send_all(fd, route->answer, strlen(route->answer), route->bytewise)) {
        return false;
    }
    for (unsigned i = 0; i < route->repeat; i++) {
        if (!send_all(fd, route->body, strlen(route->body), route->bytewise)) {
            return false;
        }
    }
    return true;
}

static void note_request(struct http_server *server, const struct buf *request)
{
    MUST(pthread_mutex_lock(&server->lock) == 0);
    server->request_count++;
    str_replace(&server->last_request, request->data);
    MUST(pthread_mutex_unlock(&server->lock) == 0);
}

static void hang(int fd)
{
    char piece[256];
    while (recv(fd, piece, sizeof(piece), 0) > 0) {
    }
}

static void *serve(void *ctx)
{
    const struct connection *connection = ctx;
    int fd = connection->fd;
    _cleanup_buf_ struct buf request = BUF_INIT(REQUEST_MAX);
    while (receive(fd, &request)) {
        note_request(connection->server, &request);
        const struct http_server_route *route = find_route(connection->server, request.data);
        buf_truncate(&request, 0);
        if (!answer(fd, route) || route->then == HTTP_SERVER_CLOSE) {
            break;
        }
        if (route->then == HTTP_SERVER_HANG) {
            hang(fd);
            break;
        }
        if (route->then == HTTP_SERVER_RESET) {
            // Disconnecting a TCP socket sends an RST at once and keeps the descriptor.
            struct linger linger = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
            struct sockaddr none = {.sa_family = AF_UNSPEC};
            (void)connect(fd, &none, sizeof(none));
            break;
        }
    }
    (void)shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct http_server *server = ctx;
    int fd;
    while ((fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // not for a unix socket
        MUST(pthread_mutex_lock(&server->lock) == 0);
        MUST(server->connection_count < CONNECTIONS_MAX);
        struct connection *connection = &server->connections[server->connection_count];
        *connection = (struct connection){.server = server, .fd = fd};
        MUST(pthread_create(&connection->thread, NULL, serve, connection) == 0);
        server->connection_count++;
        MUST(pthread_mutex_unlock(&server->lock) == 0);
    }
    return NULL;
}

static void listen_unix(struct http_server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    MUST(strlen(path) < sizeof(address.sun_path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(server->fd >= 0);
    MUST(bind(server->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    server->unix_socket = str_dup(path);
    server->base = str_dup("http://localhost");
}

static void listen_tcp(struct http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(server->fd >= 0);
    MUST(bind(server->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    MUST(getsockname(server->fd, (struct sockaddr *)&address, &size) == 0);
    server->base = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
}

struct http_server *http_server_start(const char *unix_socket,
                                      const struct http_server_route *routes)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->routes = routes;
    MUST(pthread_mutex_init(&server->lock, NULL) == 0);
    if (unix_socket != NULL) {
        listen_unix(server, unix_socket);
    } else {
        listen_tcp(server);
    }
    MUST(listen(server->fd, CONNECTIONS_MAX) == 0);
    MUST(pthread_create(&server->thread, NULL, accept_all, server) == 0);
    return server;
}

void http_server_stop(struct http_server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR);
    MUST(pthread_join(server->thread, NULL) == 0);
    (void)close(server->fd);
    // No connection is added any more.
    for (unsigned i = 0; i < server->connection_count; i++) {
        (void)shutdown(server->connections[i].fd, SHUT_RDWR);
        MUST(pthread_join(server->connections[i].thread, NULL) == 0);
        (void)close(server->connections[i].fd);
    }
    if (server->unix_socket != NULL) {
        (void)unlink(server->unix_socket);
    }
    MUST(pthread_mutex_destroy(&server->lock) == 0);
    free(server->unix_socket);
    free(server->base);
    free(server->last_request);
    free(server);
}

const char *http_server_base(const struct http_server *server)
{
    return server->base;
}

static unsigned locked_read(struct http_server *server, const unsigned *value)
{
    MUST(pthread_mutex_lock(&server->lock) == 0);
    unsigned copy = *value;
    MUST(pthread_mutex_unlock(&server->lock) == 0);
    return copy;
}

unsigned http_server_connections(struct http_server *server)
{
    return locked_read(server, &server->connection_count);
}

unsigned http_server_requests(struct http_server *server)
{
    return locked_read(server, &server->request_count);
}

char *http_server_last_request(struct http_server *server)
{
    MUST(pthread_mutex_lock(&server->lock) == 0);
    char *copy = str_dup(server->last_request);
    MUST(pthread_mutex_unlock(&server->lock) == 0);
    return copy;
}
