#include "lib/registry/store.h"

#include "lib/base/alloc.h"
#include "lib/doc/json.h"
#include "lib/registry/reference.h"

#include <stdlib.h>
#include <string.h>

struct store *store_new(void)
{
    return xcalloc(1, sizeof(struct store));
}

void store_free(struct store *store)
{
    if (store != NULL) {
        arena_done(&store->arena);
        free(store);
    }
}

// ---- filling ----

size_t store_add_repository(struct store *store, const char *name)
{
    ARENA_GROW(&store->arena, store->repositories, store->repository_count)->name =
        arena_dup(&store->arena, name);
    return store->repository_count - 1;
}

void store_add_tag(struct store *store, size_t repository, const char *name, const char *digest,
                   int64_t time_s)
{
    struct store_repository *into = &store->repositories[repository];
    *ARENA_GROW(&store->arena, into->tags, into->tag_count) = (struct store_tag){
        arena_dup(&store->arena, name), arena_dup(&store->arena, digest), time_s, false};
}

void store_add_revision(struct store *store, size_t repository, const char *digest, int64_t time_s)
{
    struct store_repository *into = &store->repositories[repository];
    *ARENA_GROW(&store->arena, into->revisions, into->revision_count) =
        (struct store_revision){arena_dup(&store->arena, digest), time_s, NULL, false};
}

void store_add_link(struct store *store, size_t repository, const char *path, const char *digest,
                    bool layer)
{
    struct store_repository *into = &store->repositories[repository];
    *ARENA_GROW(&store->arena, into->links, into->link_count) = (struct store_link){
        arena_dup(&store->arena, path), arena_dup(&store->arena, digest), layer};
}

void store_add_blob(struct store *store, const char *digest, uint64_t size, int64_t time_s)
{
    *ARENA_GROW(&store->arena, store->blobs, store->blob_count) =
        (struct store_blob){arena_dup(&store->arena, digest), size, time_s, 0, 0};
}

static void add_part(struct store *store, struct store_manifest *manifest, const json_t *descriptor,
                     const char *key)
{
    const char *digest = json_get_string(descriptor, key, NULL);
    int64_t size = json_get_int(descriptor, 0, "size", NULL);
    if (digest != NULL && reference_is_digest(digest)) {
        *ARENA_GROW(&store->arena, manifest->parts, manifest->part_count) = (struct store_part){
            .digest = arena_dup(&store->arena, digest),
            .size = size > 0 ? (uint64_t)size : 0,
            .foreign = json_get_array(descriptor, "urls", NULL) != NULL,
        };
    }
}

// A manifest of Docker or OCI has "config" and "layers", an index "manifests", one of Docker's
// first schema "fsLayers", an OCI artifact "blobs".
static void decode(struct store *store, struct store_manifest *manifest, const json_t *json)
{
    static const struct {
        const char *list;
        const char *key;
    } lists[] = {{"manifests", "digest"},
                 {"layers", "digest"},
                 {"blobs", "digest"},
                 {"fsLayers", "blobSum"}};
    const char *subject = json_get_string(json, "subject", "digest", NULL);
    manifest->subject = arena_dup(&store->arena, subject);
    add_part(store, manifest, json_get_object(json, "config", NULL), "digest");
    for (size_t i = 0; i < ELEMENTS(lists); i++) {
        size_t first = manifest->part_count;
        size_t index = 0;
        json_t *descriptor = NULL;
        json_array_foreach (json_get_array(json, lists[i].list, NULL), index, descriptor) {
            add_part(store, manifest, descriptor, lists[i].key);
        }
        for (; first < manifest->part_count; first++) {
            manifest->parts[first].manifest = i == 0;
        }
    }
}

const struct store_manifest *store_add_manifest(struct store *store, const char *digest,
                                                const char *text, size_t length)
{
    json_auto_t *json = NULL;
    struct store_manifest *manifest =
        ARENA_GROW(&store->arena, store->manifests, store->manifest_count);
    manifest->digest = arena_dup(&store->arena, digest);
    manifest->opaque = json_parse(text, length, &json, NULL) < 0;
    decode(store, manifest, json);
    return manifest;
}

// All that is sorted or looked for begins with its name, or digest.
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define SORT(items, count)                                                                         \
    do {                                                                                           \
        if ((count) > 0) {                                                                         \
            qsort(items, count, sizeof(*(items)), compare_names);                                  \
        }                                                                                          \
    } while (0)
#define FIND(items, count, name)                                                                   \
    ((count) == 0                                                                                  \
         ? NULL                                                                                    \
         : (__typeof__(items))bsearch(&(name), items, count, sizeof(*(items)), compare_names))

void store_finish(struct store *store)
{
    SORT(store->repositories, store->repository_count);
    SORT(store->blobs, store->blob_count);
    SORT(store->manifests, store->manifest_count);
    for (size_t i = 0; i < store->repository_count; i++) {
        struct store_repository *repository = &store->repositories[i];
        SORT(repository->tags, repository->tag_count);
        SORT(repository->revisions, repository->revision_count);
        for (size_t j = 0; j < repository->revision_count; j++) {
            struct store_revision *revision = &repository->revisions[j];
            revision->manifest = FIND(store->manifests, store->manifest_count, revision->digest);
        }
    }
}

struct store_repository *store_repository(const struct store *store, const char *name)
{
    return FIND(store->repositories, store->repository_count, name);
}

struct store_blob *store_blob(const struct store *store, const char *digest)
{
    return FIND(store->blobs, store->blob_count, digest);
}

struct store_tag *store_tag(const struct store_repository *repository, const char *name)
{
    return FIND(repository->tags, repository->tag_count, name);
}

struct store_revision *store_revision(const struct store_repository *repository, const char *digest)
{
    return FIND(repository->revisions, repository->revision_count, digest);
}
