// Whether a registry answers, and whether it takes a push: its /v2/ answers as well where it can
// store nothing, as with a full disk, or where SELinux or a user namespace keeps it out. So after
// each of its starts, and rarely after that, an upload is begun, gets a byte, and is given up
// (https://distribution.github.io/distribution/spec/api/#initiate-blob-upload). No repository comes
// of it, but distribution 2.8 leaves a file of 108 bytes in the storage for each, for good: seen.
#include "lib/kinds/container/observe.h"

#include "lib/base/str.h"
#include "lib/kinds/container/compare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define UPLOAD_PATH "/v2/hostk8s-registryd/probe/blobs/uploads/"
#define UPLOAD_AGAIN_MS (24u * 60u * 60u * 1000u)
#define UPLOAD_FAILED_AGAIN_MS (60u * 1000u)
// For each of its requests. A disk that was asleep may take longer: the next upload, which follows
// soon on the first without an answer, finds it awake.
#define UPLOAD_TIMEOUT_MS 5000u
#define UPLOAD_SOON_MS 5000u
#define UPLOAD_TRIES_MAX 2 // one refusal alone may be the registry's moment
#define LOCATION_BYTES_MAX 4096

// The requests of one.
enum { UPLOAD_BEGIN, UPLOAD_WRITE, UPLOAD_GIVE_UP };

// ---- an upload ----

static void begin_upload(struct part *part);

static void end_upload(struct part *part)
{
    struct observation *o = part->observation;
    struct upload *upload = &part->facts->upload;
    enum upload_state state = upload->state;
    if (state == UPLOAD_FAILED && part->upload_tries < UPLOAD_TRIES_MAX) {
        begin_upload(part);
        observe_join(o, NULL);
        return;
    }
    bool failed = state == UPLOAD_FAILED || state == UPLOAD_FULL || state == UPLOAD_SILENT;
    bool lost = state == UPLOAD_SILENT && part->upload.state != UPLOAD_SILENT;
    _cleanup_free_ char *hidden = secrets_hide(o->io->secrets, upload->why);
    (void)snprintf(upload->why, sizeof(upload->why), "%s", hidden);
    part->upload = *upload;
    part->upload_again_ms = o->input->now_ms + (lost     ? UPLOAD_SOON_MS
                                                : failed ? UPLOAD_FAILED_AGAIN_MS
                                                         : UPLOAD_AGAIN_MS);
    observe_join(o, NULL);
}

static void on_upload(void *ctx, struct http_response *response, const struct error *err);

static void send_upload(struct part *part)
{
    static const struct http_request requests[] = {
        [UPLOAD_BEGIN] = {HTTP_POST, .body = ""},
        [UPLOAD_WRITE] = {HTTP_PATCH, .content_type = "application/octet-stream", .body = ".",
                          .body_length = 1},
        [UPLOAD_GIVE_UP] = {HTTP_DELETE, .body = ""},
    };
    struct http_request request = requests[part->upload_stage];
    request.path = part->location;
    request.timeout_ms = UPLOAD_TIMEOUT_MS;
    request.done = on_upload;
    observe_send(part, &part->own, request);
}

static void begin_upload(struct part *part)
{
    part->upload_tries++;
    part->location = UPLOAD_PATH;
    part->upload_stage = UPLOAD_BEGIN;
    send_upload(part);
}

// The path of an absolute URL, or of a path; false: there is none.
static bool take_location(struct part *part, const struct http_response *response)
{
    char location[LOCATION_BYTES_MAX];
    const char *path = location;
    if (!http_response_header(response, "Location", location, sizeof(location))) {
        return false;
    }
    const char *scheme = strstr(location, "://");
    if (location[0] != '/' && scheme != NULL) {
        path = strchrnul(scheme + strlen("://"), '/');
    }
    part->location = arena_dup(&part->observation->current->arena, path);
    return path[0] == '/';
}

