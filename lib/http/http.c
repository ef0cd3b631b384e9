#include "lib/http/http.h"

#include "lib/base/str.h"

#include <assert.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX_S 3600

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    };
    return names[method];
}

// Transports send it as it is: a line end would begin another header or another request.
static bool path_is_valid(const char *path)
{
    if (*path != '/') {
        return false;
    }
    for (; *path != '\0'; path++) {
        if (*path <= ' ' || *path > '~' || *path == '#') {
            return false;
        }
    }
    return true;
}

int http_send(struct http_client *client, const struct http_request *request,
              struct http_call **ret, struct error *err)
{
    assert(request->body_length == 0 ||
           (request->method != HTTP_GET && request->method != HTTP_HEAD));
    return path_is_valid(request->path)
               ? client->send(client, request, ret, err)
               : error_invalid(err, "the request's path is not absolute and percent-encoded");
}

void http_cancel(struct http_client *client, struct http_call *call)
{
    if (call != NULL) {
        client->cancel(client, call);
    }
}

void http_client_free(struct http_client *client)
{
    if (client != NULL) {
        client->free(client);
    }
}

bool http_response_header(const struct http_response *response, const char *name, char *value,
                          size_t size)
{
    size_t name_length = strlen(name);
    const char *line = buf_str(&response->headers);
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (strncasecmp(line, name, name_length) != 0 || line[name_length] != ':') {
            continue;
        }
        const char *start = line + name_length + 1;
        start += strspn(start, " \t");
        while (end > start && strchr(" \t\r", end[-1]) != NULL) {
            end--;
        }
        size_t length = end > start ? (size_t)(end - start) : 0;
        if (length >= size) {
            return false;
        }
        memcpy(value, start, length);
        value[length] = '\0';
        return true;
    }
    return false;
}

unsigned http_retry_after_ms(const struct http_response *response)
{
    char value[16];
    uint64_t seconds = 0;
    bool said = http_response_header(response, "Retry-After", value, sizeof(value)) &&
                str_to_u64(value, RETRY_AFTER_MAX_S, &seconds) == 0;
    return said ? (unsigned)seconds * 1000 : 0;
}

int http_append_escaped(struct buf *buf, const char *s)
{
    char *escaped = curl_easy_escape(NULL, s, 0);
    int r = buf_append_str(buf, escaped);
    curl_free(escaped);
    return r;
}

enum error_kind http_status_kind(int status)
{
    switch (status) {
    case 408:
    case 429:
        return ERROR_TRANSIENT;
    case 404:
    case 409:
    case 410:
    case 412:
        return ERROR_CONFLICT;
    default:
        return status >= 500 ? ERROR_TRANSIENT : ERROR_PERMANENT;
    }
}
