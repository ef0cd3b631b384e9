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

void store_add_link(struct store *store, size_t repository, const char *path, const char *digest)
{
    struct store_repository *into = &store->repositories[repository];
    *ARENA_GROW(&store->arena, into->links, into->link_count) =
        (struct store_link){arena_dup(&store->arena, path), arena_dup(&store->arena, digest)};
}

void store_add_blob(struct store *store, const char *digest, uint64_t size, int64_t time_s)
{
    *ARENA_GROW(&store->arena, store->blobs, store->blob_count) =
        (struct store_blob){arena_dup(&store->arena, digest), size, time_s, 0, 0};
}

static void add_part(struct store *store, struct store_revision *revision, const json_t *descriptor,
                     const char *key, bool manifest)
{
    const char *digest = json_get_string(descriptor, key, NULL);
    int64_t size = json_get_int(descriptor, 0, "size", NULL);
    if (digest != NULL && reference_is_digest(digest)) {
        *ARENA_GROW(&store->arena, revision->parts, revision->part_count) = (struct store_part){
            .digest = arena_dup(&store->arena, digest),
            .size = size > 0 ? (uint64_t)size : 0,
            .manifest = manifest,
            .foreign = json_get_array(descriptor, "urls", NULL) != NULL,
        };
    }
}

// A manifest of Docker or OCI has "config" and "layers", an index "manifests", one of Docker's
// first schema "fsLayers", an OCI artifact "blobs".
const struct store_revision *store_add_revision(struct store *store, size_t repository,
                                                const char *digest, int64_t time_s,
                                                const char *text, size_t length)
{
    static const struct {
        const char *list;
        const char *key;
        bool manifest;
    } lists[] = {{"manifests", "digest", true},
                 {"layers", "digest", false},
                 {"blobs", "digest", false},
                 {"fsLayers", "blobSum", false}};
    struct store_repository *into = &store->repositories[repository];
    struct store_revision *revision =
        ARENA_GROW(&store->arena, into->revisions, into->revision_count);
    json_auto_t *json = text != NULL ? json_loadb(text, length, 0, NULL) : NULL;
    *revision = (struct store_revision){
        .digest = arena_dup(&store->arena, digest), .time_s = time_s, .missing = text == NULL};
    into->opaque = into->opaque || (text != NULL && json == NULL);
    revision->subject = arena_dup(&store->arena, json_get_string(json, "subject", "digest", NULL));
    add_part(store, revision, json_get_object(json, "config", NULL), "digest", false);
    for (size_t i = 0; i < ELEMENTS(lists); i++) {
        size_t index = 0;
        json_t *descriptor = NULL;
        json_array_foreach (json_get_array(json, lists[i].list, NULL), index, descriptor) {
            add_part(store, revision, descriptor, lists[i].key, lists[i].manifest);
        }
    }
    return revision;
}

// All that is sorted or looked for begins with its name, or digest.
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(void *items, size_t count, size_t size)
{
    if (count > 0) {
        qsort(items, count, size, compare_names);
    }
}

#define SORT(items, count) sort(items, count, sizeof(*(items)))
#define FIND(items, count, name)                                                                   \
    ((count) == 0                                                                                  \
         ? NULL                                                                                    \
         : (__typeof__(items))bsearch(&(name), items, count, sizeof(*(items)), compare_names))

void store_finish(struct store *store)
{
    SORT(store->repositories, store->repository_count);
    SORT(store->blobs, store->blob_count);
    for (size_t i = 0; i < store->repository_count; i++) {
        struct store_repository *repository = &store->repositories[i];
        SORT(repository->tags, repository->tag_count);
        SORT(repository->revisions, repository->revision_count);
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
