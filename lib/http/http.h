// HTTP requests to one endpoint, asynchronous. This is an interface: curl_transport.h has the real
// implementation, tests have others.
//
// The contract of every request: `done` runs exactly once, never from inside http_send or
// http_cancel, also after a cancel (then with code ECANCELED). A call that http_send refused
// (it returned < 0) never runs `done`.
#pragma once

#include "lib/base/buf.h"
#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEADER_BYTES_MAX (32u * 1024u) // of an answer

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
};

// "GET" and so on.
const char *http_method_name(enum http_method method);

struct http_response {
    int status;
    struct buf headers; // "Name: value\r\n" lines as received
    struct buf body;    // NUL-terminated; empty when the request had on_chunk
};

// A piece of the body of a streamed answer with status 2xx, borrowed until return. A negative
// return ends the request: `done` then gets that errno.
typedef int (*http_chunk_fn)(void *ctx, const char *data, size_t length);

// The answer (borrowed until return), whatever its status, or NULL and why there is none: then
// err->kind is ERROR_TRANSIENT for all that the network does (refused, closed, short, timed out:
// code ECONNREFUSED, ENOENT (no such socket), EACCES, ECONNRESET, ETIMEDOUT, EFBIG for a body above
// max_body …), ERROR_PERMANENT for a certificate that does not verify (code EKEYREJECTED). The text
// does not name the request.
typedef void (*http_done_fn)(void *ctx, struct http_response *response, const struct error *err);

// Borrowed until http_send returns; what is needed longer is copied.
struct http_request {
    enum http_method method;
    const char *path;         // begins with '/', query included, already percent-encoded
    const char *accept;       // media type of the answer; NULL: any
    const char *content_type; // of the body
    const void *body;         // not with HTTP_GET and HTTP_HEAD
    size_t body_length;
    uint64_t timeout_ms;    // for the whole exchange; 0: none (streams)
    size_t max_body;        // bytes of the answer's body; 0: HTTP_BODY_MAX_DEFAULT
    http_chunk_fn on_chunk; // stream the body of a 2xx answer instead of collecting it; may be NULL
    http_done_fn done;
    void *ctx;
};

#define HTTP_BODY_MAX_DEFAULT (16u * 1024u * 1024u)

struct http_call;

// Embedded first in every implementation's own struct.
struct http_client {
    int (*send)(struct http_client *client, const struct http_request *request,
                struct http_call **ret, struct error *err);
    void (*cancel)(struct http_client *client, struct http_call *call);
    void (*free)(struct http_client *client);
};

// Where a client connects to. PEM texts stay in memory; nothing is written to a file.
struct http_endpoint {
    const char *unix_socket; // path that fits a sockaddr_un, or NULL for TCP
    const char *base;        // "http://localhost" or "https://127.0.0.1:6443", without a path
    const char *ca_pem;      // the only roots trusted; NULL: the system's
    const char *cert_pem;    // both or none
    const char *key_pem;
    const char *bearer_token;    // without spaces and control characters
    const char *tls_server_name; // verify the certificate for this name instead of the host's; NULL
};

// Creates a client for an endpoint (borrowed until return). The factory is what is faked in tests.
struct http_transport {
    int (*client_new)(struct http_transport *transport, const struct http_endpoint *endpoint,
                      struct http_client **ret, struct error *err);
};

// Submits a request. ret may be NULL when it will not be cancelled; *ret is valid until done ran.
// Returns 0 or -errno.
int http_send(struct http_client *client, const struct http_request *request,
              struct http_call **ret, struct error *err);

// Ends a call early; `done` still comes. NULL is fine.
void http_cancel(struct http_client *client, struct http_call *call);

// No call may be under way. NULL is fine.
void http_client_free(struct http_client *client);
DEFINE_CLEANUP(struct http_client *, http_client_free)

// The value of a header (case-insensitive name) copied into value; false when absent or too long.
bool http_response_header(const struct http_response *response, const char *name, char *value,
                          size_t size);

// What a Retry-After header asks for, 0 when there is none in the form of seconds.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
unsigned http_retry_after_ms(const struct http_response *response);

// Appends s percent-encoded as one path segment or query value. Returns 0 or -errno.
int http_append_escaped(struct buf *buf, const char *s);

// The error kind of an HTTP status that is not 2xx: 408, 429, 5xx transient; 404, 409, 410, 412
// conflict; the rest permanent.
enum error_kind http_status_kind(int status);
