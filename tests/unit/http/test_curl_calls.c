// Many calls at a time, streams and cancelling: who is called, when, and that it is once.
#include "lib/http/curl_internal.h"
#include "tests/support/http_fixture.h"

#include "lib/base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define PARALLEL 50

static void cancelled(const struct http_outcome *outcome, const char *text)
{
    assert_int_equal(outcome->done, 1);
    http_outcome_failed(outcome, ECANCELED, text);
}

// Lets the loop turn until the server has received so many requests.
static void run_until_requests(struct http_fixture *f, unsigned count)
{
    while (http_server_requests(f->server) < count) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
}

static void run_until_chunk(struct http_fixture *f, const struct http_outcome *outcome)
{
    while (outcome->chunks == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void test_parallel(void **state)
{
    struct http_fixture *f = *state;
    static const char *const paths[] = {"/hello", "/bytes", "/closing", "/missing", "/short"};
    static const char *const bodies[] = {"hello", "abcdefghi", "c", "nope", ""};
    static struct http_outcome outcomes[PARALLEL];
    memset(outcomes, 0, sizeof(outcomes));
    for (size_t i = 0; i < PARALLEL; i++) {
        http_fixture_send(f, f->client,
                          (struct http_request){.path = paths[i % 5], .timeout_ms = 30000},
                          &outcomes[i]);
    }
    http_fixture_run(f);
    for (size_t i = 0; i < PARALLEL; i++) {
        assert_int_equal(outcomes[i].done, 1);
        assert_string_equal(outcomes[i].body, bodies[i % 5]);
        assert_int_equal(outcomes[i].err.code, i % 5 == 4 ? ECONNRESET : 0);
    }
}

static void test_few_connections(void **state)
{
    struct http_fixture *f = *state;
    static struct http_outcome outcomes[PARALLEL];
    memset(outcomes, 0, sizeof(outcomes));
    for (size_t i = 0; i < PARALLEL; i++) {
        http_fixture_send(f, f->client,
                          (struct http_request){.path = "/silent", .timeout_ms = 30000},
                          &outcomes[i]);
    }
    run_until_requests(f, CONNECTIONS_PER_HOST_MAX);
    for (int i = 0; i < 100; i++) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(http_server_connections(f->server), CONNECTIONS_PER_HOST_MAX);
    // Some have a connection, most wait for one.
    for (size_t i = 0; i < PARALLEL; i++) {
        http_cancel(f->client, outcomes[i].call);
        assert_int_equal(outcomes[i].done, 0);
    }
    http_fixture_run(f);
    for (size_t i = 0; i < PARALLEL; i++) {
        cancelled(&outcomes[i], "GET /silent: cancelled");
    }
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

static void test_queue_timeout(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome holders[CONNECTIONS_PER_HOST_MAX] = {0};
    for (size_t i = 0; i < ELEMENTS(holders); i++) {
        http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &holders[i]);
    }
    run_until_requests(f, ELEMENTS(holders));
    struct http_outcome waiting = {0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello", .timeout_ms = 100},
                      &waiting);
    while (waiting.done == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    _cleanup_free_ char *text =
        str_printf("GET /hello: cannot connect to %s: no answer within 100 ms", f->path);
    http_outcome_failed(&waiting, ETIMEDOUT, text);
    for (size_t i = 0; i < ELEMENTS(holders); i++) {
        assert_int_equal(holders[i].done, 0);
        http_cancel(f->client, holders[i].call);
    }
    http_fixture_run(f);
}

// One client does not wait for another's connections.
static void test_queue_of_its_own(void **state)
{
    struct http_fixture *f = *state;
    struct http_client *other = http_fixture_client(
        f, &(struct http_endpoint){.unix_socket = f->path, .base = "http://localhost"});
    struct http_outcome holders[CONNECTIONS_PER_HOST_MAX] = {0};
    for (size_t i = 0; i < ELEMENTS(holders); i++) {
        http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &holders[i]);
    }
    run_until_requests(f, ELEMENTS(holders));
    struct http_outcome served = {0};
    http_fixture_send(f, other, (struct http_request){.path = "/hello"}, &served);
    while (served.done == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(served.status, 200);
    for (size_t i = 0; i < ELEMENTS(holders); i++) {
        assert_int_equal(holders[i].done, 0);
        http_cancel(f->client, holders[i].call);
    }
    http_fixture_run(f);
    http_client_free(other);
}

static void test_all_time_out(void **state)
{
    struct http_fixture *f = *state;
    static struct http_outcome outcomes[PARALLEL];
    memset(outcomes, 0, sizeof(outcomes));
    for (size_t i = 0; i < PARALLEL; i++) {
        http_fixture_send(f, f->client, (struct http_request){.path = "/silent", .timeout_ms = 100},
                          &outcomes[i]);
    }
    http_fixture_run(f);
    for (size_t i = 0; i < PARALLEL; i++) {
        assert_int_equal(outcomes[i].done, 1);
        assert_int_equal(outcomes[i].err.code, ETIMEDOUT);
    }
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

static void test_stream(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome outcome = {0};
    http_fixture_stream(f, "/bytes", &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.done, 1);
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.chunk_text, "abcdefghi");
    assert_int_equal(outcome.body_length, 0);

    outcome = (struct http_outcome){0};
    http_fixture_stream(f, "/huge", &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.status, 200);
    assert_int_equal(outcome.chunk_bytes, HTTP_FIXTURE_BIG);
    assert_true(outcome.chunks > 1);

    // An error's body is no part of the stream.
    outcome = (struct http_outcome){0};
    http_fixture_stream(f, "/missing", &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.chunks, 0);
    assert_int_equal(outcome.status, 404);
    assert_string_equal(outcome.body, "nope");

    // What came before the connection broke is handed over.
    outcome = (struct http_outcome){0};
    http_fixture_stream(f, "/short", &outcome);
    http_fixture_run(f);
    assert_string_equal(outcome.chunk_text, "short");
    http_outcome_failed(&outcome, ECONNRESET, "GET /short: answer ended early");
}

static void test_stream_given_up(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome outcome = {.chunk_result = -EBADMSG};
    http_fixture_stream(f, "/half", &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.chunks, 1);
    assert_int_equal(outcome.done, 1);
    http_outcome_failed(&outcome, EBADMSG, "GET /half: its reader gave up: Bad message");

    // The whole answer is there already when the first piece is refused.
    outcome = (struct http_outcome){.chunk_result = -EFBIG};
    http_fixture_stream(f, "/hello", &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.chunks, 1);
    http_outcome_failed(&outcome, EFBIG, "GET /hello: its reader gave up: File too large");
}

static void test_cancel(void **state)
{
    struct http_fixture *f = *state;
    // Before a connection.
    struct http_outcome outcome = {0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello?token=x"}, &outcome);
    http_cancel(f->client, outcome.call);
    http_cancel(f->client, outcome.call);
    assert_int_equal(outcome.done, 0);
    http_fixture_run(f);
    cancelled(&outcome, "GET /hello: cancelled");
    assert_int_equal(http_server_requests(f->server), 0);

    // While the answer is awaited.
    outcome = (struct http_outcome){0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &outcome);
    run_until_requests(f, 1);
    http_cancel(f->client, outcome.call);
    http_fixture_run(f);
    cancelled(&outcome, "GET /silent: cancelled");

    // Amid the body.
    outcome = (struct http_outcome){0};
    http_fixture_stream(f, "/half", &outcome);
    run_until_chunk(f, &outcome);
    http_cancel(f->client, outcome.call);
    assert_int_equal(outcome.done, 0);
    http_fixture_run(f);
    cancelled(&outcome, "GET /half: cancelled");
    assert_string_equal(outcome.chunk_text, "half");

    // From on_chunk, which nevertheless returns something else.
    static const int results[] = {0, -EBADMSG};
    for (size_t i = 0; i < ELEMENTS(results); i++) {
        outcome = (struct http_outcome){.cancel_in_chunk = true, .chunk_result = results[i]};
        http_fixture_stream(f, "/half", &outcome);
        http_fixture_run(f);
        assert_int_equal(outcome.chunks, 1);
        cancelled(&outcome, "GET /half: cancelled");
    }
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

static void test_done_may_do_anything(void **state)
{
    struct http_fixture *f = *state;
    struct http_endpoint endpoint = {.unix_socket = f->path, .base = "http://localhost"};

    // Cancel another call.
    struct http_outcome silent = {0};
    struct http_outcome hello = {0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &silent);
    hello.cancel_in_done = silent.call;
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello"}, &hello);
    http_fixture_run(f);
    assert_int_equal(hello.status, 200);
    cancelled(&silent, "GET /silent: cancelled");

    // Send another request.
    struct http_outcome next = {0};
    hello = (struct http_outcome){.send_in_done = "/missing", .next = &next};
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello"}, &hello);
    http_fixture_run(f);
    assert_int_equal(next.status, 404);

    // Free its own client, which has no other call.
    hello = (struct http_outcome){.free_in_done = http_fixture_client(f, &endpoint)};
    http_fixture_send(f, hello.free_in_done, (struct http_request){.path = "/hello"}, &hello);
    http_fixture_run(f);
    assert_int_equal(hello.status, 200);

    // Free another client, whose call was finished before.
    struct http_client *other = http_fixture_client(f, &endpoint);
    assert_int_equal(
        http_fixture_get_from(f, other, (struct http_request){.path = "/hello"}).status, 200);
    hello = (struct http_outcome){.free_in_done = other};
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello"}, &hello);
    http_fixture_run(f);
    assert_int_equal(hello.status, 200);
}

// In place of libuv's: the next one fails where an error is given.
static int init_error;
static int start_error;
static unsigned polls; // that were started

int __real_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd)
{
    return init_error < 0 ? TAKE(init_error, 0) : __real_uv_poll_init_socket(loop, poll, fd);
}

int __real_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb done);
int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb done);
int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb done)
{
    polls++;
    return start_error < 0 ? TAKE(start_error, 0) : __real_uv_poll_start(poll, events, done);
}

// A backlog that is full lets no further connection come about: a call is cancelled while it
// connects. curl 7.88 closes such a socket without a word, and the next one has its number.
static void test_cancel_connecting(void **state)
{
    struct http_fixture *f = *state;
    _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, length), 0);
    _cleanup_free_ char *base = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
    struct http_client *client = http_fixture_client(f, &(struct http_endpoint){.base = base});
    for (int i = 0; i < 3; i++) {
        struct http_outcome outcome = {0};
        http_fixture_send(f, client, (struct http_request){.path = "/hello"}, &outcome);
        polls = 0;
        while (polls == 0) {
            (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        http_cancel(client, outcome.call);
        http_fixture_run(f);
        cancelled(&outcome, "GET /hello: cancelled");
        // What has the number now is watched as its own.
        assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
    }
    http_client_free(client);
}

// A connection that the loop refuses to watch is that call's loss alone.
static void test_socket_refused(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome first = {0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &first);
    run_until_requests(f, 1);

    struct http_outcome second = {0};
    init_error = UV_ENOSPC;
    http_fixture_send(f, f->client, (struct http_request){.path = "/hello"}, &second);
    while (second.done == 0) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    _cleanup_free_ char *text =
        str_printf("GET /hello: cannot connect to %s: No space left on device", f->path);
    http_outcome_failed(&second, ENOSPC, text);
    assert_int_equal(first.done, 0);
    http_cancel(f->client, first.call);
    http_fixture_run(f);
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

// When watching a known socket fails, all calls fail and the next one works again.
static void test_multi_rebuilt(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome first = {0};
    struct http_outcome second = {0};
    http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &first);
    run_until_requests(f, 1);
    start_error = UV_EINVAL;
    http_fixture_send(f, f->client, (struct http_request){.path = "/silent"}, &second);
    http_fixture_run(f);
    static const char text[] = "GET /silent: all connections were given up: "
                               "Operation was aborted by an application callback";
    http_outcome_failed(&first, EIO, text);
    http_outcome_failed(&second, EIO, text);
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

static void endpoint_one(struct http_fixture *f, struct http_endpoint endpoint, int code,
                         const char *text)
{
    struct error err = {0};
    struct http_client *client = NULL;
    assert_int_equal(f->transport->client_new(f->transport, &endpoint, &client, &err), -code);
    assert_null(client);
    assert_string_equal(err.text, text);
    assert_int_equal(err.kind, ERROR_PERMANENT);
}

static void test_endpoints(void **state)
{
    struct http_fixture *f = *state;
    char path[109];
    memset(path, 'p', sizeof(path) - 1);
    path[108] = '\0';
    _cleanup_free_ char *text =
        str_printf("path of a unix socket is longer than 107 bytes: %s", path);
    endpoint_one(f, (struct http_endpoint){.unix_socket = path, .base = "http://localhost"},
                 ENAMETOOLONG, text);
    endpoint_one(f, (struct http_endpoint){.base = "ftp://localhost"}, EINVAL,
                 "not an http or https address: ftp://localhost");
    endpoint_one(f, (struct http_endpoint){.base = "http://"}, EINVAL,
                 "not a valid address: No host part in the URL");
    endpoint_one(f, (struct http_endpoint){.base = "http://u:secret@localhost"}, EINVAL,
                 "not a valid address: Credentials was passed in the URL when prohibited");
    endpoint_one(f, (struct http_endpoint){.base = "https://localhost", .cert_pem = "c"}, EINVAL,
                 "a client certificate and its key are only of use together");
    endpoint_one(f, (struct http_endpoint){.base = "http://localhost", .bearer_token = "a\r\nb"},
                 EINVAL, "the bearer token has a space or a control character");
    http_client_free(http_fixture_client(f, &(struct http_endpoint){.base = "https://[::1]:6443"}));
}

int main(void)
{
    // Writing to a closed connection must be an error, as it is in the daemon.
    (void)signal(SIGPIPE, SIG_IGN);
#define UNIX(test) cmocka_unit_test_setup_teardown(test, http_fixture_unix, http_fixture_teardown)
#define TCP(test) cmocka_unit_test_setup_teardown(test, http_fixture_tcp, http_fixture_teardown)
    const struct CMUnitTest tests[] = {
        UNIX(test_parallel),
        TCP(test_parallel),
        UNIX(test_few_connections),
        UNIX(test_queue_timeout),
        UNIX(test_queue_of_its_own),
        UNIX(test_all_time_out),
        UNIX(test_stream),
        TCP(test_stream),
        UNIX(test_stream_given_up),
        UNIX(test_cancel),
        TCP(test_cancel),
        UNIX(test_done_may_do_anything),
        TCP(test_cancel_connecting),
        UNIX(test_socket_refused),
        UNIX(test_multi_rebuilt),
        UNIX(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
