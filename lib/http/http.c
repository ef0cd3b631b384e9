#include "lib/http/http.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HEADER_NAME_CHARACTERS                                                                     \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~" // RFC
                                                                                    // 9110 5.6.2
#define UNRESERVED_CHARACTERS                                                                      \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~" // RFC 3986 2.3

#define RETRY_AFTER_MAX_S 3600

static bool header_name_is_valid(const char *name)
{
    return !str_empty(name) && name[strspn(name, HEADER_NAME_CHARACTERS)] == '\0';
}

// Transports send values verbatim: a line end would begin another header or another request.
static bool header_value_is_valid(const char *value)
{
    for (; *value != '\0'; value++) {
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool path_is_valid(const char *path)
{
    if (path == NULL || path[0] != '/') {
        return false;
    }
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path <= 0x20 || (unsigned char)*path >= 0x7f || *path == '#') {
            return false;
        }
    }
    return true;
}

// No value is named in the text: it may be a secret.
static int request_check(const struct http_request *request, struct error *err)
{
    if (!path_is_valid(request->path)) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "the request's path is not absolute and percent-encoded");
    }
    if (request->header_count > HTTP_HEADERS_MAX) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "more than %d headers in a request",
                         HTTP_HEADERS_MAX);
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!header_name_is_valid(header->name)) {
            return error_set(err, ERROR_PERMANENT, EINVAL, "a request header's name is not valid");
        }
        if (!header_value_is_valid(header->value)) {
            return error_set(err, ERROR_PERMANENT, EINVAL,
                             "the value of request header %s has a control character",
                             header->name);
        }
    }
    if (request->content_type != NULL && !header_value_is_valid(request->content_type)) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "the request's content type has a control character");
    }
    bool bodyless = request->method == HTTP_GET || request->method == HTTP_HEAD;
    if (bodyless && request->body_length > 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "GET and HEAD take no body");
    }
    return 0;
}

int http_send(struct http_client *client, const struct http_request *request,
              struct http_call **ret, struct error *err)
{
    int r = request_check(request, err);
    if (r < 0) {
        return r;
    }
    return client->ops->send(client, request, ret, err);
}

void http_cancel(struct http_client *client, struct http_call *call)
{
    if (call != NULL) {
        client->ops->cancel(client, call);
    }
}

void http_client_free(struct http_client *client)
{
    if (client != NULL) {
        client->ops->free(client);
    }
}

bool http_response_header(const struct http_response *response, const char *name, char *value,
                          size_t size)
{
    size_t name_length = strlen(name);
    const char *line = buf_str(&response->headers);
    for (const char *end = strchr(line, '\n'); end != NULL;
         line = end + 1, end = strchr(line, '\n')) {
        if (strncasecmp(line, name, name_length) != 0 || line[name_length] != ':') {
            continue;
        }
        const char *start = line + name_length + 1;
        start += strspn(start, " \t");
        while (end > start && strchr(" \t\r\n", end[-1]) != NULL) {
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
    if (!http_response_header(response, "Retry-After", value, sizeof(value)) ||
        str_to_u64(value, RETRY_AFTER_MAX_S, &seconds) < 0) {
        return 0;
    }
    return (unsigned)seconds * 1000;
}

int http_append_escaped(struct buf *buf, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";
    while (*s != '\0') {
        size_t plain = strspn(s, UNRESERVED_CHARACTERS);
        unsigned char byte = (unsigned char)*s;
        const char escaped[] = {'%', digits[byte >> 4], digits[byte & 0xf]};
        int r = plain > 0 ? buf_append(buf, s, plain) : buf_append(buf, escaped, sizeof(escaped));
        if (r < 0) {
            return r;
        }
        s += plain > 0 ? plain : 1;
    }
    return 0;
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
