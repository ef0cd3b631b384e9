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

static void on_upstream(void *ctx, struct http_response *response, const struct error *err)
{
    struct part *part = ctx;
    struct observation *o = part->observation;
    const struct error *own = observe_own(err);
    part->upstream.call = NULL;
    if (own == NULL) {
        char *fault = response != NULL ? fault_of(part->spec, response)
                                       : str_printf("this machine does not reach %s (%s)",
                                                    part->spec->upstream, err->text);
        free(part->upstream_fault);
        part->upstream_fault = fault;
        part->upstream_again_ms =
            o->input->now_ms + (fault == NULL ? UPSTREAM_AGAIN_MS : UPSTREAM_FAULT_AGAIN_MS);
        part->facts->upstream_fault = arena_dup(&o->current->arena, fault);
    }
    observe_join(o, own);
}

// What is known stands until it is asked again. A name without a dot may be known on the engine's
// networks alone, and what goes through a proxy cannot be asked from here.
void observe_upstreams(struct observation *o)
{
    for (size_t i = 0; i < o->current->specs.count; i++) {
        struct part *part = &o->memory->parts[i];
        const char *url = part->spec->upstream;
        if (url == NULL || strpbrk(url, ".[") == NULL || container_spec_has_proxy(part->spec)) {
            continue;
        }
        part->facts->upstream_fault = arena_dup(&o->current->arena, part->upstream_fault);
        if (o->input->now_ms >= part->upstream_again_ms) {
            observe_ask(part, &part->upstream, url, on_upstream);
        }
    }
}
