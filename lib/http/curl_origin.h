// Where a client's requests go, and by which rules, as curl options.
#pragma once

#include "lib/http/http.h"

#include <curl/curl.h>

// Sets one more option of `easy`, unless one before has failed; `code` is what came of them.
#define CURL_SET(option, value)                                                                    \
    code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code

struct curl_origin {
    char *url;           // of the server, without a path
    char *target;        // whom errors name: the socket's path or HOST:PORT
    char *unix_socket;   // NULL for TCP
    char *authorization; // a whole header line, or NULL
    char *ca_pem;        // PEM texts, NULL when not given
    char *cert_pem;
    char *key_pem;
    struct curl_slist *connect_to; // sends the connection to the endpoint's host, or NULL
};

// Borrows endpoint until return. Returns 0 with *ret for curl_origin_done, or -EINVAL.
int curl_origin_init(struct curl_origin *ret, const struct http_endpoint *endpoint,
                     struct error *err);

// Sets the options that all requests have. The origin must outlive the handle.
CURLcode curl_origin_apply(const struct curl_origin *origin, CURL *easy);

void curl_origin_done(struct curl_origin *origin);
