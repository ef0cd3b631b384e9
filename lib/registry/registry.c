#include "lib/registry/registry.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/registry/reference.h"

#include <errno.h>
#include <string.h>

#define PAGES_MAX 10000u
#define LINK_BYTES_MAX 2048
#define DIGEST_BYTES_MAX 128
#define SIZE_DIGITS_MAX 24
// A registry answers 404 for an index to who does not name its type.
#define MANIFEST_TYPES                                                                             \
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "        \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.docker.distribution.manifest.v2+json, */*"

int registry_new(struct http_transport *transport, const char *base, uint64_t timeout_ms,
                 const struct secrets *secrets, struct api **ret, struct error *err)
{
    const struct http_endpoint endpoint = {.base = base};
    _cleanup_free_ struct api *api = xcalloc(1, sizeof(*api));
    *api = (struct api){
        .name = "registry", .accept = MANIFEST_TYPES, .timeout_ms = timeout_ms, .secrets = secrets};
    int r = api_open(api, transport, &endpoint, err);
    if (r == 0) {
        *ret = TAKE_PTR(api);
    }
    return r;
}

// ---- lists, in pages ----

struct listing {
    struct api *api;
    const char *key; // of the answer
    bool (*is_valid)(const char *name);
    registry_names_fn done;
    void *ctx;
    struct strv names;
    unsigned pages;
};

static int ask_page(struct listing *listing, const char *path, struct error *err);

static void end(struct listing *listing, const struct error *err)
{
    listing->done(listing->ctx, err == NULL ? &listing->names : NULL, err);
    strv_done(&listing->names);
    free(listing);
}

// The path of `Link: </v2/_catalog?last=b&n=100>; rel="next"`; the caller frees it. NULL: it was
// the last page.
static char *next_page(const struct http_response *response)
{
    char link[LINK_BYTES_MAX];
    if (!http_response_header(response, "Link", link, sizeof(link)) || link[0] != '<' ||
        strstr(link, "rel=\"next\"") == NULL) {
        return NULL;
    }
    const char *scheme = strstr(link, "://"); // some put the whole URL there
    const char *path = strchr(scheme == NULL ? link + 1 : scheme + 3, '/');
    return path == NULL ? NULL : str_dup_n(path, strcspn(path, ">"));
}

static void on_page(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct listing *listing = ctx;
    struct error error = {0};
    if (err != NULL) {
        end(listing, err);
        return;
    }
    size_t index = 0;
    json_t *name = NULL;
    json_array_foreach (json_get_array(answer->json, listing->key, NULL), index, name) {
        const char *text = json_string_value(name);
        if (text != NULL && listing->is_valid(text)) {
            strv_add(&listing->names, text);
        }
    }
    _cleanup_free_ char *next = next_page(answer->response);
    if (next == NULL) {
        end(listing, NULL);
    } else if (++listing->pages == PAGES_MAX) {
        (void)error_set(&error, ERROR_PERMANENT, E2BIG, "%s: the list has no end", answer->what);
        end(listing, &error);
    } else if (ask_page(listing, next, &error) < 0) {
        end(listing, &error);
    }
}

static int ask_page(struct listing *listing, const char *path, struct error *err)
{
    const struct api_request request = {
        .prefix = path,
        .effect = API_READS,
        .check = api_check_object,
        .tolerated = {{.status = 404}},
        .raw = on_page,
        .ctx = listing,
    };
    return api_send(listing->api, &request, err);
}

static int list(const struct listing *all, const char *path, struct error *err)
{
    struct listing *listing = xcalloc(1, sizeof(*listing));
    *listing = *all;
    int r = ask_page(listing, path, err);
    if (r < 0) {
        free(listing);
    }
    return r;
}

int registry_repositories(struct api *api, registry_names_fn done, void *ctx, struct error *err)
{
    const struct listing listing = {api, "repositories", reference_is_repository, done, ctx, {0},
                                    0};
    return list(&listing, "/v2/_catalog", err);
}

int registry_tags(struct api *api, const char *repository, registry_names_fn done, void *ctx,
                  struct error *err)
{
    const struct listing listing = {api, "tags", reference_is_tag, done, ctx, {0}, 0};
    _cleanup_free_ char *path = str_printf("/v2/%s/tags/list", repository);
    return list(&listing, path, err);
}

// ---- one of them ----

struct asking {
    registry_manifest_fn manifest;
    registry_size_fn size;
    void *ctx;
};

static void on_manifest(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct asking *asking = ctx;
    char digest[DIGEST_BYTES_MAX];
    struct error error = {0};
    bool found = err == NULL && answer->response->status != 404;
    if (found &&
        (!http_response_header(answer->response, "Docker-Content-Digest", digest, sizeof(digest)) ||
         !reference_is_digest(digest))) {
        (void)error_set(&error, ERROR_PERMANENT, EBADMSG, "%s: the answer has no digest",
                        answer->what);
        err = &error;
    }
    found = found && err == NULL;
    asking->manifest(asking->ctx, found ? digest : NULL, found ? &answer->response->body : NULL,
                     err);
}

static void on_size(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct asking *asking = ctx;
    char digits[SIZE_DIGITS_MAX];
    uint64_t size = 0;
    bool found = err == NULL && answer->response->status != 404;
    if (found && http_response_header(answer->response, "Content-Length", digits, sizeof(digits))) {
        (void)str_to_u64(digits, UINT64_MAX, &size);
    }
    asking->size(asking->ctx, found, size, err);
}

static int ask(struct api *api, struct api_request request, const char *repository,
               const char *reference, const struct asking *asking, struct error *err)
{
    _cleanup_free_ char *prefix = str_printf("/v2/%s", repository); // not encoded: it may have '/'
    request.prefix = prefix;
    request.effect = API_READS;
    request.args[0] = repository;
    request.args[1] = reference;
    request.tolerated[0].status = 404;
    request.ctx = (void *)asking;
    request.ctx_size = sizeof(*asking);
    return api_send(api, &request, err);
}

int registry_manifest(struct api *api, const char *repository, const char *reference,
                      registry_manifest_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {HTTP_GET, "ask for manifest $1 of $0", "/manifests/$1",
                                        .raw = on_manifest};
    return ask(api, request, repository, reference, &(struct asking){done, NULL, ctx}, err);
}

int registry_size(struct api *api, const char *repository, const char *digest,
                  registry_size_fn done, void *ctx, struct error *err)
{
    const struct api_request request = {HTTP_HEAD, "ask for blob $1 of $0", "/blobs/$1",
                                        .raw = on_size};
    return ask(api, request, repository, digest, &(struct asking){NULL, done, ctx}, err);
}
