#include "tests/support/http_fixture.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define PIECE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

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
    {.request = "GET /silent", .then = HTTP_SERVER_HANG},
    {.request = "GET /half",
     .answer = OK "Content-Length: 9\r\n\r\nhalf",
     .then = HTTP_SERVER_HANG},
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
     .body = PIECE,
     .repeat = 100000},
    {.request = "GET /headers",
     .answer = OK "Content-Length: 0\r\n",
     .body = "X-A: b\r\n",
     .repeat = 64,
     .then = HTTP_SERVER_CLOSE},
    {.request = "GET /longheaders",
     .answer = OK,
     .body = "X-A: " PIECE PIECE PIECE PIECE PIECE PIECE PIECE PIECE "\r\n",
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

static int on_chunk(void *ctx, const char *data, size_t length)
{
    struct http_outcome *outcome = ctx;
    assert_int_equal(outcome->done, 0);
    outcome->chunks++;
    for (size_t i = 0; i < length && outcome->chunk_bytes + i + 1 < sizeof(outcome->chunk_text);
         i++) {
        outcome->chunk_text[outcome->chunk_bytes + i] = data[i];
    }
    outcome->chunk_bytes += length;
    if (outcome->cancel_in_chunk) {
        http_cancel(outcome->fixture->client, outcome->call);
    }
    return outcome->chunk_result;
}

static void on_done(void *ctx, struct http_response *response, const struct error *err)
{
    struct http_outcome *outcome = ctx;
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
    http_cancel(outcome->fixture->client, outcome->call); // too late: no effect
    http_cancel(outcome->fixture->client, outcome->cancel_in_done);
    http_client_free(outcome->free_in_done);
    if (outcome->send_in_done != NULL) {
        http_fixture_send(outcome->fixture, outcome->fixture->client,
                          (struct http_request){.path = outcome->send_in_done}, outcome->next);
    }
}

void http_fixture_send(struct http_fixture *f, struct http_client *client,
                       struct http_request request, struct http_outcome *outcome)
{
    struct error err = {0};
    outcome->fixture = f;
    request.done = on_done;
    request.ctx = outcome;
    assert_int_equal(http_send(client, &request, &outcome->call, &err), 0);
    assert_int_equal(outcome->done, 0);
}

void http_fixture_stream(struct http_fixture *f, const char *path, struct http_outcome *outcome)
{
    http_fixture_send(f, f->client, (struct http_request){.path = path, .on_chunk = on_chunk},
                      outcome);
}

void http_fixture_run(struct http_fixture *f)
{
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
}

struct http_outcome http_fixture_get_from(struct http_fixture *f, struct http_client *client,
                                          struct http_request request)
{
    struct http_outcome outcome = {0};
    http_fixture_send(f, client, request, &outcome);
    http_fixture_run(f);
    assert_int_equal(outcome.done, 1);
    return outcome;
}

struct http_outcome http_fixture_get(struct http_fixture *f, const char *path)
{
    return http_fixture_get_from(f, f->client,
                                 (struct http_request){.path = path, .timeout_ms = 30000});
}

struct http_client *http_fixture_client(struct http_fixture *f,
                                        const struct http_endpoint *endpoint)
{
    struct error err = {0};
    struct http_client *client = NULL;
    assert_int_equal(f->transport->client_new(f->transport, endpoint, &client, &err), 0);
    return client;
}

static int setup(struct http_fixture *f, bool tcp)
{
    struct error err;
    char template[] = "/tmp/http-test-XXXXXX";
    assert_non_null(mkdtemp(template));
    f->directory = str_dup(template);
    f->path = str_printf("%s/s", template);
    assert_non_null(f->directory);
    assert_non_null(f->path);
    f->server = http_server_start(tcp ? NULL : f->path, http_fixture_routes);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(curl_transport_new(&f->loop, &f->transport, &err), 0);
    f->client = http_fixture_client(f, &(struct http_endpoint){
                                           .unix_socket = tcp ? NULL : f->path,
                                           .base = http_server_base(f->server),
                                       });
    return 0;
}

int http_fixture_unix(void **state)
{
    static struct http_fixture fixture;
    fixture = (struct http_fixture){0};
    *state = &fixture;
    return setup(&fixture, false);
}

int http_fixture_tcp(void **state)
{
    static struct http_fixture fixture;
    fixture = (struct http_fixture){0};
    *state = &fixture;
    return setup(&fixture, true);
}

int http_fixture_teardown(void **state)
{
    struct http_fixture *f = *state;
    http_client_free(f->client);
    curl_transport_close(f->transport);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    http_server_stop(f->server);
    assert_int_equal(rmdir(f->directory), 0);
    free(f->directory);
    free(f->path);
    return 0;
}

void http_outcome_failed(const struct http_outcome *outcome, int code, const char *text)
{
    assert_string_equal(outcome->err.text, text);
    assert_int_equal(outcome->err.code, code);
    assert_int_equal(outcome->err.kind, ERROR_TRANSIENT);
    assert_int_equal(outcome->err.status, 0);
}
