// An endpoint as curl options, and a pool of easy handles which have them: connections live in the
// multi handle, so what a pooled handle saves is its own making.
#include "lib/http/curl_internal.h"

#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static void client_free(struct http_client *client)
{
    struct curl_client *self = (struct curl_client *)client;
    assert(self->calls == 0);
    for (size_t i = 0; i < self->pool_count; i++) {
        curl_easy_cleanup(self->pool[i]);
    }
    if (self->driver != NULL) {
        curl_driver_close(self->driver);
    }
    if (self->transport != NULL) {
        self->transport->clients--;
    }
    curl_slist_free_all(self->connect_to);
    curl_url_cleanup(self->url);
    free(self->path);
    free(self->target);
    free(self->unix_socket);
    free(self->authorization);
    secrets_free(self->secrets);
    free(self->ca_pem);
    free(self->cert_pem);
    free(self->key_pem);
    free(self);
}

static void client_cancel(_unused_ struct http_client *client, struct http_call *call)
{
    curl_call_cancel(call);
}

static int client_send(struct http_client *client, const struct http_request *request,
                       struct http_call **ret, struct error *err)
{
    struct curl_client *self = (struct curl_client *)client;
    _cleanup_(curl_call_freep) struct http_call *call = NULL;
    int r = curl_call_new(self, request, &call, err);
    if (r < 0) {
        return r;
    }
    r = curl_driver_add(self->driver, call, err);
    if (r < 0) {
        return r;
    }
    struct http_call *started = TAKE_PTR(call);
    if (ret != NULL) {
        *ret = started;
    }
    return 0;
}

static const struct http_client_ops client_ops = {
    .send = client_send,
    .cancel = client_cancel,
    .free = client_free,
};

static const struct {
    CURLoption option;
    long value;
} fixed_numbers[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_PATH_AS_IS, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2}, // or later
    {CURLOPT_TCP_KEEPALIVE, 1},                    // a stream whose peer vanished must end some day
    {CURLOPT_TCP_KEEPIDLE, 30},
    {CURLOPT_TCP_KEEPINTVL, 10},
};

static CURLcode set_blob(CURL *easy, CURLoption option, char *pem)
{
    if (pem == NULL) {
        return CURLE_OK;
    }
    // The client outlives its handles' use of it.
    struct curl_blob blob = {.data = pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

static CURLcode client_configure(const struct curl_client *client, CURL *easy)
{
    const struct {
        CURLoption option;
        const char *value;
    } strings[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_NOPROXY, "*"}, // the environment's proxy is not for loopback traffic
        {CURLOPT_UNIX_SOCKET_PATH, client->unix_socket},
    };
    const struct {
        CURLoption option;
        char *pem;
    } blobs[] = {
        {CURLOPT_CAINFO_BLOB, client->ca_pem},
        {CURLOPT_SSLCERT_BLOB, client->cert_pem},
        {CURLOPT_SSLKEY_BLOB, client->key_pem},
    };

    CURLcode code = curl_easy_setopt(easy, CURLOPT_CURLU, client->url);
    for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(fixed_numbers); i++) {
        code = curl_easy_setopt(easy, fixed_numbers[i].option, fixed_numbers[i].value);
    }
    for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(strings); i++) {
        code = curl_easy_setopt(easy, strings[i].option, strings[i].value);
    }
    for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(blobs); i++) {
        code = set_blob(easy, blobs[i].option, blobs[i].pem);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, curl_socket_close);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client->driver);
    }
    if (code == CURLE_OK && client->connect_to != NULL) {
        code = curl_easy_setopt(easy, CURLOPT_CONNECT_TO, client->connect_to);
    }
    // The system's roots would be trusted beside the given ones.
    if (code == CURLE_OK && client->ca_pem != NULL) {
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    }
    if (code == CURLE_OK && client->ca_pem != NULL) {
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return code;
}

CURLcode curl_client_take_easy(struct curl_client *client, CURL **ret)
{
    if (client->pool_count > 0) {
        client->pool_count--;
        *ret = client->pool[client->pool_count];
        return CURLE_OK;
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLcode code = client_configure(client, easy);
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        return code;
    }
    *ret = easy;
    return CURLE_OK;
}

