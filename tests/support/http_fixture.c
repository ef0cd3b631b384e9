#include "tests/support/http_fixture.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define PIECE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PIECE_512 PIECE PIECE PIECE PIECE PIECE PIECE PIECE PIECE

const struct http_server_route http_fixture_routes[] = {
    {.request = "GET /hello", .answer = OK "Content-Length: 5\r\nX-Kind: plain\r\n\r\nhello"},
    {.request = "POST /hello", .answer = OK "Content-Length: 6\r\n\r\nposted"},
    {.request = "PUT /hello", .answer = OK "Content-Length: 3\r\n\r\nput"},
    {.request = "DELETE /hello", .answer = "HTTP/1.1 204 No Content\r\n\r\n"},
    {.request = "HEAD /hello", .answer = OK "Content-Length: 500\r\nX-Kind: head\r\n\r\n"},
    {.request = "GET /bytes",
     .answer = OK "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n3\r\nghi\r\n0\r\n\r\n",
     .bytewise = 1},
    {.request = "GET /closing",
     .answer = OK "Content-Length: 1\r\n\r\nc",
     .then = HTTP_SERVER_CLOSE},
    {.request = "GET /interim",
     .answer = "HTTP/1.1 103 Early Hints\r\nX-Kind: early\r\n\r\n" OK
               "Content-Length: 1\r\nX-Kind: late\r\n\r\ni"},
    {.request = "GET /missing",
     .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"},
    {.request = "GET /redirect",
     .answer = "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n"},
    {.request = "GET /silent"},
    {.request = "GET /half", .answer = OK "Content-Length: 9\r\n\r\nhalf"},
    {.request = "GET /short",
     .answer = OK "Content-Length: 9\r\n\r\nshort",
     .then = HTTP_SERVER_CLOSE},
    {.request = "GET /nothing", .then = HTTP_SERVER_CLOSE},
    {.request = "GET /reset",
     .answer = OK "Content-Length: 9\r\n\r\nreset",
     .then = HTTP_SERVER_RESET},
    {.request = "GET /garbage", .answer = "what?\r\n\r\n", .then = HTTP_SERVER_CLOSE},
    {.request = "GET /huge",
     .answer = OK "Content-Length: 6400000\r\n\r\n",
     .body = PIECE_512,
     .repeat = 12500},
    {.request = "GET /longheaders",
     .answer = OK,
     .body = "X-A: " PIECE_512 "\r\n",
     .repeat = 64,
     .then = HTTP_SERVER_CLOSE},
    {.request = "GET /cutheaders",
     .answer = OK "Content-Length: 0\r\nX-A: ",
     .then = HTTP_SERVER_CLOSE},
    {.request = "GET /cutinterim",
     .answer = "HTTP/1.1 103 Early Hints\r\nX-Kind: early\r\n\r\n",
     .then = HTTP_SERVER_CLOSE},
    {0},
};

struct http_fixture fixture;

static int on_chunk(void *ctx, const char *data, size_t length)
{
    struct outcome *outcome = ctx;
    assert_int_equal(outcome->done, 0);
    outcome->chunks++;
    if (outcome->chunk_bytes + 1 < sizeof(outcome->chunk_text)) {
        (void)snprintf(outcome->chunk_text + outcome->chunk_bytes,
                       sizeof(outcome->chunk_text) - outcome->chunk_bytes, "%.*s", (int)length,
                       data);
    }
    outcome->chunk_bytes += length;
    if (outcome->cancel_in_chunk) {
        http_cancel(fixture.client, outcome->call);
    }
    return outcome->chunk_result;
}

static void on_done(void *ctx, struct http_response *response, const struct error *err)
{
    struct outcome *outcome = ctx;
    outcome->done++;
    assert_true((response == NULL) != (err == NULL));
    if (response == NULL) {
        outcome->err = *err;
    } else {
        outcome->status = response->status;
        outcome->body_length = response->body.length;
        (void)snprintf(outcome->body, sizeof(outcome->body), "%s", buf_str(&response->body));
        (void)http_response_header(response, "x-kind", outcome->kind, sizeof(outcome->kind));
    }
    http_cancel(fixture.client, outcome->call); // too late: no effect
    http_cancel(fixture.client, outcome->cancel_in_done);
    http_client_free(outcome->free_in_done);
    if (outcome->send_in_done != NULL) {
        fixture_begin(outcome->send_in_done, outcome->next);
    }
}

void fixture_send(struct http_client *client, struct http_request request, struct outcome *outcome)
{
    request.done = on_done;
    request.ctx = outcome;
    assert_int_equal(http_send(client, &request, &outcome->call, NULL), 0);
    assert_int_equal(outcome->done, 0);
}

void fixture_begin(const char *path, struct outcome *outcome)
{
    fixture_send(fixture.client, (struct http_request){.path = path}, outcome);
}

void fixture_stream(const char *path, struct outcome *outcome)
{
    fixture_send(fixture.client, (struct http_request){.path = path, .on_chunk = on_chunk},
                 outcome);
}

void fixture_run(void)
{
    assert_int_equal(uv_run(&fixture.loop, UV_RUN_DEFAULT), 0);
}

struct outcome fixture_ask(struct http_client *client, struct http_request request)
{
    struct outcome outcome = {0};
    fixture_send(client, request, &outcome);
    fixture_run();
    assert_int_equal(outcome.done, 1);
    return outcome;
}

struct outcome fixture_get(const char *path)
{
    return fixture_ask(fixture.client, (struct http_request){.path = path, .timeout_ms = 30000});
}

struct http_client *fixture_client(struct http_endpoint endpoint)
{
    struct http_client *client = NULL;
    assert_int_equal(fixture.transport->client_new(fixture.transport, &endpoint, &client, NULL), 0);
    return client;
}

static int setup(bool tcp)
{
    (void)signal(SIGPIPE, SIG_IGN); // as the daemon does
    fixture = (struct http_fixture){.directory = str_dup("/tmp/http-test-XXXXXX")};
    assert_non_null(mkdtemp(fixture.directory));
    fixture.path = str_printf("%s/s", fixture.directory);
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    fixture.server =
        http_server_start(&fixture.loop, tcp ? NULL : fixture.path, http_fixture_routes);
    assert_int_equal(curl_transport_new(&fixture.loop, &fixture.transport, NULL), 0);
    fixture.client = fixture_client((struct http_endpoint){.unix_socket = tcp ? NULL : fixture.path,
                                                           .base = fixture.server->base});
    return 0;
}

int http_fixture_unix(_unused_ void **state)
{
    return setup(false);
}

int http_fixture_tcp(_unused_ void **state)
{
    return setup(true);
}

int http_fixture_teardown(_unused_ void **state)
{
    http_client_free(fixture.client);
    curl_transport_close(fixture.transport);
    http_server_stop(fixture.server);
    fixture_run();
    assert_int_equal(uv_loop_close(&fixture.loop), 0);
    assert_int_equal(rmdir(fixture.directory), 0);
    free(fixture.directory);
    free(fixture.path);
    return 0;
}

void outcome_failed(const struct outcome *outcome, int code, const char *text)
{
    assert_int_equal(outcome->done, 1);
    assert_string_equal(outcome->err.text, text);
    assert_int_equal(outcome->err.code, code);
    assert_int_equal(outcome->err.kind, ERROR_TRANSIENT);
    assert_int_equal(outcome->err.status, 0);
}
