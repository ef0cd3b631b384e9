#include "daemon/storage.h"

#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/kinds/container/desired.h"
#include "lib/kinds/engine.h"
#include "lib/kinds/hints.h"
#include "lib/registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define ROOT_VARIABLE "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

// The variable by which the images are not in a directory; NULL when there is none.
// https://distribution.github.io/distribution/about/configuration/#storage
static const char *elsewhere(const struct strmap *environment)
{
    strmap_foreach (environment, entry) {
        if (str_equal(entry->key, "REGISTRY_STORAGE")
                ? !str_equal(entry->value, "filesystem")
                : str_matches(entry->key, "^REGISTRY_STORAGE_(S3|GCS|AZURE|SWIFT|OSS|INMEMORY)")) {
            return entry->key;
        }
    }
    return NULL;
}

// The caller frees it.
static char *engine_host(const struct config *config)
{
    struct arena arena = {0};
    const struct docker_hints hints = hints_make(config, &arena);
    struct docker_place place;
    (void)docker_find(&hints, &place, NULL);
    char *host = str_dup(place.host == NULL ? "" : place.host); // a context that is of no use
    docker_place_done(&place);
    arena_done(&arena);
    return host;
}

int storage_find(const struct config *config, char **ret_here, char **ret_in_container,
                 struct error *err)
{
    const struct strmap *environment = &config->registry.environment;
    const char *variable = elsewhere(environment);
    const char *root = strmap_get(environment, ROOT_VARIABLE);
    _cleanup_free_ char *host = engine_host(config);
    if (variable != NULL) {
        return error_set(err, ERROR_PERMANENT, ENOTSUP,
                         "the registry keeps its images in no directory, by its variable %s",
                         variable);
    }
    if (str_starts_with(host, "tcp://")) {
        return error_set(err, ERROR_PERMANENT, ENOTSUP,
                         "the registry's storage is on the machine of its engine, %s", host);
    }
    root = root == NULL ? CONTAINER_STORAGE : root; // within it, as the configuration has it
    *ret_here = str_printf("%s%s", config->registry.storage, root + strlen(CONTAINER_STORAGE));
    *ret_in_container = str_dup(root);
    return 0;
}

int storage_open_registry(const struct config *config, const struct io *io, struct api **ret,
                          struct error *err)
{
    char host[ENGINE_HOST_SIZE];
    _cleanup_free_ char *engine = engine_host(config);
    engine_published_host(engine, config->registry.listen_address, host, sizeof(host));
    _cleanup_free_ char *url = str_printf("http://%s:%" PRIu16, host, config->registry.listen_port);
    return registry_new(io->transport, url, config->reconcile.timeout_ms, io->secrets, ret, err);
}

static int name_width(const struct store *store)
{
    size_t width = strlen("REPOSITORY");
    for (size_t i = 0; i < store->repository_count; i++) {
        size_t length = strlen(store->repositories[i].name);
        width = MAX(length, width);
    }
    return (int)width;
}

void storage_print(const struct store *store, bool whole)
{
    int width = name_width(store);
    (void)printf("%-*s  %5s  %9s  %9s  %12s\n", width, "REPOSITORY", "TAGS", "SIZE", "SHARED",
                 "UNREFERENCED");
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        _cleanup_free_ char *size = str_bytes(repository->size);
        _cleanup_free_ char *shared = str_bytes(repository->shared);
        _cleanup_free_ char *unreferenced = str_bytes(repository->unreferenced);
        (void)printf("%-*s  %5zu  %9s  %9s  %12s\n", width, repository->name, repository->tag_count,
                     size, shared, whole ? unreferenced : "?");
    }
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        if (repository->damaged > 0) {
            (void)printf("%s%s: %zu parts of its images are missing or cut short; push these again"
                         "%s\n",
                         terminal_style(STYLE_RED), repository->name, repository->damaged,
                         terminal_style(STYLE_RESET));
        }
    }
    _cleanup_free_ char *size = str_bytes(store->size);
    _cleanup_free_ char *unreferenced = str_bytes(store->unreferenced);
    _cleanup_free_ char *uploads = str_bytes(store->upload_bytes);
    _cleanup_free_ char *available = str_bytes(store->free_bytes);
    if (whole) {
        (void)printf("%s used, %s of it by what no tag reaches (`gc` frees it), and %s by uploads; "
                     "%s free\n",
                     size, unreferenced, uploads, available);
    } else {
        (void)printf("%s used by what a tag reaches\n", size);
    }
}

// The size of what a whole storage tells, null where only the registry was asked.
static json_t *known(uint64_t bytes, bool whole)
{
    return whole ? json_integer((json_int_t)bytes) : json_null();
}

static json_t *repository_json(const struct store_repository *repository, bool whole)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < repository->tag_count; i++) {
        const struct store_tag *tag = &repository->tags[i];
        (void)json_array_append_new(tags, json_pack("{s:s, s:s, s:o}", "name", tag->name, "digest",
                                                    tag->digest, "pushed",
                                                    known((uint64_t)tag->time_s, whole)));
    }
    return json_pack("{s:s, s:o, s:I, s:I, s:o, s:I}", "name", repository->name, "tags", tags,
                     "size", (json_int_t)repository->size, "shared", (json_int_t)repository->shared,
                     "unreferenced", known(repository->unreferenced, whole), "damaged",
                     (json_int_t)repository->damaged);
}

void storage_print_json(const struct store *store, bool whole, const char *directory)
{
    json_t *repositories = json_array();
    for (size_t i = 0; i < store->repository_count; i++) {
        (void)json_array_append_new(repositories, repository_json(&store->repositories[i], whole));
    }
    json_auto_t *document = json_pack(
        "{s:s?, s:o, s:I, s:o, s:o, s:o}", "storage", directory, "repositories", repositories,
        "size", (json_int_t)store->size, "unreferenced", known(store->unreferenced, whole),
        "uploads", known(store->upload_bytes, whole), "free", known(store->free_bytes, whole));
    terminal_json(document);
}