void curl_client_give_easy(struct curl_client *client, CURL *easy)
{
    if (easy == NULL) {
        return;
    }
    // What the call owns must go, and its body, which may be large. Not curl_easy_reset: that
    // allocates, and when it fails leaves a handle half made without saying so.
    static const CURLoption owned[] = {
        CURLOPT_PRIVATE,     CURLOPT_HEADERDATA,     CURLOPT_WRITEDATA,     CURLOPT_HTTPHEADER,
        CURLOPT_ERRORBUFFER, CURLOPT_COPYPOSTFIELDS, CURLOPT_OPENSOCKETDATA};
    for (size_t i = 0; i < ELEMENTS(owned); i++) {
        (void)curl_easy_setopt(easy, owned[i], NULL);
    }
    if (client->pool_count == CLIENT_POOL_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    client->pool[client->pool_count] = easy;
    client->pool_count++;
}

static int explain_url(CURLUcode code, struct error *err)
{
    if (code == CURLUE_OUT_OF_MEMORY) {
        return error_oom(err);
    }
    return error_set(err, ERROR_PERMANENT, EINVAL, "not a valid address: %s",
                     curl_url_strerror(code));
}

// Connects to host:port while the URL, hence the certificate's check, has another name.
static int client_connect_to(struct curl_client *self, const char *host_port, struct error *err)
{
    _cleanup_free_ char *entry = str_printf("::%s", host_port);
    if (entry == NULL) {
        return error_oom(err);
    }
    self->connect_to = curl_slist_append(NULL, entry);
    return self->connect_to == NULL ? error_oom(err) : 0;
}

// The parts of an address that requests and errors need.
struct url_parts {
    char *scheme;
    char *host;
    char *port;
    char *path;
};

static void url_parts_done(struct url_parts *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_free(parts->path);
}

static CURLUcode url_take_apart(CURLU *url, const char *text, struct url_parts *ret)
{
    const struct {
        CURLUPart part;
        unsigned flags;
        char **to;
    } parts[] = {
        {CURLUPART_SCHEME, 0, &ret->scheme},
        {CURLUPART_HOST, 0, &ret->host},
        {CURLUPART_PORT, CURLU_DEFAULT_PORT, &ret->port},
        {CURLUPART_PATH, 0, &ret->path},
    };
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    for (size_t i = 0; code == CURLUE_OK && i < ELEMENTS(parts); i++) {
        code = curl_url_get(url, parts[i].part, parts[i].to, parts[i].flags);
    }
    return code;
}

static int client_set_url(struct curl_client *self, const struct http_endpoint *endpoint,
                          struct error *err)
{
    _cleanup_(url_parts_done) struct url_parts parts = {0};
    self->url = curl_url();
    if (self->url == NULL) {
        return error_oom(err);
    }
    CURLUcode code = url_take_apart(self->url, endpoint->base, &parts);
    if (code != CURLUE_OK) {
        return explain_url(code, err);
    }
    if (!str_equal(parts.scheme, "http") && !str_equal(parts.scheme, "https")) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "not an http or https address: %s",
                         endpoint->base);
    }

    _cleanup_free_ char *host_port = str_printf("%s:%s", parts.host, parts.port);
    if (host_port == NULL) {
        return error_oom(err);
    }
    if (endpoint->tls_server_name != NULL) {
        code = curl_url_set(self->url, CURLUPART_HOST, endpoint->tls_server_name, 0);
        int r =
            code != CURLUE_OK ? explain_url(code, err) : client_connect_to(self, host_port, err);
        if (r < 0) {
            return r;
        }
    }
    self->path =
        str_dup_n(parts.path, strlen(parts.path) - (str_ends_with(parts.path, "/") ? 1 : 0));
    self->target =
        endpoint->unix_socket != NULL ? str_dup(endpoint->unix_socket) : TAKE_PTR(host_port);
    return self->path == NULL || self->target == NULL ? error_oom(err) : 0;
}

static int endpoint_check(const struct http_endpoint *endpoint, struct error *err)
{
    if (endpoint->unix_socket != NULL && strlen(endpoint->unix_socket) > UNIX_PATH_MAX) {
        return error_set(err, ERROR_PERMANENT, ENAMETOOLONG,
                         "path of a unix socket is longer than %zu bytes: %s", UNIX_PATH_MAX,
                         endpoint->unix_socket);
    }
    if ((endpoint->cert_pem == NULL) != (endpoint->key_pem == NULL)) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "a client certificate and its key are only of use together");
    }
    if (endpoint->bearer_token != NULL) {
        for (const char *p = endpoint->bearer_token; *p != '\0'; p++) {
            if ((unsigned char)*p <= 0x20 || *p == 0x7f) {
                return error_set(err, ERROR_PERMANENT, EINVAL,
                                 "the bearer token has a space or a control character");
            }
        }
    }
    return 0;
}

int curl_client_new(struct http_transport *transport, const struct http_endpoint *endpoint,
                    struct http_client **ret, struct error *err)
{
    int r = endpoint_check(endpoint, err);
    if (r < 0) {
        return r;
    }
    struct curl_client *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    self->client.ops = &client_ops;
    _cleanup_(http_client_freep) struct http_client *client = &self->client;

    r = client_set_url(self, endpoint, err);
    if (r < 0) {
        return r;
    }
    if (str_replace(&self->unix_socket, endpoint->unix_socket) < 0 ||
        str_replace(&self->ca_pem, endpoint->ca_pem) < 0 ||
        str_replace(&self->cert_pem, endpoint->cert_pem) < 0 ||
        str_replace(&self->key_pem, endpoint->key_pem) < 0) {
        return error_oom(err);
    }
    if (endpoint->bearer_token != NULL) {
        self->authorization = str_printf("Authorization: Bearer %s", endpoint->bearer_token);
        if (self->authorization == NULL || secrets_new(&self->secrets) < 0 ||
            secrets_add(self->secrets, endpoint->bearer_token) < 0) {
            return error_oom(err);
        }
    }
    struct curl_transport *owner = (struct curl_transport *)transport;
    self->driver = curl_driver_new(owner->loop);
    if (self->driver == NULL) {
        return error_oom(err);
    }
    self->transport = owner;
    self->transport->clients++;
    *ret = TAKE_PTR(client);
    return 0;
}
