// The multi handle on the loop: curl says which sockets and which timer it wants watched, the loop
// says when they are ready. curl's contract is in CURLMOPT_SOCKETFUNCTION(3),
// CURLMOPT_TIMERFUNCTION(3) and curl_multi_socket_action(3).
//
// Host names are looked up by a thread of curl's, and taking a transfer away while that runs may
// block (curl #8515): endpoints should have addresses.
#include "lib/http/curl_internal.h"

#include "lib/base/log.h"

#include <assert.h>
#include <errno.h>

// None is closed for another's sake: CONNECTIONS_PER_HOST_MAX bounds them, and curl counts those of
// streams as well, so that a smaller number would leave none to be used again.
#define CONNECTIONS_KEPT_MAX 100000L

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000; // the loop's own time stands still while it does not run
}

void curl_transport_handle_closed(struct curl_transport *transport)
{
    transport->handles--;
    if (transport->handles == 0) {
        free(transport);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    curl_transport_handle_closed(handle->data);
}

static void drop_multi(struct curl_transport *transport)
{
    if (transport->multi == NULL) {
        return;
    }
    (void)curl_multi_cleanup(transport->multi); // closes the connections that are kept
    transport->multi = NULL;
    curl_sockets_forget(transport);
    (void)uv_timer_stop(&transport->timer);
}

static void on_idle(uv_idle_t *idle)
{
    struct curl_transport *transport = idle->data;
    // One batch a turn, so that calls which end at once cannot starve the loop.
    struct call_list batch = TAILQ_HEAD_INITIALIZER(batch);
    TAILQ_CONCAT(&batch, &transport->ready, ready_link);
    struct http_call *call;
    while ((call = TAILQ_FIRST(&batch)) != NULL) {
        TAILQ_REMOVE(&batch, call, ready_link);
        call->ready = false;
        curl_call_deliver(call);
    }
    if (TAILQ_EMPTY(&transport->ready)) {
        (void)uv_idle_stop(idle);
    }
}

void curl_transport_deliver_later(struct curl_transport *transport, struct http_call *call)
{
    if (!call->ready) {
        call->ready = true;
        TAILQ_INSERT_TAIL(&transport->ready, call, ready_link);
        (void)uv_idle_start(&transport->idle, on_idle); // neither allocates nor fails
    }
}

void curl_transport_end(struct curl_transport *transport, struct http_call *call)
{
    if (call->active) {
        call->active = false;
        TAILQ_REMOVE(&transport->active, call, active_link);
        (void)curl_multi_remove_handle(transport->multi, call->easy);
    }
    if (TAILQ_EMPTY(&transport->active)) {
        (void)uv_timer_stop(&transport->connect_timer);
    }
    curl_transport_deliver_later(transport, call);
}

static void reap(struct curl_transport *transport)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        // The message dies with the handle's removal.
        CURLcode result = message->data.result;
        char *owner = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        struct http_call *call = (struct http_call *)(void *)owner;
        curl_call_finished(call, result);
        curl_transport_end(transport, call);
    }
}

void curl_transport_perform(struct curl_transport *transport, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(transport->multi, fd, events, &running);
    if (code == CURLM_OK) {
        reap(transport);
        return;
    }
    // No transfer's state is certain now: all end, and the next request has a new multi handle.
    log_debug("http: giving up all connections: %s", curl_multi_strerror(code));
    struct http_call *call;
    while ((call = TAILQ_FIRST(&transport->active)) != NULL) {
        (void)error_set(&call->err, ERROR_TRANSIENT, EIO, "%s: all connections were given up: %s",
                        call->label, curl_multi_strerror(code));
        curl_transport_end(transport, call);
    }
    drop_multi(transport);
}

