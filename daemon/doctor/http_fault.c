#include "daemon/doctor/http_fault.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define READONLY "REGISTRY_STORAGE_MAINTENANCE_READONLY"
#define CACHE "REGISTRY_PROXY_REMOTEURL"

static const char *server_text(struct arena *arena, const struct answer *answer)
{
    return answer->server == NULL ? "" : arena_printf(arena, ", server \"%s\"", answer->server);
}

struct fault registry_fault(struct arena *arena, const char *address, bool local,
                            const struct answer *answer)
{
    int status = answer->status;
    const char *server = server_text(arena, answer);
    if (answer->has_api && (status == 200 || status == 401)) {
        return (struct fault){0};
    }
    if (answer->error.kind != ERROR_NONE) {
        bool refused = answer->error.code == ECONNREFUSED;
        return (struct fault){
            refused ? arena_printf(arena, "nobody listens at %s", address)
                    : arena_printf(arena, "%s: %s", address, answer->error.text),
            "run `hostk8s-registryd apply`; `docker ps -a` shows whether the registry's container "
            "runs, and with which ports"};
    }
    if (status >= 500 && answer->has_api) {
        return (struct fault){
            arena_printf(arena, "%s answers with HTTP %d%s", address, status, server),
            "see the registry's own log, `docker logs`"};
    }
    return (struct fault){
        arena_printf(arena, "%s is answered by somebody else (HTTP %d%s)", address, status, server),
        local ? "end that process, or choose another port in registry.listen"
              : "clients that try IPv6 or IPv4 first for the name localhost get there: end that "
                "process, or choose another port in registry.listen"};
}

struct fault other_registry_fault(struct arena *arena, const char *address)
{
    return (struct fault){
        arena_printf(arena,
                     "%s is answered by another registry: it has not the image that was just "
                     "pushed to registry.listen",
                     address),
        "end that registry, or have it at another port; else change registry.listen or ui.url"};
}

// ---- pushes ----

struct row {
    int status;           // 0: any
    int until;            // and those to this one; 0: it alone
    int code;             // 0: any
    const char *said;     // a pattern; NULL: anything
    const char *variable; // of registry.environment; NULL: none
    const char *cause;
    const char *cure;
};

static bool fits(const struct row *row, const struct config *config, const struct error *err)
{
    int until = row->until == 0 ? row->status : row->until;
    return (row->status == 0 || (err->status >= row->status && err->status <= until)) &&
           (row->code == 0 || row->code == err->code) &&
           (row->said == NULL || str_matches(err->text, row->said)) &&
           (row->variable == NULL ||
            strmap_get(&config->registry.environment, row->variable) != NULL);
}

// By the first row that fits; the last one always does. One without a cause gives none.
static struct fault fault_of(struct arena *arena, const struct config *config,
                             const struct row *row, const struct error *err)
{
    while (!fits(row, config, err)) {
        row++;
    }
    const struct fault_word words[] = {
        {"storage", config->registry.storage},
        {"name", config->registry.name},
        {"url", config->ui.url},
        {"said", err->text},
    };
    return row->cause != NULL
               ? (struct fault){fault_text(arena, row->cause, words, ELEMENTS(words)),
                                fault_text(arena, row->cure, words, ELEMENTS(words))}
               : (struct fault){0};
}

struct fault push_fault(struct arena *arena, const struct config *config, const struct error *err)
{
    // The registry tells the errno of its storage: 13 EACCES, 28 ENOSPC, 30 EROFS.
    static const struct row rows[] = {
        {.said = "\"Err\":28|no space left on device",
         .cause = "the disk of {storage} is full",
         .cure = "free space there: `hostk8s-registryd usage` shows what the images take, "
                 "`hostk8s-registryd gc` frees what no tag needs"},
        {.said = "\"Err\":13|permission denied",
         .cause = "the registry may not write into {storage}: {said}",
         .cure = "see `ls -ldZ {storage}`: its owner, SELinux (a label container_file_t) or user "
                 "namespaces keep the container out"},
        {.said = "\"Err\":30",
         .cause = "{storage} is on a read-only file system",
         .cure = "mount it writable, or set registry.storage to another directory"},
        {.status = 405,
         .variable = CACHE,
         .cause = "the registry takes no pushes: " CACHE " makes it a cache of another one",
         .cure = "take it out of registry.environment, and name the upstream in caches"},
        {.status = 405,
         .cause = "the registry takes no pushes: it is read-only",
         .cure = "take " READONLY " out of registry.environment, or of its config.yml"},
        {.status = 401,
         .until = 403,
         .cause = "the registry wants a login: {said}",
         .cure = "take REGISTRY_AUTH… out of registry.environment: nodes cannot log in"},
        {.code = EREMCHG,
         .cause = "{said}",
         .cure = "take REGISTRY_HTTP_HOST out of registry.environment"},
        {.cause = "{said}", .cure = "see the registry's own log, `docker logs {name}`"},
    };
    return fault_of(arena, config, rows, err);
}

