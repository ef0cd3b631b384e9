// The bytes of an HTTP answer, from a server that then closes the connection. Whatever they are,
// the request ends once, within its bounds, and leaves nothing behind. Each input is the answer to
// a request whose body is collected and to one whose body is streamed.
#include "lib/base/str.h"
#include "lib/http/curl_transport.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#define BODY_BYTES_MAX 4096
#define TIMEOUT_MS 60000
#define VALUE_BYTES_MAX 64

struct peer {
    uv_loop_t loop;
    uv_pipe_t listener;
    uv_pipe_t connection;
    uv_write_t write;
    uv_buf_t answer;
    bool connected;
    char received[1024];
};

struct outcome {
    unsigned ended;
    size_t streamed;
    bool answered;
};

// ---- the server ----

static void close_connection(uv_write_t *write, int status)
{
    (void)status; // the client may have gone
    uv_close((uv_handle_t *)write->handle, NULL);
}

static void offer_space(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct peer *peer = handle->data;
    (void)size;
    *ret = uv_buf_init(peer->received, sizeof(peer->received));
}

// The head of the request has no body behind it and comes at once.
static void on_request(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    (void)buffer;
    if (length == 0) {
        return;
    }
    MUST(uv_read_stop(stream) == 0);
    MUST(uv_write(&peer->write, stream, &peer->answer, 1, close_connection) == 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct peer *peer = listener->data;
    MUST(status == 0 && !peer->connected);
    peer->connected = true;
    MUST(uv_pipe_init(&peer->loop, &peer->connection, 0) == 0);
    peer->connection.data = peer;
    MUST(uv_accept(listener, (uv_stream_t *)&peer->connection) == 0);
    MUST(uv_read_start((uv_stream_t *)&peer->connection, offer_space, on_request) == 0);
}

static void peer_begin(struct peer *peer, const char *path, const uint8_t *data, size_t size)
{
    *peer = (struct peer){.answer = uv_buf_init((char *)(uintptr_t)data, (unsigned)size)};
    MUST(uv_loop_init(&peer->loop) == 0);
    MUST(uv_pipe_init(&peer->loop, &peer->listener, 0) == 0);
    peer->listener.data = peer;
    MUST(uv_pipe_bind(&peer->listener, path) == 0);
    MUST(uv_listen((uv_stream_t *)&peer->listener, 1, on_connection) == 0);
}

// ---- the client ----

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

static const char *socket_path;

static void remove_socket(void)
{
    _cleanup_free_ char *directory =
        str_dup_n(socket_path, (size_t)(strrchr(socket_path, '/') - socket_path));
    (void)unlink(socket_path);
    (void)rmdir(directory);
}

static const char *make_socket_path(void)
{
    static char directory[] = "/tmp/fuzz-http-XXXXXX";
    MUST(mkdtemp(directory) != NULL);
    char *path = str_printf("%s/socket", directory);
    MUST(atexit(remove_socket) == 0);
    return path;
}

static struct outcome exchange(const uint8_t *data, size_t size, bool streamed)
{
    struct peer peer;
    struct http_transport *transport = NULL;
    struct http_client *client = NULL;
    struct outcome outcome = {0};
    if (socket_path == NULL) {
        socket_path = make_socket_path();
    }
    peer_begin(&peer, socket_path, data, size);
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
    MUST(curl_transport_new(&peer.loop, &transport, NULL) == 0);
    MUST(transport->client_new(transport, &endpoint, &client, NULL) == 0);
    MUST(http_send(client, &request, NULL, NULL) == 0);
    while (outcome.ended == 0) {
        (void)uv_run(&peer.loop, UV_RUN_ONCE);
    }
    http_client_free(client);
    curl_transport_close(transport);
    uv_close((uv_handle_t *)&peer.listener, NULL);
    MUST(uv_run(&peer.loop, UV_RUN_DEFAULT) == 0);
    MUST(uv_loop_close(&peer.loop) == 0);
    MUST(outcome.ended == 1);
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