static void on_timer(uv_timer_t *timer)
{
    curl_transport_perform(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(_unused_ CURLM *multi, long timeout_ms, void *ctx)
{
    struct curl_transport *transport = ctx;
    if (timeout_ms < 0) {
        return uv_timer_stop(&transport->timer);
    }
    return uv_timer_start(&transport->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_connect_timer(uv_timer_t *timer);

static void await_connection(struct curl_transport *transport, uint64_t ms)
{
    uv_timer_t *timer = &transport->connect_timer;
    if (!uv_is_active((const uv_handle_t *)timer) || uv_timer_get_due_in(timer) > ms) {
        (void)uv_timer_start(timer, on_connect_timer, ms, 0);
    }
}

// curl minds no timeout of a transfer that waits for a connection (7.88, MSTATE_PENDING), and it
// may wait for as long as streams hold them all.
static void on_connect_timer(uv_timer_t *timer)
{
    struct curl_transport *transport = timer->data;
    uint64_t now = now_ms();
    struct http_call *next;
    for (struct http_call *call = TAILQ_FIRST(&transport->active); call != NULL; call = next) {
        next = TAILQ_NEXT(call, active_link);
        if (curl_call_is_connected(call)) {
            continue;
        }
        if (call->connect_by <= now) {
            curl_call_finished(call, CURLE_OPERATION_TIMEDOUT);
            curl_transport_end(transport, call);
        } else {
            await_connection(transport, call->connect_by - now);
        }
    }
}

static CURLMcode configure_multi(CURLM *multi, struct curl_transport *transport)
{
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl_socket_watch);
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport);
    }
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    }
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport);
    }
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT_MAX);
    }
    if (code == CURLM_OK) {
        code =
            curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST_MAX);
    }
    return code;
}

static int explain_multi(CURLMcode code, const struct http_call *call, struct error *err)
{
    if (code == CURLM_OUT_OF_MEMORY) {
        return error_oom(err);
    }
    return error_set(err, ERROR_TRANSIENT, EIO, "%s: %s", call->label, curl_multi_strerror(code));
}

int curl_transport_add(struct curl_transport *transport, struct http_call *call, struct error *err)
{
    if (transport->multi == NULL) {
        CURLM *multi = curl_multi_init();
        if (multi == NULL) {
            return error_oom(err);
        }
        CURLMcode code = configure_multi(multi, transport);
        if (code != CURLM_OK) {
            (void)curl_multi_cleanup(multi);
            return explain_multi(code, call, err);
        }
        transport->multi = multi;
    }
    CURLMcode code = curl_multi_add_handle(transport->multi, call->easy);
    if (code != CURLM_OK) {
        return explain_multi(code, call, err);
    }
    call->active = true;
    call->connect_by = now_ms() + call->connect_ms;
    TAILQ_INSERT_TAIL(&transport->active, call, active_link);
    await_connection(transport, call->connect_ms);
    return 0;
}

int curl_transport_new(uv_loop_t *loop, struct http_transport **ret, struct error *err)
{
    _cleanup_free_ struct curl_transport *transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return error_oom(err);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, ERROR_FATAL, ENOMEM, "libcurl cannot be initialised");
    }
    transport->transport = (struct http_transport){.client_new = curl_client_new};
    transport->loop = loop;
    TAILQ_INIT(&transport->active);
    TAILQ_INIT(&transport->ready);
    (void)uv_timer_init(loop, &transport->timer); // these three do not fail
    (void)uv_timer_init(loop, &transport->connect_timer);
    (void)uv_idle_init(loop, &transport->idle);
    transport->timer.data = transport;
    transport->connect_timer.data = transport;
    transport->idle.data = transport;
    transport->handles = 3;
    *ret = &TAKE_PTR(transport)->transport;
    return 0;
}

void curl_transport_close(struct http_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    struct curl_transport *self = (struct curl_transport *)transport;
    assert(self->clients == 0);
    assert(TAILQ_EMPTY(&self->active) && TAILQ_EMPTY(&self->ready));
    drop_multi(self);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&self->timer, on_handle_closed);
    uv_close((uv_handle_t *)&self->connect_timer, on_handle_closed);
    uv_close((uv_handle_t *)&self->idle, on_handle_closed);
}
