// The transport against a scripted server: what arrives, what a failure is called, and that every
// `done` comes once, from the loop.
#include "tests/support/http_fixture.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void test_answers(_unused_ void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *body;
        const char *kind;
    } table[] = {
        {"/hello?x=y", 200, "hello", "plain"},
        {"/bytes", 200, "abcdefghi", ""},
        {"/interim", 200, "i", "late"},
        {"/missing", 404, "nope", ""},
        {"/redirect", 302, "", ""},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct outcome outcome = fixture_get(table[i].path);
        assert_string_equal(outcome.err.text, "");
        assert_int_equal(outcome.status, table[i].status);
        assert_string_equal(outcome.body, table[i].body);
        assert_string_equal(outcome.kind, table[i].kind);
    }
}

static void request_one(struct http_request request, int status, const char *sent)
{
    struct outcome outcome = fixture_ask(fixture.client, request);
    assert_int_equal(outcome.status, status);
    assert_string_equal(fixture.server->last_request, sent);
}

#define AGENT "User-Agent: hostk8s-registryd/" PROGRAM_VERSION "\r\n"
#define COMMON "Host: localhost\r\nAccept: */*\r\n" AGENT

static void test_requests(_unused_ void **state)
{
    char body[] = "a body";
    struct http_request post = {
        .method = HTTP_POST,
        .path = "/hello/../hello",
        .accept = "text/plain",
        .content_type = "text/plain",
        .body = body,
        .body_length = 6,
    };
    request_one(
        post, 404,
        "POST /hello/../hello HTTP/1.1\r\nHost: localhost\r\n" AGENT
        "Accept: text/plain\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\na body");
    request_one((struct http_request){.method = HTTP_POST, .path = "/hello"}, 200,
                "POST /hello HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    request_one((struct http_request){.method = HTTP_PUT, .path = "/hello"}, 200,
                "PUT /hello HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    request_one((struct http_request){.method = HTTP_DELETE, .path = "/hello"}, 204,
                "DELETE /hello HTTP/1.1\r\n" COMMON "\r\n");
    request_one((struct http_request){.method = HTTP_HEAD, .path = "/hello"}, 200,
                "HEAD /hello HTTP/1.1\r\n" COMMON "\r\n");
    assert_int_equal(fixture.server->connection_count, 1);

    // What was sent is a copy.
    struct outcome outcome = {0};
    fixture_send(fixture.client, post, &outcome);
    memset(body, 'x', 6);
    fixture_run();
    assert_true(str_ends_with(fixture.server->last_request, "\r\n\r\na body"));
}

static void test_big_body(_unused_ void **state)
{
    size_t size = 2u * 1024u * 1024u;
    _cleanup_free_ char *body = xcalloc(1, size + 1);
    memset(body, 'b', size);
    struct outcome outcome =
        fixture_ask(fixture.client,
                    (struct http_request){
                        .method = HTTP_PUT, .path = "/hello", .body = body, .body_length = size});
    assert_int_equal(outcome.status, 200);
    const char *received = fixture.server->last_request;
    assert_true(str_ends_with(received, body));
    assert_null(strstr(received, "Expect"));
}

static void test_token(_unused_ void **state)
{
    struct http_endpoint endpoint = {
        .unix_socket = fixture.path, .base = "http://localhost", .bearer_token = "s3cret"};
    struct http_client *client = fixture_client(endpoint);
    struct outcome outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    assert_int_equal(outcome.status, 200);
    const char *received = fixture.server->last_request;
    assert_non_null(strstr(received, "\r\nAuthorization: Bearer s3cret\r\n"));
    http_client_free(client);
}

static void test_keep_alive(_unused_ void **state)
{
    for (int i = 0; i < 5; i++) {
        assert_string_equal(fixture_get("/hello").body, "hello");
    }
    assert_int_equal(fixture.server->connection_count, 1);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(fixture_get("/closing").body, "c");
        assert_string_equal(fixture_get("/hello").body, "hello");
    }
    assert_int_equal(fixture.server->requests, 15);
}

