// The contract of curl's side is in CURLMOPT_SOCKETFUNCTION(3), CURLMOPT_TIMERFUNCTION(3) and
// curl_multi_socket_action(3).
//
// Host names are looked up by a thread of curl's, and taking a transfer away while that runs may
// block (curl #8515): endpoints should have addresses.
#include "lib/http/curl_loop.h"

#include "lib/base/alloc.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#include <sys/queue.h>

// Connections that are kept for the next request, those in use counted.
#define CONNECTIONS_KEPT_MAX 64L

// A socket that curl wants watched.
struct watch {
    uv_poll_t poll;
    struct curl_loop *loop;
    curl_socket_t fd;
    LIST_ENTRY(watch) link;
};

struct curl_loop {
    uv_timer_t timer; // the one that curl asks for; its end is this struct's
    CURLM *multi;     // made by the first transfer, and again by the first after a failure
    LIST_HEAD(watch_list, watch) watches;
    curl_ended_fn ended;
    void *ctx;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

// The socket may be closed already: curl 7.88 first closes one that it gives up while it connects.
static void watch_close(struct watch *watch)
{
    LIST_REMOVE(watch, link);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

// Closes also the connections that are kept.
static void drop_multi(struct curl_loop *loop)
{
    (void)curl_multi_cleanup(TAKE_PTR(loop->multi));
    while (!LIST_EMPTY(&loop->watches)) {
        watch_close(LIST_FIRST(&loop->watches));
    }
    (void)uv_timer_stop(&loop->timer);
}

// Tells curl of a socket or of the timer. Transfers that end show up after either.
static void perform(struct curl_loop *loop, curl_socket_t fd, int events)
{
    int count;
    const CURLMsg *message;
    CURLMcode code = curl_multi_socket_action(loop->multi, fd, events, &count);
    if (code != CURLM_OK) {
        // No transfer's state is certain now, and the next one has a new multi handle.
        log_debug("http: giving up all connections: %s", curl_multi_strerror(code));
        loop->ended(loop->ctx, NULL, CURLE_ABORTED_BY_CALLBACK);
        drop_multi(loop);
        return;
    }
    while ((message = curl_multi_info_read(loop->multi, &count)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            loop->ended(loop->ctx, message->easy_handle, message->data.result);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    perform(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(_unused_ CURLM *multi, long timeout_ms, void *ctx)
{
    struct curl_loop *loop = ctx;
    return timeout_ms < 0 ? uv_timer_stop(&loop->timer)
                          : uv_timer_start(&loop->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    // With "in" beside the error curl reads, and so learns what the error is.
    int flags = status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN : 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    perform(watch->loop, watch->fd, flags);
}

// Returns NULL when the loop cannot watch it.
static struct watch *watch_new(struct curl_loop *loop, curl_socket_t fd)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));
    if (uv_poll_init_socket(loop->timer.loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->loop = loop;
    watch->fd = fd;
    LIST_INSERT_HEAD(&loop->watches, watch, link);
    (void)curl_multi_assign(loop->multi, fd, watch);
    return watch;
}

// A negative result fails every transfer, by way of curl_multi_socket_action's.
static int on_curl_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct watch *watch = known;
    if (what == CURL_POLL_REMOVE) {
        // It also comes for sockets that were never announced (curl #17949).
        if (watch != NULL) {
            watch_close(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(ctx, fd);
    }
    int events = what == CURL_POLL_IN    ? UV_READABLE
                 : what == CURL_POLL_OUT ? UV_WRITABLE
                                         : UV_READABLE | UV_WRITABLE;
    return watch == NULL || uv_poll_start(&watch->poll, events, on_poll) < 0 ? -1 : 0;
}

CURLMcode curl_loop_add(struct curl_loop *loop, CURL *easy)
{
    if (loop->multi == NULL) {
        loop->multi = curl_multi_init();
        (void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        (void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
        (void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
        (void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
        (void)curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT_MAX);
    }
    return curl_multi_add_handle(loop->multi, easy);
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy)
{
    (void)curl_multi_remove_handle(loop->multi, easy);
}

struct curl_loop *curl_loop_new(uv_loop_t *loop, curl_ended_fn ended, void *ctx)
{
    struct curl_loop *self = xcalloc(1, sizeof(*self));
    self->ended = ended;
    self->ctx = ctx;
    (void)uv_timer_init(loop, &self->timer); // does not fail
    self->timer.data = self;
    LIST_INIT(&self->watches);
    return self;
}

void curl_loop_free(struct curl_loop *loop)
{
    drop_multi(loop);
    uv_close((uv_handle_t *)&loop->timer, on_closed);
}
