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
    struct curl_driver *driver;
    bool kept;    // until the socket is closed
    int events;   // that it is polled for
    bool resting; // polled, but no longer for curl, and nothing that the loop would wait for
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct curl_socket *sock = handle->data;
    curl_driver_handle_closed(sock->driver);
    free(sock);
}

static void forget(struct curl_driver *driver, curl_socket_t fd)
{
    struct curl_socket *sock = driver->sockets[fd];
    driver->sockets[fd] = NULL;
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

static struct curl_socket *find(const struct curl_driver *driver, curl_socket_t fd)
{
    return (size_t)fd < driver->socket_count ? driver->sockets[fd] : NULL;
}

static int make_room(struct curl_driver *driver, curl_socket_t fd)
{
    size_t count = (size_t)fd + 1;
    if (count <= driver->socket_count) {
        return 0;
    }
    struct curl_socket **sockets = reallocarray(driver->sockets, count, sizeof(void *));
    if (sockets == NULL) {
        return -ENOMEM;
    }
    for (size_t i = driver->socket_count; i < count; i++) {
        sockets[i] = NULL;
    }
    driver->sockets = sockets;
    driver->socket_count = count;
    return 0;
}

// Returns NULL when there can be none, and errno says why.
static struct curl_socket *add(struct curl_driver *driver, curl_socket_t fd, bool kept)
{
    _cleanup_free_ struct curl_socket *sock = calloc(1, sizeof(*sock));
    if (sock == NULL || make_room(driver, fd) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    if (find(driver, fd) != NULL) {
        // A socket that is given up before it is connected curl closes without asking (7.88,
        // lib/cf-socket.c, cf_socket_close): whose number this was is gone.
        forget(driver, fd);
    }
    int r = uv_poll_init_socket(driver->loop, &sock->poll, fd);
    if (r < 0) {
        errno = -r;
        return NULL;
    }
    sock->poll.data = sock;
    sock->driver = driver;
    sock->kept = kept;
    driver->sockets[fd] = sock;
    driver->handles++;
    return TAKE_PTR(sock);
}

curl_socket_t curl_socket_open(struct curl_driver *driver, const struct curl_sockaddr *address)
{
    _cleanup_close_ int fd =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 || add(driver, fd, true) == NULL ? CURL_SOCKET_BAD : TAKE_FD(fd);
}

int curl_socket_close(void *ctx, curl_socket_t fd)
{
    struct curl_driver *driver = ctx;
    if (find(driver, fd) != NULL) {
        forget(driver, fd);
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
        curl_driver_perform(sock->driver, fd, flags);
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
    struct curl_driver *driver = ctx;
    struct curl_socket *sock = find(driver, fd);
    if (what == CURL_POLL_REMOVE) {
        // Also comes for sockets that were never announced (curl #17949).
        if (sock != NULL && sock->kept && sock->events == UV_READABLE && has_answered(easy)) {
            rest(sock, true);
        } else if (sock != NULL && sock->kept) {
            stop(sock);
        } else if (sock != NULL) {
            forget(driver, fd);
        }
        return 0;
    }
    if (sock == NULL) {
        sock = add(driver, fd, false);
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

void curl_sockets_forget(struct curl_driver *driver)
{
    for (size_t fd = 0; fd < driver->socket_count; fd++) {
        if (driver->sockets[fd] != NULL) {
            forget(driver, (curl_socket_t)fd);
        }
    }
    free(driver->sockets);
    driver->sockets = NULL;
    driver->socket_count = 0;
}
