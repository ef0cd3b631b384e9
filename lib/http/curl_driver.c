// A client's multi handle on the loop: curl says which sockets and which timer it wants watched,
// the loop says when they are ready. curl's contract is in CURLMOPT_SOCKETFUNCTION(3),
// CURLMOPT_TIMERFUNCTION(3) and curl_multi_socket_action(3).
//
// Host names are looked up by a thread of curl's, and taking a transfer away while that runs may
// block (curl #8515): endpoints should have addresses.
#include "lib/http/curl_internal.h"

#include "lib/base/log.h"

#include <assert.h>
#include <errno.h>

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000; // the loop's own time stands still while it does not run
}

void curl_driver_handle_closed(struct curl_driver *driver)
{
    driver->handles--;
    if (driver->handles == 0) {
        free(driver);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    curl_driver_handle_closed(handle->data);
}

static void drop_multi(struct curl_driver *driver)
{
    if (driver->multi == NULL) {
        return;
    }
    (void)curl_multi_cleanup(driver->multi); // closes the connections that are kept
    driver->multi = NULL;
    curl_sockets_forget(driver);
    (void)uv_timer_stop(&driver->timer);
}

static void on_idle(uv_idle_t *idle)
{
    struct curl_driver *driver = idle->data;
    // One batch a turn, so that calls which end at once cannot starve the loop.
    struct call_list batch = TAILQ_HEAD_INITIALIZER(batch);
    TAILQ_CONCAT(&batch, &driver->ready, ready_link);
    struct http_call *call;
    while ((call = TAILQ_FIRST(&batch)) != NULL) {
        TAILQ_REMOVE(&batch, call, ready_link);
        call->ready = false;
        curl_call_deliver(call);
    }
    if (TAILQ_EMPTY(&driver->ready)) {
        (void)uv_idle_stop(idle);
    }
}

void curl_driver_deliver_later(struct curl_driver *driver, struct http_call *call)
{
    if (!call->ready) {
        call->ready = true;
        TAILQ_INSERT_TAIL(&driver->ready, call, ready_link);
        (void)uv_idle_start(&driver->idle, on_idle); // neither allocates nor fails
    }
}

void curl_driver_end(struct curl_driver *driver, struct http_call *call)
{
    if (call->active) {
        call->active = false;
        TAILQ_REMOVE(&driver->active, call, active_link);
        (void)curl_multi_remove_handle(driver->multi, call->easy);
    }
    if (TAILQ_EMPTY(&driver->active)) {
        (void)uv_timer_stop(&driver->connect_timer);
    }
    curl_driver_deliver_later(driver, call);
}

static void reap(struct curl_driver *driver)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(driver->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        // The message dies with the handle's removal.
        CURLcode result = message->data.result;
        char *owner = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        struct http_call *call = (struct http_call *)(void *)owner;
        curl_call_finished(call, result);
        curl_driver_end(driver, call);
    }
}

void curl_driver_perform(struct curl_driver *driver, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(driver->multi, fd, events, &running);
    if (code == CURLM_OK) {
        reap(driver);
        return;
    }
    // No transfer's state is certain now: all end, and the next request has a new multi handle.
    log_debug("http: giving up all connections: %s", curl_multi_strerror(code));
    struct http_call *call;
    while ((call = TAILQ_FIRST(&driver->active)) != NULL) {
        (void)error_set(&call->err, ERROR_TRANSIENT, EIO, "%s: all connections were given up: %s",
                        call->label, curl_multi_strerror(code));
        curl_driver_end(driver, call);
    }
    drop_multi(driver);
}

static void on_timer(uv_timer_t *timer)
{
    curl_driver_perform(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(_unused_ CURLM *multi, long timeout_ms, void *ctx)
{
    struct curl_driver *driver = ctx;
    if (timeout_ms < 0) {
        return uv_timer_stop(&driver->timer);
    }
    return uv_timer_start(&driver->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void on_connect_timer(uv_timer_t *timer);

static void await_connection(struct curl_driver *driver, uint64_t ms)
{
    uv_timer_t *timer = &driver->connect_timer;
    if (!uv_is_active((const uv_handle_t *)timer) || uv_timer_get_due_in(timer) > ms) {
        (void)uv_timer_start(timer, on_connect_timer, ms, 0);
    }
}

// curl minds no timeout of a transfer that waits for a connection (7.88, MSTATE_PENDING), and it
// may wait for as long as streams hold them all.
static void on_connect_timer(uv_timer_t *timer)
{
    struct curl_driver *driver = timer->data;
    uint64_t now = now_ms();
    struct http_call *next;
    for (struct http_call *call = TAILQ_FIRST(&driver->active); call != NULL; call = next) {
        next = TAILQ_NEXT(call, active_link);
        if (curl_call_is_connected(call)) {
            continue;
        }
        if (call->connect_by <= now) {
            curl_call_finished(call, CURLE_OPERATION_TIMEDOUT);
            curl_driver_end(driver, call);
        } else {
            await_connection(driver, call->connect_by - now);
        }
    }
}

static CURLMcode configure_multi(CURLM *multi, struct curl_driver *driver)
{
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl_socket_watch);
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, driver);
    }
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    }
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, driver);
    }
    if (code == CURLM_OK) {
        // All may be kept: those of streams count as well.
        code = curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_PER_HOST_MAX);
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

int curl_driver_add(struct curl_driver *driver, struct http_call *call, struct error *err)
{
    if (driver->multi == NULL) {
        CURLM *multi = curl_multi_init();
        if (multi == NULL) {
            return error_oom(err);
        }
        CURLMcode code = configure_multi(multi, driver);
        if (code != CURLM_OK) {
            (void)curl_multi_cleanup(multi);
            return explain_multi(code, call, err);
        }
        driver->multi = multi;
    }
    CURLMcode code = curl_multi_add_handle(driver->multi, call->easy);
    if (code != CURLM_OK) {
        return explain_multi(code, call, err);
    }
    call->active = true;
    call->connect_by = now_ms() + call->connect_ms;
    TAILQ_INSERT_TAIL(&driver->active, call, active_link);
    await_connection(driver, call->connect_ms);
    return 0;
}

struct curl_driver *curl_driver_new(uv_loop_t *loop)
{
    struct curl_driver *driver = calloc(1, sizeof(*driver));
    if (driver == NULL) {
        return NULL;
    }
    driver->loop = loop;
    TAILQ_INIT(&driver->active);
    TAILQ_INIT(&driver->ready);
    (void)uv_timer_init(loop, &driver->timer); // these three do not fail
    (void)uv_timer_init(loop, &driver->connect_timer);
    (void)uv_idle_init(loop, &driver->idle);
    driver->timer.data = driver;
    driver->connect_timer.data = driver;
    driver->idle.data = driver;
    driver->handles = 3;
    return driver;
}

void curl_driver_close(struct curl_driver *driver)
{
    assert(TAILQ_EMPTY(&driver->active) && TAILQ_EMPTY(&driver->ready));
    drop_multi(driver);
    uv_close((uv_handle_t *)&driver->timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->connect_timer, on_handle_closed);
    uv_close((uv_handle_t *)&driver->idle, on_handle_closed);
}