#define UNROUTED_CURE                                                                              \
    "see EndpointSlice and Service registry-api in the cluster (`hostk8s-registryd status`), and " \
    "that the controller's pods reach the network of the nodes"

struct fault upload_fault(struct arena *arena, const struct config *config, const struct error *err)
{
    static const struct row rows[] = {
        {.status = 413,
         .cause = "what stands in front of the registry at {url} takes no body of that size "
                  "(HTTP 413)",
         .cure = "raise the controller's limit: proxy-body-size of ingress-nginx, "
                 "client_max_body_size of an nginx, a ClientSettingsPolicy of NGINX Gateway "
                 "Fabric; pushes to registry.listen do not meet it"},
        {.code = EREMCHG,
         .cause = "{said}: behind {url} the registry does not know by which address it was asked",
         .cure = "have the controller send X-Forwarded-Host and X-Forwarded-Proto, or set "
                 "REGISTRY_HTTP_RELATIVEURLS: \"true\" in registry.environment"},
        {.status = 404,
         .cause = "nothing serves /v2/ at {url} (HTTP 404)",
         .cure = "see that ui.ingressClass or ui.gateway is of the controller behind {url}"},
        {.status = 502,
         .until = 504,
         .cause = "{url} reaches no registry: {said}",
         .cure = UNROUTED_CURE},
        {.code = ETIMEDOUT, .cause = "{url}/v2/: {said}", .cure = UNROUTED_CURE},
        {.code = EREMOTEIO}, // the registry's own answer
        {.cause = "{said}", .cure = "see the log of the ingress controller"},
    };
    struct fault fault = fault_of(arena, config, rows, err);
    return fault.cause != NULL ? fault : push_fault(arena, config, err);
}

struct fault route_fault(struct arena *arena, const struct config *config,
                         const struct answer *answer)
{
    struct error err = answer->error;
    int status = answer->status;
    bool is_controller = status == 404 || status == 413 || (status >= 502 && status <= 504);
    if (err.kind == ERROR_NONE && !answer->has_api && !is_controller) {
        return (struct fault){
            arena_printf(arena, "%s/v2/ is answered by somebody else (HTTP %d%s)", config->ui.url,
                         status, server_text(arena, answer)),
            "see that ui.ingressClass or ui.gateway is of the controller behind ui.url, and that "
            "nothing else there has the path /v2/ or asks for a login"};
    }
    if (err.kind == ERROR_NONE) {
        (void)error_set(&err, ERROR_TRANSIENT, EREMOTEIO, "GET %s/v2/: HTTP %d%s", config->ui.url,
                        status, server_text(arena, answer));
        err.status = status;
    }
    return upload_fault(arena, config, &err);
}

// ---- the redirect ----

struct fault redirect_fault(struct arena *arena, const struct config *config, const char *path,
                            const struct answer *answer)
{
    const char *url = config->ui.url;
    const char *location = answer->location == NULL ? "" : answer->location;
    size_t length = strlen(url);
    bool same_origin = str_starts_with(location, url) && location[length] == '/';
    const char *to = same_origin ? location + length : location;
    if (answer->status / 100 != 3) {
        return (struct fault){
            arena_printf(arena, "%s%s gives HTTP %d%s instead of a redirect to %s", url, path,
                         answer->status, server_text(arena, answer), config->ui.path),
            "open the page with its last slash; see that Ingress or HTTPRoute registry-ui is as "
            "`hostk8s-registryd plan` wants it"};
    }
    if (!str_equal(to, config->ui.path)) {
        return (struct fault){
            arena_printf(arena, "%s%s redirects to %s instead of %s", url, path, location,
                         config->ui.path),
            "a browser ends there: open the page with its last slash, or set ui.url to where the "
            "controller believes to be"};
    }
    return (struct fault){0};
}