static void on_upload(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    struct upload *upload = &part->facts->upload;
    struct upload answer = {.state = UPLOAD_SILENT};
    part->own.call = NULL;
    if (err != NULL && err->code != ETIMEDOUT) {
        // It has gone, or has been stopped: nothing is learned of its storage.
        part->facts->probe = PROBE_SILENT;
        *upload = (struct upload){0};
        observe_join(part->observation, observe_own(err));
        return;
    }
    int status = response == NULL ? 0 : response->status;
    if (response != NULL) {
        answer = upload_decode(status, buf_str(&response->body), response->body.length);
    } else {
        (void)snprintf(answer.why, sizeof(answer.why), "%.*s", UPLOAD_WHY_MAX - 1, err->text);
    }
    if (part->upload_stage == UPLOAD_GIVE_UP) {
        if (upload->state == UPLOAD_TAKEN && answer.state != UPLOAD_TAKEN && status != 404) {
            (void)snprintf(upload->why, sizeof(upload->why),
                           status == 0 ? "takes a push, but has no answer when one is given up"
                                       : "takes a push, but keeps one that is given up (HTTP %d)",
                           status);
        }
        end_upload(part);
        return;
    }
    bool located = response != NULL && take_location(part, response);
    *upload = answer;
    if (part->upload_stage == UPLOAD_BEGIN && (answer.state != UPLOAD_TAKEN || !located)) {
        end_upload(part);
        return;
    }
    part->upload_stage++;
    send_upload(part);
    observe_join(part->observation, NULL);
}

// Whether one is to be made: of a registry that is to take a push, and not by who only looks.
static bool upload_is_due(struct part *part, const struct container *container)
{
    const struct observation *o = part->observation;
    const struct container_spec *spec = part->spec;
    _cleanup_free_ char *start = str_printf("%s %s", container->id, container->started);
    if (!str_equal(part->start, start)) {
        str_replace(&part->start, start);
        part->upload = (struct upload){0};
        part->upload_again_ms = 0;
    }
    bool ours = compare_is_own(spec, container) || compare_is_adoptable(spec, container);
    bool takes = strmap_get(&spec->environment, "REGISTRY_PROXY_REMOTEURL") == NULL;
    return o->input->acts && o->input->desired && ours && takes &&
           o->input->now_ms >= part->upload_again_ms;
}

// ---- /v2/ ----

static void on_probe(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    struct observation *o = part->observation;
    bool answers = response != NULL && response->status < 500;
    part->own.call = NULL;
    part->facts->probe = answers ? PROBE_ANSWERS : PROBE_SILENT;
    if (answers && upload_is_due(part, current_container(o->current, part->spec->name))) {
        part->upload_tries = 0;
        begin_upload(part);
    } else if (answers) {
        part->facts->upload = part->upload;
    }
    observe_join(o, observe_own(err));
}

// The address of a bridge is one of the machine that the bridge is on, and no other can be bound.
static bool is_own_address(const char *ipv4)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && inet_pton(AF_INET, ipv4, &address.sin_addr) == 1 &&
           bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

// Where the container answers, NULL when that is not known from here: one that is published nowhere
// is asked on its network, if that is this machine's, too. An engine in a virtual machine, or a
// user's, has its networks elsewhere, and the address may be somebody else's here. The caller frees
// it.
static char *base_of(const struct observation *o, const struct container_spec *spec,
                     const struct container *container)
{
    char host[ENGINE_HOST_SIZE];
    if (!observe_is_local(o) || compare_is_elsewhere(spec, container)) {
        return NULL;
    }
    if (spec->host_address != NULL) {
        engine_published_host(o->memory->place.host, spec->host_address, host, sizeof(host));
        return str_printf("http://%s:%s", host, spec->host_port);
    }
    bool reached =
        container->ipv4 != NULL && container->gateway != NULL && is_own_address(container->gateway);
    return reached ? str_printf("http://" CONTAINER_AUTHORITY, container->ipv4) : NULL;
}

void observe_probes(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count; i++) {
        struct part *part = &o->memory->parts[i];
        const struct container *container = current_container(o->current, part->spec->name);
        bool runs = container != NULL && container->state == CONTAINER_RUNNING;
        _cleanup_free_ char *base = runs ? base_of(o, part->spec, container) : NULL;
        if (base != NULL) {
            observe_ask(part, &part->own, base, on_probe);
        }
    }
}
