// The client itself: where it connects to, and the API version that it speaks.
#include "lib/docker/docker_internal.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define PEM_BYTES_MAX (256u * 1024u)
#define VERSION_HEADER "Api-Version"
#define VERSION_BYTES_MAX 32
#define VERSION_MINOR_MAX 9999

#define UNIX_SCHEME "unix://"
#define TCP_SCHEME "tcp://"

static int read_pem(const char *path, char **ret, struct error *err)
{
    size_t length = 0;
    int r = str_empty(path) ? 0 : file_read(path, PEM_BYTES_MAX, ret, &length);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    return r < 0 ? error_set(err, ERROR_PERMANENT, -r, "cannot read %s: %s", path, strerror(-r))
                 : 0;
}

static void secret_freep(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
        free(*text);
    }
}

static int client_for_host(struct http_transport *transport, const struct docker_options *options,
                           struct http_client **ret, struct error *err)
{
    if (str_starts_with(options->host, UNIX_SCHEME "/")) {
        const struct http_endpoint endpoint = {
            .unix_socket = options->host + strlen(UNIX_SCHEME),
            .base = "http://localhost",
        };
        return transport->client_new(transport, &endpoint, ret, err);
    }
    const char *address = options->host + strlen(TCP_SCHEME);
    if (!str_starts_with(options->host, TCP_SCHEME) || *address == '\0' ||
        strpbrk(address, "/?#@ ") != NULL) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "%s is neither unix:///PATH nor tcp://HOST:PORT", options->host);
    }
    _cleanup_free_ char *base = str_printf("%s://%s", options->tls ? "https" : "http", address);
    _cleanup_free_ char *ca = NULL;
    _cleanup_free_ char *cert = NULL;
    _cleanup_(secret_freep) char *key = NULL;
    if (base == NULL) {
        return error_oom(err);
    }
    if (options->tls) {
        const struct {
            const char *path;
            char **pem;
        } files[] = {
            {options->ca_file, &ca}, {options->cert_file, &cert}, {options->key_file, &key}};
        for (size_t i = 0; i < ELEMENTS(files); i++) {
            int r = read_pem(files[i].path, files[i].pem, err);
            if (r < 0) {
                return r;
            }
        }
    }
    const struct http_endpoint endpoint = {
        .base = base, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    return transport->client_new(transport, &endpoint, ret, err);
}

int docker_new(struct http_transport *transport, const struct docker_options *options,
               struct docker **ret, struct error *err)
{
    _cleanup_(docker_freep) struct docker *docker = calloc(1, sizeof(*docker));
    if (docker == NULL) {
        return error_oom(err);
    }
    docker->timeout_ms = options->timeout_ms;
    int r = client_for_host(transport, options, &docker->client, err);
    if (r < 0) {
        (void)error_wrap(err, "engine");
        return r;
    }
    *ret = TAKE_PTR(docker);
    return 0;
}

void docker_cancel_reads(struct docker *docker)
{
    for (struct docker_call *call = docker->calls; call != NULL; call = call->next) {
        if (call->effect == DOCKER_READS) {
            http_cancel(docker->client, call->http);
        }
    }
}

void docker_cancel_all(struct docker *docker)
{
    for (struct docker_call *call = docker->calls; call != NULL; call = call->next) {
        http_cancel(docker->client, call->http);
    }
}

void docker_free(struct docker *docker)
{
    if (docker != NULL) {
        http_client_free(docker->client);
        json_memo_done(&docker->list);
        json_memo_done(&docker->inspected);
        free(docker);
    }
}

bool docker_is_negotiated(const struct docker *docker)
{
    return docker->negotiated;
}

struct negotiate_call {
    struct docker_call call;
    docker_done_fn done;
    void *ctx;
};

// The header names the newest version that the engine speaks.
static int choose_version(struct docker_call *call, const struct http_response *response,
                          struct error *err)
{
    char version[VERSION_BYTES_MAX];
    uint64_t minor = 0;
    if (!http_response_header(response, VERSION_HEADER, version, sizeof(version)) ||
        !str_starts_with(version, "1.") ||
        str_to_u64(version + strlen("1."), VERSION_MINOR_MAX, &minor) < 0) {
        return docker_error(call, err, ERROR_PERMANENT, EPROTO,
                            "the answer names no API version; is this a Docker Engine?");
    }
    if (minor < DOCKER_API_MIN_MINOR) {
        return error_set(err, ERROR_PERMANENT, EPROTO,
                         "engine: its API version 1.%u is too old, 1.%d is needed", (unsigned)minor,
                         DOCKER_API_MIN_MINOR);
    }
    call->docker->api_minor = minor < DOCKER_API_MAX_MINOR ? (unsigned)minor : DOCKER_API_MAX_MINOR;
    call->docker->negotiated = true;
    log_debug("engine: API version 1.%u", call->docker->api_minor);
    return 0;
}

static void negotiate_answered(struct docker_call *call, struct http_response *response,
                               struct error *err)
{
    struct negotiate_call *self = (struct negotiate_call *)call;
    int r = response == NULL ? -err->code : choose_version(call, response, err);
    self->done(self->ctx, NULL, r < 0 ? err : NULL);
}

int docker_negotiate(struct docker *docker, docker_done_fn done, void *ctx, struct error *err)
{
    struct negotiate_call *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return error_oom(err);
    }
    *self = (struct negotiate_call){.call.answered = negotiate_answered, .done = done, .ctx = ctx};
    const struct docker_request request = {
        .verb = "ask for the API version",
        .method = HTTP_GET,
        .unversioned = true,
        .path = {{"/_ping", NULL}},
    };
    int r = docker_call_send(docker, &self->call, &request, err);
    if (r < 0) {
        docker_call_free(&self->call);
    }
    return r;
}
