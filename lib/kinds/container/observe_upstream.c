// Whether a cache's upstream can serve it: asked of the upstream itself, rarely, by what every
// registry answers to everybody.
#include "lib/kinds/container/observe.h"

#include "lib/base/str.h"

#include <string.h>
#include <strings.h>

#define UPSTREAM_AGAIN_MS (10u * 60u * 1000u)
#define UPSTREAM_FAULT_AGAIN_MS (60u * 1000u)
#define HEADER_MAX 1024 // a longer one counts as none

static bool has_header(const struct http_response *response, const char *name, const char *begin)
{
    char value[HEADER_MAX];
    return http_response_header(response, name, value, sizeof(value)) &&
           strncasecmp(value, begin, strlen(begin)) == 0;
}

// A registry says 200, or 401 and where a token is to be had, which it may give to everybody; not
// all say by a header what they are. Where it redirects to, and how often it may be asked, is
// between it and the cache.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
static char *fault_of(const struct container_spec *spec, const struct http_response *response)
{
    const char *url = spec->upstream;
    int status = response->status;
    bool basic = status == 401 && has_header(response, "WWW-Authenticate", "Basic");
    if (basic && spec->username == NULL) {
        return str_printf("%s asks for a login; declare its username and passwordFile in caches",
                          url);
    }
    // distribution can since 3.0.0 (its commit 1e8ea0317).
    if (basic && str_matches(spec->image, "registry:2([.@-].*)?$")) {
        return str_printf("%s asks for a login of type Basic, which %s does not know; set "
                          "registry.image: registry:3",
                          url, spec->image);
    }
    if (status >= 500) {
        return str_printf("%s/v2/ answers with %d", url, status);
    }
    bool good =
        status == 401 || status == 429 || (status >= 300 && status < 400) ||
        (status == 200 && (has_header(response, "Docker-Distribution-Api-Version", "registry/2") ||
                           has_header(response, "Content-Type", "application/json")));
    return good ? NULL
                : str_printf("%s is no registry, its /v2/ answers with %d; correct the url in "
                             "caches",
                             url, status);
}

// What is known stands until it is asked again.
static void take_fault(struct part *part)
{
    struct observation *o = part->observation;
    o->current->facts[part->index].upstream_fault =
        arena_dup(&o->current->arena, o->memory->probes[part->index].upstream_fault);
}

static void on_upstream(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    struct observation *o = part->observation;
    struct probe_memory *memory = &o->memory->probes[part->index];
    const struct container_spec *spec = &o->current->specs.items[part->index];
    part->upstream = NULL;
    if (err != NULL && error_is_own(err)) {
        observe_join(o, err);
        return;
    }
    free(memory->upstream_fault);
    memory->upstream_fault = response != NULL ? fault_of(spec, response)
                                              : str_printf("this machine does not reach %s (%s)",
                                                           spec->upstream, err->text);
    memory->upstream_again_ms =
        o->input->now_ms +
        (memory->upstream_fault == NULL ? UPSTREAM_AGAIN_MS : UPSTREAM_FAULT_AGAIN_MS);
    take_fault(part);
    observe_join(o, NULL);
}

static int ask(struct part *part, const struct container_spec *spec)
{
    struct observation *o = part->observation;
    struct http_client **client = &o->memory->probes[part->index].upstream;
    const struct http_endpoint endpoint = {.base = spec->upstream};
    int r = *client == NULL
                ? o->io->transport->client_new(o->io->transport, &endpoint, client, &o->refused)
                : 0;
    return r < 0 ? r : observe_ask(part, *client, on_upstream, &part->upstream);
}

// A name without a dot may be known on the engine's networks alone, and what goes through a proxy
// cannot be asked from here.
void observe_upstreams(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count; i++) {
        const struct container_spec *spec = &o->current->specs.items[i];
        if (spec->upstream == NULL || strpbrk(spec->upstream, ".[") == NULL ||
            container_spec_has_proxy(spec)) {
            continue;
        }
        take_fault(&o->specs[i]);
        if (o->input->now_ms >= o->memory->probes[i].upstream_again_ms) {
            observe_submitted(o, ask(&o->specs[i], spec));
        }
    }
}
