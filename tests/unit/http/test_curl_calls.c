// Many calls at a time, streams and cancelling: who is called, when, and that it is once.
#include "tests/support/http_fixture.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define PARALLEL 50
#define LATE_MS 2500 // on a busy machine all are connected long before
#define LATE "no answer within 2500 ms"

static void cancelled(const struct outcome *outcome)
{
    outcome_failed(outcome, ECANCELED, "cancelled");
}

// Lets the loop turn until the server has received so many requests.
static void run_until_requests(unsigned count)
{
    while (fixture.server->requests < count) {
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
}

static void run_until_chunk(const struct outcome *outcome)
{
    while (outcome->chunks == 0) {
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
}

static struct outcome many[PARALLEL];

// Sends to the paths in turn.
static void begin_many(const char *const *paths, size_t count, uint64_t timeout_ms)
{
    memset(many, 0, sizeof(many));
    for (size_t i = 0; i < PARALLEL; i++) {
        const struct http_request request = {.path = paths[i % count], .timeout_ms = timeout_ms};
        fixture_send(fixture.client, request, &many[i]);
    }
}

static void test_parallel(_unused_ void **state)
{
    static const char *const paths[] = {"/hello", "/bytes", "/closing", "/missing", "/short"};
    static const char *const bodies[] = {"hello", "abcdefghi", "c", "nope", ""};
    begin_many(paths, ELEMENTS(paths), 30000);
    fixture_run();
    for (size_t i = 0; i < PARALLEL; i++) {
        assert_int_equal(many[i].done, 1);
        assert_string_equal(many[i].body, bodies[i % 5]);
        assert_int_equal(many[i].err.code, i % 5 == 4 ? ECONNRESET : 0);
    }
}

static void test_many_hang(_unused_ void **state)
{
    static const char *const silent[] = {"/silent"};
    begin_many(silent, 1, 0);
    run_until_requests(PARALLEL);
    // They keep no other request waiting.
    struct outcome served = {0};
    fixture_begin("/hello", &served);
    while (served.done == 0) {
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    assert_string_equal(served.body, "hello");
    for (size_t i = 0; i < PARALLEL; i++) {
        http_cancel(fixture.client, many[i].call);
        assert_int_equal(many[i].done, 0);
    }
    fixture_run();
    for (size_t i = 0; i < PARALLEL; i++) {
        cancelled(&many[i]);
    }

    begin_many(silent, 1, LATE_MS);
    fixture_run();
    for (size_t i = 0; i < PARALLEL; i++) {
        outcome_failed(&many[i], ETIMEDOUT, LATE);
    }
    assert_string_equal(fixture_get("/hello").body, "hello");
}

static void test_stream(_unused_ void **state)
{
    struct outcome outcome = {0};
    fixture_stream("/bytes", &outcome);
    fixture_run();
    assert_int_equal(outcome.done, 1);
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.chunk_text, "abcdefghi");
    assert_int_equal(outcome.body_length, 0);

    outcome = (struct outcome){0};
    fixture_stream("/huge", &outcome);
    fixture_run();
    assert_int_equal(outcome.status, 200);
    assert_int_equal(outcome.chunk_bytes, HTTP_FIXTURE_BIG);
    assert_true(outcome.chunks > 1);

    // An error's body is no part of the stream.
    outcome = (struct outcome){0};
    fixture_stream("/missing", &outcome);
    fixture_run();
    assert_int_equal(outcome.chunks, 0);
    assert_int_equal(outcome.status, 404);
    assert_string_equal(outcome.body, "nope");

    // What came before the connection broke is handed over.
    outcome = (struct outcome){0};
    fixture_stream("/short", &outcome);
    fixture_run();
    assert_string_equal(outcome.chunk_text, "short");
    outcome_failed(&outcome, ECONNRESET, "answer ended early");
}

static void test_stream_given_up(_unused_ void **state)
{
    struct outcome outcome = {.chunk_result = -EBADMSG};
    fixture_stream("/half", &outcome);
    fixture_run();
    assert_int_equal(outcome.chunks, 1);
    assert_int_equal(outcome.done, 1);
    outcome_failed(&outcome, EBADMSG, "its reader gave up: Bad message");

    // The whole answer is there already when the first piece is refused.
    outcome = (struct outcome){.chunk_result = -EFBIG};
    fixture_stream("/hello", &outcome);
    fixture_run();
    assert_int_equal(outcome.chunks, 1);
    outcome_failed(&outcome, EFBIG, "its reader gave up: File too large");
}

static void test_cancel(_unused_ void **state)
{
    // Before a connection.
    struct outcome outcome = {0};
    fixture_begin("/hello?token=x", &outcome);
    http_cancel(fixture.client, outcome.call);
    http_cancel(fixture.client, outcome.call);
    assert_int_equal(outcome.done, 0);
    fixture_run();
    cancelled(&outcome);
    assert_int_equal(fixture.server->requests, 0);

    // While the answer is awaited.
    outcome = (struct outcome){0};
    fixture_begin("/silent", &outcome);
    run_until_requests(1);
    http_cancel(fixture.client, outcome.call);
    fixture_run();
    cancelled(&outcome);

    // Amid the body.
    outcome = (struct outcome){0};
    fixture_stream("/half", &outcome);
    run_until_chunk(&outcome);
    http_cancel(fixture.client, outcome.call);
    assert_int_equal(outcome.done, 0);
    fixture_run();
    cancelled(&outcome);
    assert_string_equal(outcome.chunk_text, "half");

    // From on_chunk, which nevertheless returns something else.
    static const int results[] = {0, -EBADMSG};
    for (size_t i = 0; i < ELEMENTS(results); i++) {
        outcome = (struct outcome){.cancel_in_chunk = true, .chunk_result = results[i]};
        fixture_stream("/half", &outcome);
        fixture_run();
        assert_int_equal(outcome.chunks, 1);
        cancelled(&outcome);
    }
    assert_string_equal(fixture_get("/hello").body, "hello");
}

static void test_done_may_do_anything(_unused_ void **state)
{
    struct http_endpoint endpoint = {.unix_socket = fixture.path, .base = "http://localhost"};

    // Cancel another call.
    struct outcome silent = {0};
    struct outcome hello = {0};
    fixture_begin("/silent", &silent);
    hello.cancel_in_done = silent.call;
    fixture_begin("/hello", &hello);
    fixture_run();
    assert_int_equal(hello.status, 200);
    cancelled(&silent);

    // Send another request.
    struct outcome next = {0};
    hello = (struct outcome){.send_in_done = "/missing", .next = &next};
    fixture_begin("/hello", &hello);
    fixture_run();
    assert_int_equal(next.status, 404);

    // Free its own client, which has no other call.
    hello = (struct outcome){.free_in_done = fixture_client(endpoint)};
    fixture_send(hello.free_in_done, (struct http_request){.path = "/hello"}, &hello);
    fixture_run();
    assert_int_equal(hello.status, 200);

    // Free another client, whose call was finished before.
    struct http_client *other = fixture_client(endpoint);
    assert_int_equal(fixture_ask(other, (struct http_request){.path = "/hello"}).status, 200);
    hello = (struct outcome){.free_in_done = other};
    fixture_begin("/hello", &hello);
    fixture_run();
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
static void test_cancel_connecting(_unused_ void **state)
{
    _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, length), 0);
    _cleanup_free_ char *base = str_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
    struct http_client *client = fixture_client((struct http_endpoint){.base = base});
    for (int i = 0; i < 3; i++) {
        struct outcome outcome = {0};
        fixture_send(client, (struct http_request){.path = "/hello"}, &outcome);
        polls = 0;
        while (polls == 0) {
            (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        }
        http_cancel(client, outcome.call);
        fixture_run();
        cancelled(&outcome);
        // What has the number now is watched as its own.
        assert_string_equal(fixture_get("/hello").body, "hello");
    }
    http_client_free(client);
}

// When a socket cannot be watched, all calls fail and the next one works again.
static void test_multi_rebuilt(_unused_ void **state)
{
    int *const errors[] = {&init_error, &start_error};
    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        struct outcome first = {0};
        struct outcome second = {0};
        unsigned before = fixture.server->requests;
        fixture_begin("/silent", &first);
        run_until_requests(before + 1);
        *errors[i] = UV_ENOSPC;
        fixture_begin("/silent", &second);
        fixture_run();
        static const char text[] = "all connections were given up";
        outcome_failed(&first, EIO, text);
        outcome_failed(&second, EIO, text);
        assert_string_equal(fixture_get("/hello").body, "hello");
    }
}

static void test_bad_address(_unused_ void **state)
{
    static const char *const table[][2] = {
        {"http://", "not a valid address: No host part in the URL"},
        {"http://u:secret@localhost",
         "not a valid address: Credentials was passed in the URL when prohibited"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct http_endpoint endpoint = {.base = table[i][0]};
        struct http_client *client = NULL;
        struct error err;
        assert_int_equal(fixture.transport->client_new(fixture.transport, &endpoint, &client, &err),
                         -EINVAL);
        assert_null(client);
        assert_string_equal(err.text, table[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIX(test_parallel),         TCP(test_parallel),       UNIX(test_many_hang),
        UNIX(test_stream),           TCP(test_stream),         UNIX(test_stream_given_up),
        UNIX(test_cancel),           TCP(test_cancel),         UNIX(test_done_may_do_anything),
        TCP(test_cancel_connecting), UNIX(test_multi_rebuilt), UNIX(test_bad_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
