// The bytes of an HTTP answer, from a server that then closes the connection. Whatever they are,
// the request ends once, within its bounds, and leaves nothing behind. Each input is the answer to
// a request whose body is collected and to one whose body is streamed.
#include "lib/base/str.h"
#include "lib/http/curl_transport.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/http_server.h"

#include <string.h>
#include <unistd.h>

#define BODY_BYTES_MAX 4096
#define TIMEOUT_MS 60000
#define VALUE_BYTES_MAX 64

struct outcome {
    unsigned ended;
    size_t streamed;
    bool answered;
};

static int on_chunk(void *ctx, const char *data, size_t length)
{
    struct outcome *outcome = ctx;
    MUST(outcome->ended == 0 && length > 0 && data != NULL);
    outcome->streamed += length;
    return 0;
}

static void check_response(const struct http_response *response)
{
    static const char *const names[] = {"Content-Length", "X-Kind", "Retry-After", "Api-Version"};
    MUST(response->status >= 200); // curl takes "HTTP/2 2000" for one
    MUST(response->body.length <= BODY_BYTES_MAX);
    MUST(response->headers.length <= HTTP_HEADER_BYTES_MAX);
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        char value[VALUE_BYTES_MAX];
        if (http_response_header(response, names[i], value, sizeof(value))) {
            MUST(strlen(value) < sizeof(value));
            MUST(strchr(value, '\n') == NULL);
        }
    }
}

static void on_done(void *ctx, struct http_response *response, const struct error *err)
{
    struct outcome *outcome = ctx;
    outcome->ended++;
    outcome->answered = response != NULL;
    MUST((response == NULL) == (err != NULL));
    if (response != NULL) {
        check_response(response);
    } else {
        must_explain(err);
    }
}

static char directory[] = "/tmp/fuzz-http-XXXXXX"; // of the server's socket
static char *socket_path;

static void remove_directory(void)
{
    (void)rmdir(directory);
    free(socket_path);
}

static struct outcome exchange(const uint8_t *data, size_t size, bool streamed)
{
    uv_loop_t loop;
    struct http_transport *transport = NULL;
    struct http_client *client = NULL;
    struct outcome outcome = {0};
    if (socket_path == NULL) {
        MUST(mkdtemp(directory) != NULL && atexit(remove_directory) == 0);
        socket_path = str_printf("%s/socket", directory);
    }
    const struct http_server_route routes[] = {{.request = "GET /",
                                                .answer = size == 0 ? "" : (const char *)data,
                                                .length = size,
                                                .then = HTTP_SERVER_CLOSE},
                                               {0}};
    const struct http_endpoint endpoint = {.unix_socket = socket_path, .base = "http://localhost"};
    const struct http_request request = {
        .method = HTTP_GET,
        .path = "/",
        .timeout_ms = TIMEOUT_MS,
        .max_body = BODY_BYTES_MAX,
        .on_chunk = streamed ? on_chunk : NULL,
        .done = on_done,
        .ctx = &outcome,
    };
    MUST(uv_loop_init(&loop) == 0);
    struct http_server *server = http_server_start(&loop, socket_path, routes);
    MUST(curl_transport_new(&loop, &transport, NULL) == 0);
    MUST(transport->client_new(transport, &endpoint, &client, NULL) == 0);
    MUST(http_send(client, &request, NULL, NULL) == 0);
    while (outcome.ended == 0) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    MUST(outcome.ended == 1 && server->connection_count == 1);
    http_client_free(client);
    curl_transport_close(transport);
    http_server_stop(server);
    MUST(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    MUST(uv_loop_close(&loop) == 0);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = exchange(data, size, false);
    struct outcome stream = exchange(data, size, true);
    // Only its bound makes a difference.
    MUST(!whole.answered || stream.answered);
    return 0;
}
