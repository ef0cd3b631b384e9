#include "lib/http/curl_origin.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"

#include <string.h>

static void url_freep(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void text_freep(char **text)
{
    curl_free(*text);
}

static int set_url(struct curl_origin *origin, const struct http_endpoint *endpoint,
                   struct error *err)
{
    _cleanup_(url_freep) CURLU *url = curl_url();
    _cleanup_(text_freep) char *host = NULL;
    _cleanup_(text_freep) char *port = NULL;
    _cleanup_(text_freep) char *text = NULL;
    CURLUcode code = curl_url_set(url, CURLUPART_URL, endpoint->base, CURLU_DISALLOW_USER);
    code = code != CURLUE_OK ? code : curl_url_get(url, CURLUPART_HOST, &host, 0);
    code = code != CURLUE_OK ? code : curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK && endpoint->tls_server_name != NULL) {
        // The certificate is checked for the URL's name; connect_to leads to the endpoint's host.
        code = curl_url_set(url, CURLUPART_HOST, endpoint->tls_server_name, 0);
        _cleanup_free_ char *entry = str_printf("::%s:%s", host, port);
        origin->connect_to = curl_slist_append(NULL, entry);
    }
    code = code != CURLUE_OK ? code : curl_url_get(url, CURLUPART_URL, &text, 0);
    if (code != CURLUE_OK) {
        return error_invalid(err, "not a valid address: %s", curl_url_strerror(code));
    }
    origin->url = str_dup(text);
    origin->target = endpoint->unix_socket != NULL ? str_dup(endpoint->unix_socket)
                                                   : str_printf("%s:%s", host, port);
    return 0;
}

int curl_origin_init(struct curl_origin *ret, const struct http_endpoint *endpoint,
                     struct error *err)
{
    _cleanup_(curl_origin_done) struct curl_origin origin = {0};
    int r = set_url(&origin, endpoint, err);
    if (r < 0) {
        return r;
    }
    origin.unix_socket = str_dup(endpoint->unix_socket);
    origin.ca_pem = str_dup(endpoint->ca_pem);
    origin.cert_pem = str_dup(endpoint->cert_pem);
    origin.key_pem = str_dup(endpoint->key_pem);
    if (endpoint->bearer_token != NULL) {
        origin.authorization = str_printf("Authorization: Bearer %s", endpoint->bearer_token);
    }
    *ret = TAKE_STRUCT(origin);
    return 0;
}

CURLcode curl_origin_apply(const struct curl_origin *origin, CURL *easy)
{
    const struct {
        CURLoption option;
        char *pem;
    } pems[] = {{CURLOPT_CAINFO_BLOB, origin->ca_pem},
                {CURLOPT_SSLCERT_BLOB, origin->cert_pem},
                {CURLOPT_SSLKEY_BLOB, origin->key_pem}};
    CURLcode code = CURLE_OK;
    CURL_SET(CURLOPT_NOSIGNAL, 1L);
    CURL_SET(CURLOPT_PROTOCOLS_STR, "http,https");
    CURL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    // One connection for all of a cluster's streams and requests would, once it is dead without a
    // word, let all of them time out until the system's keepalive finds out.
    CURL_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    CURL_SET(CURLOPT_NOPROXY, "*"); // the environment's proxy is not for loopback traffic
    CURL_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); // or later
    CURL_SET(CURLOPT_TCP_KEEPALIVE, 1L); // a stream whose peer vanished must end some day
    CURL_SET(CURLOPT_TCP_KEEPIDLE, 30L);
    CURL_SET(CURLOPT_TCP_KEEPINTVL, 10L);
    CURL_SET(CURLOPT_URL, origin->url);
    CURL_SET(CURLOPT_UNIX_SOCKET_PATH, origin->unix_socket);
    CURL_SET(CURLOPT_CONNECT_TO, origin->connect_to);
    if (origin->ca_pem != NULL) { // the system's roots would be trusted beside the given ones
        CURL_SET(CURLOPT_CAINFO, NULL);
        CURL_SET(CURLOPT_CAPATH, NULL);
    }
    for (size_t i = 0; i < ELEMENTS(pems); i++) {
        if (pems[i].pem != NULL) {
            struct curl_blob blob = {pems[i].pem, strlen(pems[i].pem), CURL_BLOB_NOCOPY};
            CURL_SET(pems[i].option, &blob);
        }
    }
    return code;
}

void curl_origin_done(struct curl_origin *origin)
{
    curl_slist_free_all(origin->connect_to);
    free(origin->url);
    free(origin->target);
    free(origin->unix_socket);
    secret_wipe(origin->authorization);
    free(origin->ca_pem);
    free(origin->cert_pem);
    secret_wipe(origin->key_pem);
    *origin = (struct curl_origin){0};
}
