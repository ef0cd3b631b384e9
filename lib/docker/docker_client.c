// Where the client connects to, and the API version that it speaks.
#include "lib/docker/docker_client.h"

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VERSION_BYTES_MAX 32
#define VERSION_MINOR_MAX 9999
#define UNIX_SCHEME "unix://"
#define TCP_SCHEME "tcp://"
#define TCP_CURE                                                                                   \
    "; see that the engine listens there, and without TLS: one with TLS needs docker.host and "    \
    "docker.tls"
#define TLS_CURE                                                                                   \
    "; see that the engine listens there with TLS, and that ca, cert and key are those of its "    \
    "authority"

// What shows that another engine may answer the next request; and which one did not.
static void on_failure(struct api *api, const char *said, struct error *err)
{
    struct docker *docker = (struct docker *)api;
    // A server in Go that expects TLS answers that.
    bool lacks_tls =
        said != NULL && str_starts_with(said, "Client sent an HTTP request to an HTTPS");
    // In a status, or in a stream that began well.
    bool answered =
        !lacks_tls && (err->code == EREMOTEIO || err->code == EBADMSG || err->code == EFBIG);
    if (said == NULL && (err->code == ENOENT || err->code == ECONNREFUSED || err->code == EACCES ||
                         err->code == ECONNRESET)) {
        docker->negotiated = false;
    }
    if (!answered && !error_is_own(err) && docker->origin[0] != '\0') {
        size_t length = strlen(err->text);
        (void)snprintf(err->text + length, sizeof(err->text) - length, "; it is %s%s",
                       docker->origin, docker->cure);
        str_make_printable(err->text);
    }
    // "client version 1.44 is too new. Maximum supported API version is 1.41"
    if (said != NULL && err->status == 400 && str_starts_with(said, "client version")) {
        docker->negotiated = false;
        err->kind = ERROR_TRANSIENT;
        err->code = ENOTCONN;
    }
}

int docker_new(struct http_transport *transport, const struct docker_options *options,
               struct docker **ret, struct error *err)
{
    bool local = str_starts_with(options->host, UNIX_SCHEME);
    bool tls = !local && options->tls;
    const char *address = options->host + strlen(local ? UNIX_SCHEME : TCP_SCHEME);
    _cleanup_free_ char *base =
        local ? str_dup("http://localhost") : str_printf("http%s://%s", tls ? "s" : "", address);
    const struct http_endpoint endpoint = {
        .unix_socket = local ? address : NULL,
        .base = base,
        .ca_pem = tls ? options->ca_pem : NULL,
        .cert_pem = tls ? options->cert_pem : NULL,
        .key_pem = tls ? options->key_pem : NULL,
    };
    const char *origin = options->origin == NULL ? "" : options->origin;
    _cleanup_free_ struct docker *docker = xcalloc(1, sizeof(*docker) + strlen(origin) + 1);
    memcpy(docker->origin, origin, strlen(origin) + 1);
    docker->api = (struct api){
        .name = "engine",
        .timeout_ms = options->timeout_ms,
        .secrets = options->secrets,
        .failed = on_failure,
    };
    docker->cure = local ? "" : tls ? TLS_CURE : TCP_CURE;
    int r = api_open(&docker->api, transport, &endpoint, err);
    if (r == 0) {
        *ret = TAKE_PTR(docker);
    }
    return r;
}

void docker_cancel(struct docker *docker, enum api_effect from)
{
    api_cancel(&docker->api, from);
}

void docker_cancel_container(struct docker *docker, const char *id, enum api_effect from)
{
    api_cancel_about(&docker->api, id, from);
}

void docker_free(struct docker *docker)
{
    if (docker != NULL) {
        api_free(&docker->api);
    }
}

int docker_send(struct docker *docker, const struct api_request *request, struct error *err)
{
    if (docker->version[0] == '\0') {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: no connection yet");
    }
    struct api_request whole = *request;
    whole.prefix = docker->version;
    return api_send(&docker->api, &whole, err);
}

const char *docker_check_entity(const json_t *answer)
{
    const char *problem = api_check_object(answer);
    bool has_id = !str_empty(json_get_string(answer, "Id", NULL));
    return problem != NULL ? problem : has_id ? NULL : "the answer has no id";
}

bool docker_is_negotiated(const struct docker *docker)
{
    return docker->negotiated;
}

bool docker_is_podman(const struct docker *docker)
{
    return docker->podman;
}

struct negotiation {
    struct docker *docker;
    docker_done_fn done;
    void *ctx;
};

// The header names the newest version that the engine speaks.
static int choose_version(struct docker *docker, const struct api_answer *answer, struct error *err)
{
    char version[VERSION_BYTES_MAX];
    uint64_t minor = 0;
    if (!http_response_header(answer->response, "Api-Version", version, sizeof(version)) ||
        !str_starts_with(version, "1.") ||
        str_to_u64(version + strlen("1."), VERSION_MINOR_MAX, &minor) < 0) {
        return error_set(err, ERROR_PERMANENT, EPROTO,
                         "%s: the answer names no API version; is this a Docker Engine?",
                         answer->what);
    }
    if (minor < DOCKER_API_MIN_MINOR) {
        return error_set(err, ERROR_PERMANENT, EPROTO,
                         "engine: its API version 1.%u is too old, 1.%d is needed", (unsigned)minor,
                         DOCKER_API_MIN_MINOR);
    }
    unsigned chosen = minor < DOCKER_API_MAX_MINOR ? (unsigned)minor : DOCKER_API_MAX_MINOR;
    (void)snprintf(docker->version, sizeof(docker->version), "/v1.%u", chosen);
    docker->negotiated = true;
    docker->podman =
        http_response_header(answer->response, "Libpod-Api-Version", version, sizeof(version));
    log_debug("engine: API version 1.%u", chosen);
    return 0;
}

static void on_ping(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct negotiation *negotiation = ctx;
    struct error problem = {0};
    if (err == NULL && choose_version(negotiation->docker, answer, &problem) < 0) {
        err = &problem;
    }
    negotiation->done(negotiation->ctx, NULL, err);
}

int docker_negotiate(struct docker *docker, docker_done_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {
        .what = "ask for the API version",
        .path = "/_ping",
        .effect = API_READS,
        .raw = on_ping,
        .ctx = &(struct negotiation){docker, done, ctx},
        .ctx_size = sizeof(struct negotiation),
    };
    return api_send(&docker->api, &request, err);
}
