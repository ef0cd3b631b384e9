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
#define LOCATION_BYTES_MAX 4096

// The requests of one.
enum { UPLOAD_BEGIN, UPLOAD_WRITE, UPLOAD_GIVE_UP };

static struct probe_memory *memory_of(const struct part *part)
{
    return &part->observation->memory->probes[part->index];
}

// ---- an upload ----

static void end_upload(struct part *part)
{
    struct observation *o = part->observation;
    struct probe_memory *memory = memory_of(part);
    enum upload_state state = part->upload.state;
    bool failed = state == UPLOAD_FAILED || state == UPLOAD_FULL || state == UPLOAD_SILENT;
    _cleanup_free_ char *hidden = secrets_hide(o->io->secrets, part->upload.why);
    (void)snprintf(part->upload.why, sizeof(part->upload.why), "%s", hidden);
    memory->upload = part->upload;
    memory->upload_again_ms =
        o->input->now_ms + (failed ? UPLOAD_FAILED_AGAIN_MS : UPLOAD_AGAIN_MS);
    o->current->facts[part->index].upload = part->upload;
    observe_join(o, NULL);
}

static void on_upload(void *ctx, struct http_response *response, const struct error *err);

static void send_upload(struct part *part)
{
    static const struct {
        enum http_method method;
        const char *content_type;
        const char *body;
    } requests[] = {
        [UPLOAD_BEGIN] = {HTTP_POST, NULL, ""},
        [UPLOAD_WRITE] = {HTTP_PATCH, "application/octet-stream", "."},
        [UPLOAD_GIVE_UP] = {HTTP_DELETE, NULL, ""},
    };
    struct observation *o = part->observation;
    const struct http_request request = {
        .method = requests[part->upload_stage].method,
        .path = part->location,
        .content_type = requests[part->upload_stage].content_type,
        .body = requests[part->upload_stage].body,
        .body_length = strlen(requests[part->upload_stage].body),
        .timeout_ms = o->input->config->reconcile.timeout_ms,
        .max_body = OBSERVE_BODY_MAX,
        .done = on_upload,
        .ctx = part,
    };
    observe_submitted(o, http_send(memory_of(part)->client, &request, &part->probe, &o->refused));
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
    part->probe = NULL;
    if (err != NULL && error_is_own(err)) {
        observe_join(part->observation, err);
        return;
    }
    if (response == NULL && (err == NULL || err->code != ETIMEDOUT)) {
        // It has gone, or has been stopped: nothing is learned of its storage.
        part->observation->current->facts[part->index].probe = PROBE_SILENT;
        observe_join(part->observation, NULL);
        return;
    }
    int status = response == NULL ? 0 : response->status;
    struct upload upload = {.state = UPLOAD_SILENT};
    if (response != NULL) {
        upload = upload_decode(status, buf_str(&response->body), response->body.length);
    } else {
        (void)snprintf(upload.why, sizeof(upload.why), "%.*s", UPLOAD_WHY_MAX - 1, err->text);
    }
    if (part->upload_stage == UPLOAD_GIVE_UP) {
        if (part->upload.state == UPLOAD_TAKEN && upload.state != UPLOAD_TAKEN && status != 404) {
            (void)snprintf(part->upload.why, sizeof(part->upload.why),
                           "takes a push, but keeps an upload that is given up (HTTP %d)", status);
        }
        end_upload(part);
        return;
    }
    bool located = response != NULL && take_location(part, response);
    part->upload = upload;
    if (part->upload_stage == UPLOAD_BEGIN && (upload.state != UPLOAD_TAKEN || !located)) {
        end_upload(part);
        return;
    }
    part->upload_stage++;
    send_upload(part);
    observe_join(part->observation, NULL);
}

// Whether one is to be made: of a registry that is to take a push, and not by who only looks.
static bool upload_is_due(const struct part *part, const struct container *container)
{
    const struct observation *o = part->observation;
    const struct container_spec *spec = &o->current->specs.items[part->index];
    struct probe_memory *memory = memory_of(part);
    _cleanup_free_ char *start = str_printf("%s %s", container->id, container->started);
    if (!str_equal(memory->start, start)) {
        str_replace(&memory->start, start);
        memory->upload = (struct upload){0};
        memory->upload_again_ms = 0;
    }
    bool ours = compare_is_own(spec, container) || compare_is_adoptable(spec, container);
    bool takes = strmap_get(&spec->environment, "REGISTRY_PROXY_REMOTEURL") == NULL;
    return o->input->acts && o->input->desired && ours && takes &&
           o->input->now_ms >= memory->upload_again_ms;
}

// ---- /v2/ ----

static void on_probe(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    struct observation *o = part->observation;
    struct container_facts *facts = &o->current->facts[part->index];
    const struct container_spec *spec = &o->current->specs.items[part->index];
    bool answers = response != NULL && response->status < 500;
    part->probe = NULL;
    facts->probe = answers ? PROBE_ANSWERS : PROBE_SILENT;
    if (answers && upload_is_due(part, current_container(o->current, spec->name))) {
        part->location = UPLOAD_PATH;
        send_upload(part);
    } else if (answers) {
        facts->upload = memory_of(part)->upload;
    }
    observe_join(o, err != NULL && error_is_own(err) ? err : NULL);
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

// Makes the client for that, unless it is there.
static int make_probe(struct part *part, const char *base)
{
    struct observation *o = part->observation;
    struct probe_memory *memory = memory_of(part);
    const struct http_endpoint endpoint = {.base = base};
    if (str_equal(memory->base, base)) {
        return 0;
    }
    http_client_free(TAKE_PTR(memory->client));
    int r = o->io->transport->client_new(o->io->transport, &endpoint, &memory->client, &o->refused);
    str_replace(&memory->base, r < 0 ? NULL : base);
    return r;
}

static void probe(struct part *part)
{
    struct observation *o = part->observation;
    const struct container_spec *spec = &o->current->specs.items[part->index];
    const struct container *container = current_container(o->current, spec->name);
    bool runs = container != NULL && container->state == CONTAINER_RUNNING;
    _cleanup_free_ char *base = runs ? base_of(o, spec, container) : NULL;
    if (base == NULL) {
        return;
    }
    int r = make_probe(part, base);
    observe_submitted(
        o, r < 0 ? r : observe_ask(part, memory_of(part)->client, on_probe, &part->probe));
}

void observe_probes(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count; i++) {
        probe(&o->specs[i]);
    }
}
