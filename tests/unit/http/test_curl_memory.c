// Every allocation of requests on the real transport fails, libcurl's and libuv's included: there
// is an answer or an error, once, and nothing is left.
#include "tests/support/alloc_cases.h"
#include "tests/support/http_fixture.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 60000
#define CONNECTIONS_MAX 100

struct exchange {
    struct http_fixture *fixture;
    const struct http_request *request;
    const char *expected; // of the answer's body
    // Of this time.
    struct http_client *client;
    unsigned done;
    bool answered;
    struct error err;
    size_t streamed;
};

static int on_chunk(void *ctx, const char *data, size_t length)
{
    struct exchange *x = ctx;
    assert_memory_equal(data, x->expected + x->streamed, length);
    x->streamed += length;
    return 0;
}

static void on_done(void *ctx, struct http_response *response, const struct error *err)
{
    struct exchange *x = ctx;
    x->done++;
    x->answered = response != NULL;
    if (response == NULL) {
        x->err = *err;
        return;
    }
    assert_int_equal(response->status, 200);
    if (x->request->on_chunk == NULL) {
        assert_string_equal(buf_str(&response->body), x->expected);
    } else {
        assert_int_equal(x->streamed, strlen(x->expected));
    }
}

static int send_one(struct exchange *x)
{
    struct http_request request = *x->request;
    request.done = on_done;
    request.ctx = x;
    request.timeout_ms = TIMEOUT_MS;
    return http_send(x->client, &request, NULL, &x->err);
}

// The second request goes over the first one's connection.
static int exchange_twice(struct exchange *x, uv_loop_t *loop)
{
    int result = 0;
    for (int i = 0; i < 2; i++) {
        x->done = 0;
        x->streamed = 0;
        int r = send_one(x);
        if (r == 0) {
            assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
            assert_int_equal(x->done, 1);
            r = x->answered ? 0 : -x->err.code;
        }
        result = r < 0 ? r : result;
    }
    return result;
}

// The server takes a limited number of connections in its life.
static void renew_server(struct http_fixture *f)
{
    ALLOC_LOOK_AWAY;
    if (http_server_connections(f->server) > CONNECTIONS_MAX) {
        http_server_stop(f->server);
        f->server = http_server_start(f->path, http_fixture_routes);
    }
}

static int attempt(void *ctx)
{
    struct exchange *x = ctx;
    renew_server(x->fixture);
    uv_loop_t loop;
    struct http_transport *transport = NULL;
    const struct http_endpoint endpoint = {
        .unix_socket = x->fixture->path,
        .base = "http://localhost",
        .bearer_token = "token",
    };
    if (uv_loop_init(&loop) != 0) {
        return -ENOMEM;
    }
    x->client = NULL;
    x->err = (struct error){0};
    int r = curl_transport_new(&loop, &transport, &x->err);
    if (r == 0) {
        r = transport->client_new(transport, &endpoint, &x->client, &x->err);
    }
    if (r == 0) {
        r = exchange_twice(x, &loop);
    }
    http_client_free(x->client);
    curl_transport_close(transport);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    // libcurl has other words for some lacks of memory, all of which may pass.
    assert_true(r == 0 || x->err.kind == ERROR_FATAL || x->err.kind == ERROR_TRANSIENT);
    return r < 0 ? -ENOMEM : 0;
}

static const struct http_header headers[] = {{"Accept", "text/plain"}};

static const struct {
    struct http_request request;
    const char *expected;
} requests[] = {
    {{.method = HTTP_GET, .path = "/hello?x=y", .headers = headers, .header_count = 1}, "hello"},
    {{.method = HTTP_POST,
      .path = "/hello",
      .content_type = "text/plain",
      .body = "some text",
      .body_length = 9},
     "posted"},
    {{.method = HTTP_GET, .path = "/bytes", .on_chunk = on_chunk}, "abcdefghi"},
};

static void test_requests(void **state)
{
    struct http_fixture *f = *state;
    uint64_t failed = 0;
    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        struct exchange x = {
            .fixture = f, .request = &requests[i].request, .expected = requests[i].expected};
        assert_int_equal(attempt(&x), 0); // what is made once is made now
        failed += alloc_fail_each(attempt, &x, 0);
    }
    print_message("%llu allocations failed\n", (unsigned long long)failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, http_fixture_unix, http_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
