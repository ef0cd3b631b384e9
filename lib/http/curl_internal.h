// What the curl_*.c files share. A call is on `active` while the multi handle knows it, and on
// `ready` while it has something for its owner: pieces of a stream, or its end. Owners are called
// from the idle handle alone, so never inside a curl callback, http_send or http_cancel.
#pragma once

#include "lib/base/secret.h"
#include "lib/http/curl_transport.h"

#include <curl/curl.h>
#include <sys/queue.h>

#define CONNECT_TIMEOUT_MAX_MS 10000u
// What is above it waits in curl's own queue. A stream holds its connection for as long as it
// lasts.
#define CONNECTIONS_PER_HOST_MAX 16
#define CLIENT_POOL_MAX 16

TAILQ_HEAD(call_list, http_call);

struct curl_transport {
    struct http_transport transport; // first
    uv_loop_t *loop;
    unsigned clients;
};

// What drives one client's requests. Each has a multi handle of its own, since with each request
// curl walks through all the connections of its multi handle.
struct curl_driver {
    uv_loop_t *loop;
    uv_timer_t timer;         // the one that curl asks for
    uv_idle_t idle;           // runs while `ready` has calls
    uv_timer_t connect_timer; // for calls that wait for a connection
    unsigned handles;         // uv handles not yet closed; the last one frees this
    CURLM *multi;             // made by the first request, and again by the first after a failure
    struct curl_socket **sockets; // by descriptor; NULL: none of curl's
    size_t socket_count;
    struct call_list active;
    struct call_list ready;
};

struct curl_client {
    struct http_client client; // first
    struct curl_transport *transport;
    struct curl_driver *driver;
    CURLU *url;              // of the server, taken apart once for all requests
    char *path;              // goes before each request's, has no '/' at its end
    char *target;            // whom errors name: the socket's path or HOST:PORT
    char *unix_socket;       // NULL for TCP
    char *authorization;     // a whole header line, or NULL
    struct secrets *secrets; // the token in it
    char *ca_pem;            // PEM texts: NULL when not given
    char *cert_pem;
    char *key_pem;
    struct curl_slist *connect_to; // sends the connection to the host of base, or NULL
    CURL *pool[CLIENT_POOL_MAX];   // ready for the next call
    size_t pool_count;
    unsigned calls; // under way
};

struct http_call {
    struct curl_client *client; // NULL from the moment `done` runs
    CURL *easy;
    struct curl_slist *headers; // not copied by curl
    char *label;                // "GET /path", query left out, for error texts
    uint64_t timeout_ms;
    uint64_t connect_ms;
    uint64_t connect_by; // ms of uv_hrtime
    http_chunk_fn on_chunk;
    http_done_fn done;
    void *ctx;
    struct http_response response;
    unsigned header_count;
    bool headers_complete; // of the last answer, not of an interim one
    struct buf chunk;      // streamed, not yet handed to on_chunk
    int socket_errno;      // why there is no socket, 0: there is, or none was needed
    struct error err;      // why there is no answer; kind ERROR_NONE: there is one
    char detail[CURL_ERROR_SIZE];
    bool active;
    bool ready;
    TAILQ_ENTRY(http_call) active_link;
    TAILQ_ENTRY(http_call) ready_link;
};

// curl_driver.c
// Returns NULL when out of memory.
struct curl_driver *curl_driver_new(uv_loop_t *loop);
// Nothing may be under way. Memory goes when the loop has run the close callbacks.
void curl_driver_close(struct curl_driver *driver);
// Makes the call's transfer begin with the next turn of the loop. Returns 0 or -errno, then the
// call is the caller's as before.
int curl_driver_add(struct curl_driver *driver, struct http_call *call, struct error *err);
// Takes the call from the multi handle, if it is there, and has it delivered.
void curl_driver_end(struct curl_driver *driver, struct http_call *call);
void curl_driver_deliver_later(struct curl_driver *driver, struct http_call *call);
// Tells curl of a socket or of the timer. Finished transfers show up after either.
void curl_driver_perform(struct curl_driver *driver, curl_socket_t fd, int events);
// One of driver->handles is closed.
void curl_driver_handle_closed(struct curl_driver *driver);

// curl_socket.c
// A socket with its handle. Returns CURL_SOCKET_BAD when there is none, and errno says why.
curl_socket_t curl_socket_open(struct curl_driver *driver, const struct curl_sockaddr *address);
// For CURLOPT_CLOSESOCKETFUNCTION and CURLMOPT_SOCKETFUNCTION; ctx is the driver.
int curl_socket_close(void *ctx, curl_socket_t fd);
int curl_socket_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known);
void curl_sockets_forget(struct curl_driver *driver); // all of them

// curl_client.c
int curl_client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                    struct http_client **ret, struct error *err);
// An easy handle with the options that every request of the client has, from the pool or new.
CURLcode curl_client_take_easy(struct curl_client *client, CURL **ret);
// Takes a handle that no multi handle knows and drops what it has of the request; NULL is fine.
void curl_client_give_easy(struct curl_client *client, CURL *easy);

// curl_call.c
int curl_call_new(struct curl_client *client, const struct http_request *request,
                  struct http_call **ret, struct error *err);
// Whether the request had a connection and was begun.
bool curl_call_is_connected(const struct http_call *call);
// The transfer is over: note what came of it in call->err.
void curl_call_finished(struct http_call *call, CURLcode result);
void curl_call_cancel(struct http_call *call);
// Hands over what is there: pieces of the stream, then, once the call has ended, `done`, after
// which the call is gone.
void curl_call_deliver(struct http_call *call);
void curl_call_free(struct http_call *call);
DEFINE_CLEANUP(struct http_call *, curl_call_free)

// curl_error.c
struct curl_failure {
    CURLcode result; // not CURLE_OK
    int os_errno;    // of the connection attempt, 0 when unknown
    bool connected;  // the request was begun
    uint64_t timeout_ms;
    uint64_t connect_ms;
    const char *label;
    const char *target;
    const char *detail; // curl's own words
};
// Fills err from why a transfer failed; returns -err->code.
int curl_failure_explain(const struct curl_failure *failure, struct error *err);
