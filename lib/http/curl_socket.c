// The sockets that curl wants watched, as handles of the loop. The handle of a connection lives as
// long as its socket, and between two requests it stays in the poll set: each way in or out of that
// is a system call or two. What curl opens without asking (its resolver's wake-up) has a handle for
// as long as it is watched.
#include "lib/http/curl_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct curl_socket {
    uv_poll_t poll;
    struct curl_transport *transport;
    bool kept;    // until the socket is closed
    int events;   // that it is polled for
    bool resting; // polled, but no longer for curl, and nothing that the loop would wait for
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct curl_socket *sock = handle->data;
    curl_transport_handle_closed(sock->transport);
    free(sock);
}

static void forget(struct curl_transport *transport, curl_socket_t fd)
{
    struct curl_socket *sock = transport->sockets[fd];
    transport->sockets[fd] = NULL;
    // The descriptor is closed soon: it must be out of the poll set before.
    (void)uv_poll_stop(&sock->poll);
    uv_close((uv_handle_t *)&sock->poll, on_handle_closed);
}

static void stop(struct curl_socket *sock)
{
    (void)uv_poll_stop(&sock->poll);
    sock->events = 0;
}

static int start(struct curl_socket *sock, int events, uv_poll_cb on_poll)
{
    if (events == sock->events) {
        return 0;
    }
    int r = uv_poll_start(&sock->poll, events, on_poll);
    sock->events = r < 0 ? 0 : events;
    return r;
}

static void rest(struct curl_socket *sock, bool resting)
{
    sock->resting = resting;
    if (resting) {
        uv_unref((uv_handle_t *)&sock->poll);
    } else {
        uv_ref((uv_handle_t *)&sock->poll);
    }
}

static struct curl_socket *find(const struct curl_transport *transport, curl_socket_t fd)
{
    return (size_t)fd < transport->socket_count ? transport->sockets[fd] : NULL;
}

static int make_room(struct curl_transport *transport, curl_socket_t fd)
{
    size_t count = (size_t)fd + 1;
    if (count <= transport->socket_count) {
        return 0;
    }
    struct curl_socket **sockets = reallocarray(transport->sockets, count, sizeof(void *));
    if (sockets == NULL) {
        return -ENOMEM;
    }
    for (size_t i = transport->socket_count; i < count; i++) {
        sockets[i] = NULL;
    }
    transport->sockets = sockets;
    transport->socket_count = count;
    return 0;
}

// Returns NULL when there can be none, and errno says why.
static struct curl_socket *add(struct curl_transport *transport, curl_socket_t fd, bool kept)
{
    _cleanup_free_ struct curl_socket *sock = calloc(1, sizeof(*sock));
    if (sock == NULL || make_room(transport, fd) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    if (find(transport, fd) != NULL) {
        // A socket that is given up before it is connected curl closes without asking (7.88,
        // lib/cf-socket.c, cf_socket_close): whose number this was is gone.
        forget(transport, fd);
    }
    int r = uv_poll_init_socket(transport->loop, &sock->poll, fd);
    if (r < 0) {
        errno = -r;
        return NULL;
    }
    sock->poll.data = sock;
    sock->transport = transport;
    sock->kept = kept;
    transport->sockets[fd] = sock;
    transport->handles++;
    return TAKE_PTR(sock);
}

curl_socket_t curl_socket_open(struct curl_transport *transport,
                               const struct curl_sockaddr *address)
{
    _cleanup_close_ int fd =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 || add(transport, fd, true) == NULL ? CURL_SOCKET_BAD : TAKE_FD(fd);
}

int curl_socket_close(void *ctx, curl_socket_t fd)
{
    struct curl_transport *transport = ctx;
    if (find(transport, fd) != NULL) {
        forget(transport, fd);
    }
    return close(fd);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct curl_socket *sock = poll->data;
    if (sock->resting) {
        // The peer closes it, most likely. curl finds out when it wants to use it again.
        rest(sock, false);
        stop(sock);
        return;
    }
    if (status < 0) {
        sock->events = 0; // libuv has stopped
    }
    // With "in" beside the error curl reads, and so learns what the error is.
    int flags = status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN : 0;
    if ((events & UV_READABLE) != 0) {
        flags |= CURL_CSELECT_IN;
    }
    if ((events & UV_WRITABLE) != 0) {
        flags |= CURL_CSELECT_OUT;
    }
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)poll, &fd) == 0) {
        curl_transport_perform(sock->transport, fd, flags);
    }
}

// What answered is connected. A socket that never was may be closed without a word (see add), and
// must not seem polled to who gets its number then.
static bool has_answered(CURL *easy)
{
    long status = 0;
    return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status != 0;
}

// -1 fails every transfer, by way of curl_multi_socket_action's return value.
int curl_socket_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, _unused_ void *known)
{
    struct curl_transport *transport = ctx;
    struct curl_socket *sock = find(transport, fd);
    if (what == CURL_POLL_REMOVE) {
        // Also comes for sockets that were never announced (curl #17949).
        if (sock != NULL && sock->kept && sock->events == UV_READABLE && has_answered(easy)) {
            rest(sock, true);
        } else if (sock != NULL && sock->kept) {
            stop(sock);
        } else if (sock != NULL) {
            forget(transport, fd);
        }
        return 0;
    }
    if (sock == NULL) {
        sock = add(transport, fd, false);
        if (sock == NULL) {
            return -1;
        }
    }
    int events = 0;
    if (what != CURL_POLL_OUT) {
        events |= UV_READABLE;
    }
    if (what != CURL_POLL_IN) {
        events |= UV_WRITABLE;
    }
    if (sock->resting) {
        rest(sock, false);
    }
    return start(sock, events, on_poll) < 0 ? -1 : 0;
}

void curl_sockets_forget(struct curl_transport *transport)
{
    for (size_t fd = 0; fd < transport->socket_count; fd++) {
        if (transport->sockets[fd] != NULL) {
            forget(transport, (curl_socket_t)fd);
        }
    }
    free(transport->sockets);
    transport->sockets = NULL;
    transport->socket_count = 0;
}
