// The transport against a scripted server: what arrives, what a failure is called, and that every
// `done` comes once, from the loop.
#include "tests/support/http_fixture.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void test_answers(void **state)
{
    struct http_fixture *f = *state;
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
        struct http_outcome outcome = http_fixture_get(f, table[i].path);
        assert_string_equal(outcome.err.text, "");
        assert_int_equal(outcome.status, table[i].status);
        assert_string_equal(outcome.body, table[i].body);
        assert_string_equal(outcome.kind, table[i].kind);
    }
}

static void request_one(struct http_fixture *f, struct http_request request, int status,
                        const char *sent)
{
    struct http_outcome outcome = http_fixture_get_from(f, f->client, request);
    assert_int_equal(outcome.status, status);
    _cleanup_free_ char *received = http_server_last_request(f->server);
    assert_string_equal(received, sent);
}

#define COMMON                                                                                     \
    "Host: localhost\r\nAccept: */*\r\nUser-Agent: hostk8s-registryd/" PROGRAM_VERSION "\r\n"

static void test_requests(void **state)
{
    struct http_fixture *f = *state;
    struct http_header headers[] = {{"X-A", "b"}, {"X-Empty", ""}};
    char body[] = "a body";
    struct http_request post = {
        .method = HTTP_POST,
        .path = "/hello/../hello",
        .headers = headers,
        .header_count = 2,
        .content_type = "text/plain",
        .body = body,
        .body_length = 6,
    };
    request_one(
        f, post, 404,
        "POST /hello/../hello HTTP/1.1\r\n" COMMON
        "Content-Type: text/plain\r\nX-A: b\r\nX-Empty:\r\nContent-Length: 6\r\n\r\na body");
    request_one(f, (struct http_request){.method = HTTP_POST, .path = "/hello"}, 200,
                "POST /hello HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    request_one(f, (struct http_request){.method = HTTP_PUT, .path = "/hello"}, 200,
                "PUT /hello HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    request_one(f, (struct http_request){.method = HTTP_DELETE, .path = "/hello"}, 204,
                "DELETE /hello HTTP/1.1\r\n" COMMON "\r\n");
    request_one(f, (struct http_request){.method = HTTP_HEAD, .path = "/hello"}, 200,
                "HEAD /hello HTTP/1.1\r\n" COMMON "\r\n");
    // A handle from the pool keeps nothing of the request before.
    request_one(f, (struct http_request){.path = "/hello"}, 200,
                "GET /hello HTTP/1.1\r\n" COMMON "\r\n");
    request_one(
        f, post, 404,
        "POST /hello/../hello HTTP/1.1\r\n" COMMON
        "Content-Type: text/plain\r\nX-A: b\r\nX-Empty:\r\nContent-Length: 6\r\n\r\na body");
    request_one(f, (struct http_request){.method = HTTP_DELETE, .path = "/hello"}, 204,
                "DELETE /hello HTTP/1.1\r\n" COMMON "\r\n");
    assert_int_equal(http_server_connections(f->server), 1);

    // What was sent is a copy.
    struct http_outcome outcome = {0};
    http_fixture_send(f, f->client, post, &outcome);
    memset(body, 'x', 6);
    http_fixture_run(f);
    _cleanup_free_ char *received = http_server_last_request(f->server);
    assert_true(str_ends_with(received, "\r\n\r\na body"));
}

static void test_big_body(void **state)
{
    struct http_fixture *f = *state;
    size_t size = 2u * 1024u * 1024u;
    _cleanup_free_ char *body = calloc(1, size + 1);
    assert_non_null(body);
    memset(body, 'b', size);
    struct http_outcome outcome = http_fixture_get_from(
        f, f->client,
        (struct http_request){
            .method = HTTP_PUT, .path = "/hello", .body = body, .body_length = size});
    assert_int_equal(outcome.status, 200);
    _cleanup_free_ char *received = http_server_last_request(f->server);
    assert_true(str_ends_with(received, body));
    assert_null(strstr(received, "Expect"));
}

static void test_token(void **state)
{
    struct http_fixture *f = *state;
    struct http_endpoint endpoint = {
        .unix_socket = f->path, .base = "http://localhost", .bearer_token = "s3cret"};
    struct http_client *client = http_fixture_client(f, &endpoint);
    struct http_outcome outcome =
        http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    assert_int_equal(outcome.status, 200);
    _cleanup_free_ char *received = http_server_last_request(f->server);
    assert_non_null(strstr(received, "\r\nAuthorization: Bearer s3cret\r\n"));
    http_client_free(client);
}

static void test_keep_alive(void **state)
{
    struct http_fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
    }
    assert_int_equal(http_server_connections(f->server), 1);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(http_fixture_get(f, "/closing").body, "c");
        assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
    }
    assert_int_equal(http_server_requests(f->server), 15);
}