static void test_proxy_of_environment(_unused_ void **state)
{
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(fixture_get("/hello").status, 200);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

static void test_broken_answers(_unused_ void **state)
{
    static const struct {
        const char *path;
        int code;
        const char *text;
    } table[] = {
        {"/short?token=x", ECONNRESET, "answer ended early"},
        {"/nothing", ECONNRESET, "answer ended early"},
        {"/reset", ECONNRESET, "answer ended early: Recv failure: Connection reset by peer"},
        {"/garbage", EPROTO, "answer is not HTTP"},
        {"/longheaders", EFBIG, "answer's headers have more bytes than 32768"},
        {"/cutheaders", ECONNRESET, "answer ended early"},
        {"/cutinterim", ECONNRESET, "answer ended early"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct outcome outcome = fixture_get(table[i].path);
        outcome_failed(&outcome, table[i].code, table[i].text);
        assert_string_equal(fixture_get("/hello").body, "hello");
    }
}

static void test_body_cap(_unused_ void **state)
{
    struct outcome outcome =
        fixture_ask(fixture.client, (struct http_request){.path = "/hello", .max_body = 4});
    outcome_failed(&outcome, EFBIG, "answer has more bytes than 4");
    outcome = fixture_ask(fixture.client, (struct http_request){.path = "/hello", .max_body = 5});
    assert_string_equal(outcome.body, "hello");
    outcome =
        fixture_ask(fixture.client, (struct http_request){.path = "/huge", .max_body = 6399999});
    outcome_failed(&outcome, EFBIG, "answer has more bytes than 6399999");
    outcome = fixture_get("/huge");
    assert_int_equal(outcome.body_length, 6400000);
}

#define LATE_MS 900 // on a busy machine it is connected long before
#define LATE "no answer within 900 ms"

static void test_timeout(_unused_ void **state)
{
    struct outcome outcome = fixture_ask(
        fixture.client, (struct http_request){.path = "/silent", .timeout_ms = LATE_MS});
    outcome_failed(&outcome, ETIMEDOUT, LATE);
    outcome =
        fixture_ask(fixture.client, (struct http_request){.path = "/half", .timeout_ms = LATE_MS});
    outcome_failed(&outcome, ETIMEDOUT, LATE);
    assert_string_equal(fixture_get("/hello").body, "hello");
}

// A socket of the path that is bound, and listens when there is a backlog.
static int bind_unix(const char *path, int backlog)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(backlog < 0 ? 0 : listen(fd, backlog), 0);
    return fd;
}

static void test_no_socket(_unused_ void **state)
{
    _cleanup_free_ char *nowhere = str_printf("%s/nowhere", fixture.directory);
    struct http_client *client =
        fixture_client((struct http_endpoint){.unix_socket = nowhere, .base = "http://localhost"});
    struct outcome outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    _cleanup_free_ char *missing = str_printf("cannot connect to %s: no such socket", nowhere);
    outcome_failed(&outcome, ENOENT, missing);

    int fd = bind_unix(nowhere, -1);
    outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    _cleanup_free_ char *refused = str_printf("cannot connect to %s: connection refused", nowhere);
    outcome_failed(&outcome, ECONNREFUSED, refused);

    // Once somebody listens there, the same client finds it.
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(nowhere), 0);
    struct http_server *server = http_server_start(&fixture.loop, nowhere, http_fixture_routes);
    outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    assert_string_equal(outcome.body, "hello");
    http_client_free(client);
    http_server_stop(server);
}

static void test_no_descriptors(_unused_ void **state)
{
    struct http_client *client = fixture_client(
        (struct http_endpoint){.unix_socket = "/nowhere", .base = "http://localhost"});
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDIN_FILENO);
    assert_int_equal(close(next), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct outcome outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    outcome_failed(&outcome, EMFILE, "cannot connect to /nowhere: Too many open files");
    assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);

    outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    outcome_failed(&outcome, ENOENT, "cannot connect to /nowhere: no such socket");
    http_client_free(client);
}

// A socket that listens but never accepts: connections above its backlog fail or wait.
static void test_full_backlog(_unused_ void **state)
{
    _cleanup_free_ char *path = str_printf("%s/full", fixture.directory);
    _unused_ _cleanup_close_ int fd = bind_unix(path, 0);
    struct http_client *client =
        fixture_client((struct http_endpoint){.unix_socket = path, .base = "http://localhost"});
    struct outcome outcomes[4] = {0};
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        fixture_send(client, (struct http_request){.path = "/a", .timeout_ms = 100}, &outcomes[i]);
    }
    fixture_run();
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        assert_int_equal(outcomes[i].done, 1);
        assert_int_equal(outcomes[i].err.kind, ERROR_TRANSIENT);
    }
    http_client_free(client);
    assert_int_equal(unlink(path), 0);
}

static void test_refused_tcp(_unused_ void **state)
{
    struct http_server *other = http_server_start(&fixture.loop, NULL, http_fixture_routes);
    struct http_client *client = fixture_client((struct http_endpoint){.base = other->base});
    struct outcome outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    assert_string_equal(outcome.body, "hello");
    _cleanup_free_ char *text =
        str_printf("cannot connect to %s: connection refused", other->base + strlen("http://"));
    http_server_stop(other);
    outcome = fixture_ask(client, (struct http_request){.path = "/hello"});
    outcome_failed(&outcome, ECONNREFUSED, text);
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIX(test_answers),        TCP(test_answers),
        UNIX(test_requests),       UNIX(test_big_body),
        UNIX(test_token),          UNIX(test_keep_alive),
        TCP(test_keep_alive),      TCP(test_proxy_of_environment),
        TCP(test_broken_answers),  UNIX(test_body_cap),
        UNIX(test_timeout),        UNIX(test_no_socket),
        UNIX(test_full_backlog),   TCP(test_refused_tcp),
        UNIX(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