static void test_proxy_of_environment(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(http_fixture_get(f, "/hello").status, 200);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

static void test_broken_answers(void **state)
{
    struct http_fixture *f = *state;
    static const struct {
        const char *path;
        int code;
        const char *text;
    } table[] = {
        {"/short?token=x", ECONNRESET, "GET /short: answer ended early"},
        {"/nothing", ECONNRESET, "GET /nothing: answer ended early"},
        {"/reset", ECONNRESET,
         "GET /reset: answer ended early: Recv failure: Connection reset by peer"},
        {"/garbage", EPROTO, "GET /garbage: answer is not HTTP"},
        {"/headers", EFBIG, "GET /headers: answer has more headers than 64"},
        {"/longheaders", EFBIG, "GET /longheaders: answer's headers have more bytes than 32768"},
        {"/cutheaders", ECONNRESET, "GET /cutheaders: answer ended early"},
        {"/cutinterim", ECONNRESET, "GET /cutinterim: answer ended early"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct http_outcome outcome = http_fixture_get(f, table[i].path);
        http_outcome_failed(&outcome, table[i].code, table[i].text);
        assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
    }
}

static void test_body_cap(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome outcome =
        http_fixture_get_from(f, f->client, (struct http_request){.path = "/hello", .max_body = 4});
    http_outcome_failed(&outcome, EFBIG, "GET /hello: answer has more bytes than 4");
    outcome =
        http_fixture_get_from(f, f->client, (struct http_request){.path = "/hello", .max_body = 5});
    assert_string_equal(outcome.body, "hello");
    outcome = http_fixture_get_from(f, f->client,
                                    (struct http_request){.path = "/huge", .max_body = 6399999});
    http_outcome_failed(&outcome, EFBIG, "GET /huge: answer has more bytes than 6399999");
    outcome = http_fixture_get(f, "/huge");
    assert_int_equal(outcome.body_length, 6400000);
}

static void test_timeout(void **state)
{
    struct http_fixture *f = *state;
    struct http_outcome outcome = http_fixture_get_from(
        f, f->client, (struct http_request){.path = "/silent", .timeout_ms = 50});
    http_outcome_failed(&outcome, ETIMEDOUT, "GET /silent: no answer within 50 ms");
    outcome = http_fixture_get_from(f, f->client,
                                    (struct http_request){.path = "/half", .timeout_ms = 50});
    http_outcome_failed(&outcome, ETIMEDOUT, "GET /half: no answer within 50 ms");
    assert_string_equal(http_fixture_get(f, "/hello").body, "hello");
}

static void test_no_socket(void **state)
{
    struct http_fixture *f = *state;
    _cleanup_free_ char *nowhere = str_printf("%s/nowhere", f->directory);
    struct http_client *client = http_fixture_client(
        f, &(struct http_endpoint){.unix_socket = nowhere, .base = "http://localhost"});
    struct http_outcome outcome =
        http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    _cleanup_free_ char *missing =
        str_printf("GET /hello: cannot connect to %s: no such socket", nowhere);
    http_outcome_failed(&outcome, ENOENT, missing);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", nowhere);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    outcome = http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    _cleanup_free_ char *refused =
        str_printf("GET /hello: cannot connect to %s: connection refused", nowhere);
    http_outcome_failed(&outcome, ECONNREFUSED, refused);

    // Once somebody listens there, the same client finds it.
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(nowhere), 0);
    struct http_server *server = http_server_start(nowhere, http_fixture_routes);
    outcome = http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    assert_string_equal(outcome.body, "hello");
    http_client_free(client);
    http_server_stop(server);
}

static void test_no_descriptors(void **state)
{
    struct http_fixture *f = *state;
    struct http_client *client = http_fixture_client(
        f, &(struct http_endpoint){.unix_socket = "/nowhere", .base = "http://localhost"});
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDIN_FILENO);
    assert_int_equal(close(next), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct http_outcome outcome =
        http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    http_outcome_failed(&outcome, EMFILE,
                        "GET /hello: cannot connect to /nowhere: Too many open files");
    assert_int_equal(outcome.err.kind, ERROR_TRANSIENT);

    outcome = http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    http_outcome_failed(&outcome, ENOENT, "GET /hello: cannot connect to /nowhere: no such socket");
    http_client_free(client);
}

// A socket that listens but never accepts: connections above its backlog fail or wait.
static void test_full_backlog(void **state)
{
    struct http_fixture *f = *state;
    _cleanup_free_ char *path = str_printf("%s/full", f->directory);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    struct http_client *client = http_fixture_client(
        f, &(struct http_endpoint){.unix_socket = path, .base = "http://localhost"});
    struct http_outcome outcomes[4] = {0};
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        http_fixture_send(f, client, (struct http_request){.path = "/a", .timeout_ms = 100},
                          &outcomes[i]);
    }
    http_fixture_run(f);
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        assert_int_equal(outcomes[i].done, 1);
        assert_int_equal(outcomes[i].err.kind, ERROR_TRANSIENT);
    }
    http_client_free(client);
    assert_int_equal(unlink(path), 0);
}

static void test_refused_tcp(void **state)
{
    struct http_fixture *f = *state;
    struct http_server *other = http_server_start(NULL, http_fixture_routes);
    struct http_client *client =
        http_fixture_client(f, &(struct http_endpoint){.base = http_server_base(other)});
    struct http_outcome outcome =
        http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    assert_string_equal(outcome.body, "hello");
    _cleanup_free_ char *text = str_printf("GET /hello: cannot connect to %s: connection refused",
                                           http_server_base(other) + strlen("http://"));
    http_server_stop(other);
    outcome = http_fixture_get_from(f, client, (struct http_request){.path = "/hello"});
    http_outcome_failed(&outcome, ECONNREFUSED, text);
    http_client_free(client);
}

int main(void)
{
    // Writing to a closed connection must be an error, as it is in the daemon.
    (void)signal(SIGPIPE, SIG_IGN);
#define UNIX(test) cmocka_unit_test_setup_teardown(test, http_fixture_unix, http_fixture_teardown)
#define TCP(test) cmocka_unit_test_setup_teardown(test, http_fixture_tcp, http_fixture_teardown)
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
