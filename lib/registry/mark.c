#include "lib/registry/mark.h"

#include "lib/base/str.h"
#include "lib/registry/reference.h"

#include <stdlib.h>
#include <string.h>

// ---- what is kept ----

struct marking {
    struct store_repository *repository;
    const struct mark_rules *rules;
    const struct store_repository *agreed; // the same one there, NULL: it is new
    struct arena scratch;
    struct store_revision **reached; // whose parts are still to be followed
    size_t reached_count;
};

static bool keep_revision(struct marking *m, const char *digest)
{
    struct store_revision *revision = store_revision(m->repository, digest);
    if (revision == NULL || revision->kept) {
        return false;
    }
    revision->kept = true;
    m->reached[m->reached_count++] = revision;
    return true;
}

// Keeps a manifest and all that it refers to. Returns whether that is new.
static bool reach(struct marking *m, const char *digest)
{
    bool grown = keep_revision(m, digest);
    while (m->reached_count > 0) {
        const struct store_manifest *manifest = m->reached[--m->reached_count]->manifest;
        for (size_t i = 0; manifest != NULL && i < manifest->part_count; i++) {
            (void)keep_revision(m, manifest->parts[i].digest);
        }
    }
    return grown;
}

// The digest that a tag of this name belongs to, NULL: it is a version. What belongs to an image is
// tagged so where no registry can be asked for referrers, by cosign with an ending:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
static const char *subject_of(struct marking *m, const char *tag)
{
    return str_starts_with(tag, REFERENCE_ALGORITHM) &&
                   str_matches(tag, "^" REFERENCE_ALGORITHM "-[0-9a-f]{64}(\\.|$)")
               ? arena_printf(&m->scratch, REFERENCE_ALGORITHM ":%.*s", REFERENCE_DIGITS,
                              tag + sizeof(REFERENCE_ALGORITHM))
               : NULL;
}

static int compare_newest(const void *a, const void *b)
{
    const struct store_tag *first = *(const struct store_tag *const *)a;
    const struct store_tag *second = *(const struct store_tag *const *)b;
    return first->time_s != second->time_s ? (first->time_s < second->time_s ? 1 : -1)
                                           : strcmp(second->name, first->name);
}

static void keep_tags(struct marking *m)
{
    struct store_repository *repository = m->repository;
    const struct mark_rules *rules = m->rules;
    bool all = rules->newest == 0 || repository->opaque ||
               (rules->only != NULL && !strv_contains(rules->only, repository->name));
    struct store_tag **versions =
        arena_alloc(&m->scratch, (repository->tag_count + 1) * sizeof(struct store_tag *));
    size_t count = 0;
    for (size_t i = 0; i < repository->tag_count; i++) {
        struct store_tag *tag = &repository->tags[i];
        const struct store_tag *agreed = m->agreed == NULL ? NULL : store_tag(m->agreed, tag->name);
        tag->kept = all || (rules->agreed != NULL && (agreed == NULL || agreed->kept));
        if (subject_of(m, tag->name) == NULL) {
            versions[count++] = tag;
        }
    }
    qsort(versions, count, sizeof(struct store_tag *), compare_newest);
    for (size_t i = 0; i < count && i < rules->newest; i++) {
        versions[i]->kept = true;
    }
}

// Keeps what belongs to what is kept. Returns whether that is more than before.
static bool keep_referrers(struct marking *m)
{
    struct store_repository *repository = m->repository;
    bool grown = false;
    for (size_t i = 0; i < repository->revision_count; i++) {
        const struct store_manifest *manifest = repository->revisions[i].manifest;
        const char *digest = manifest == NULL ? NULL : manifest->subject;
        const struct store_revision *subject =
            digest == NULL ? NULL : store_revision(repository, digest);
        grown = (subject != NULL && subject->kept && reach(m, manifest->digest)) || grown;
    }
    for (size_t i = 0; i < repository->tag_count; i++) {
        struct store_tag *tag = &repository->tags[i];
        const char *digest = tag->kept ? NULL : subject_of(m, tag->name);
        const struct store_revision *subject =
            digest == NULL ? NULL : store_revision(repository, digest);
        if (digest != NULL && (subject == NULL || subject->kept)) {
            tag->kept = true;
            grown = reach(m, tag->digest) || grown;
        }
    }
    return grown;
}

// What is new since it was agreed on what goes, and all of it where nobody knows what refers to it.
static bool is_excepted(const struct marking *m, const struct store_revision *revision)
{
    const struct store_revision *agreed =
        m->agreed == NULL ? NULL : store_revision(m->agreed, revision->digest);
    return m->repository->opaque || (m->rules->agreed != NULL && (agreed == NULL || agreed->kept));
}

static void mark_repository(struct store_repository *repository, const struct mark_rules *rules)
{
    const struct store *agreed = rules->agreed;
    struct marking m = {
        .repository = repository,
        .rules = rules,
        .agreed = agreed == NULL ? NULL : store_repository(agreed, repository->name),
    };
    m.reached =
        arena_alloc(&m.scratch, (repository->revision_count + 1) * sizeof(struct store_revision *));
    for (size_t i = 0; i < repository->revision_count; i++) {
        struct store_revision *revision = &repository->revisions[i];
        revision->kept = false;
        repository->opaque =
            repository->opaque || (revision->manifest != NULL && revision->manifest->opaque);
    }
    keep_tags(&m);
    for (size_t i = 0; i < repository->tag_count; i++) {
        if (repository->tags[i].kept) {
            (void)reach(&m, repository->tags[i].digest);
        }
    }
    for (size_t i = 0; i < repository->revision_count; i++) {
        if (is_excepted(&m, &repository->revisions[i])) {
            (void)reach(&m, repository->revisions[i].digest);
        }
    }
    while (keep_referrers(&m)) {
    }
    arena_done(&m.scratch);
}

// ---- how much that is ----

struct count {
    const struct store *store;
    struct store_repository *repository;
    size_t number; // tells blobs that were counted
    bool kept;     // of the manifests that are kept, or of the others
    void (*add)(struct store_repository *repository, struct store_blob *blob);
};

static void count_blob(const struct count *count, const char *digest)
{
    struct store_blob *blob = store_blob(count->store, digest);
    if (blob != NULL && blob->counted != count->number) {
        blob->counted = count->number;
        count->add(count->repository, blob);
    }
}

static void count_blobs(const struct count *count)
{
    for (size_t i = 0; i < count->repository->revision_count; i++) {
        const struct store_revision *revision = &count->repository->revisions[i];
        const struct store_manifest *manifest = revision->manifest;
        if (revision->kept != count->kept) {
            continue;
        }
        count_blob(count, revision->digest);
        for (size_t j = 0; manifest != NULL && j < manifest->part_count; j++) {
            count_blob(count, manifest->parts[j].digest);
        }
    }
}

static void add_kept(struct store_repository *repository, struct store_blob *blob)
{
    repository->size += blob->size;
    blob->uses++;
}

static void add_shared(struct store_repository *repository, struct store_blob *blob)
{
    repository->shared += blob->uses > 1 ? blob->size : 0;
}

static void add_unreferenced(struct store_repository *repository, struct store_blob *blob)
{
    repository->unreferenced += blob->uses == 0 ? blob->size : 0;
}

static size_t count_damage(const struct store *store, const struct store_repository *repository)
{
    size_t damaged = repository->lost;
    for (size_t i = 0; i < repository->revision_count; i++) {
        const struct store_revision *revision = &repository->revisions[i];
        const struct store_manifest *manifest = revision->kept ? revision->manifest : NULL;
        damaged += revision->kept && manifest == NULL;
        for (size_t j = 0; manifest != NULL && j < manifest->part_count; j++) {
            const struct store_part *part = &manifest->parts[j];
            const struct store_blob *blob = store_blob(store, part->digest);
            damaged += blob == NULL ? !store->asked && !part->foreign && !part->manifest
                                    : part->size > 0 && part->size != blob->size;
        }
    }
    for (size_t i = 0; i < repository->tag_count; i++) {
        const struct store_tag *tag = &repository->tags[i];
        damaged += tag->kept && store_revision(repository, tag->digest) == NULL;
    }
    return damaged;
}

static void measure(struct store *store)
{
    static const struct count counts[] = {
        {.kept = true, .add = add_kept},
        {.kept = true, .add = add_shared},
        {.kept = false, .add = add_unreferenced},
    };
    size_t number = 0;
    for (size_t i = 0; i < ELEMENTS(counts); i++) {
        for (size_t j = 0; j < store->repository_count; j++) {
            struct count count = counts[i];
            count.store = store;
            count.repository = &store->repositories[j];
            count.number = ++number;
            count_blobs(&count);
        }
    }
    for (size_t i = 0; i < store->blob_count; i++) {
        store->size += store->blobs[i].size;
        store->unreferenced += store->blobs[i].uses == 0 ? store->blobs[i].size : 0;
    }
}

void mark_store(struct store *store, const struct mark_rules *rules)
{
    store->size = 0;
    store->unreferenced = 0;
    for (size_t i = 0; i < store->blob_count; i++) {
        store->blobs[i].uses = 0;
        store->blobs[i].counted = 0;
    }
    for (size_t i = 0; i < store->repository_count; i++) {
        struct store_repository *repository = &store->repositories[i];
        mark_repository(repository, rules);
        repository->size = 0;
        repository->shared = 0;
        repository->unreferenced = 0;
        repository->damaged = count_damage(store, repository);
    }
    measure(store);
}

// ---- what goes ----

int64_t mark_newest_loose(const struct store *store, const char **ret_repository)
{
    int64_t newest_s = 0;
    const char *where = NULL;
    for (size_t i = 0; i < store->blob_count; i++) {
        const struct store_blob *blob = &store->blobs[i];
        newest_s = blob->uses == 0 && blob->time_s > newest_s ? blob->time_s : newest_s;
    }
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        int64_t loose_s = repository->upload_s;
        for (size_t j = 0; j < repository->revision_count; j++) {
            const struct store_revision *revision = &repository->revisions[j];
            loose_s = !revision->kept && revision->time_s > loose_s ? revision->time_s : loose_s;
        }
        where = loose_s >= newest_s && loose_s > 0 ? repository->name : where;
        newest_s = loose_s > newest_s ? loose_s : newest_s;
    }
    *ret_repository = where;
    return newest_s;
}

static bool keeps_nothing(const struct store_repository *repository)
{
    bool keeps = repository->opaque || repository->upload_count > 0;
    for (size_t i = 0; i < repository->tag_count && !keeps; i++) {
        keeps = repository->tags[i].kept;
    }
    for (size_t i = 0; i < repository->revision_count && !keeps; i++) {
        keeps = repository->revisions[i].kept;
    }
    return !keeps;
}

static bool is_stale(const struct store *store, const struct store_repository *repository,
                     const struct store_link *link)
{
    if (link->layer) {
        const struct store_blob *blob = store_blob(store, link->digest);
        return blob == NULL || blob->uses == 0;
    }
    const struct store_revision *revision = store_revision(repository, link->digest);
    return revision == NULL || !revision->kept;
}

void mark_list_removals(const struct store *store, struct buf *lines)
{
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        const char *name = repository->name;
        for (size_t j = 0; j < repository->tag_count; j++) {
            if (!repository->tags[j].kept) {
                (void)buf_printf(lines, "repositories/%s/_manifests/tags/%s\n", name,
                                 repository->tags[j].name);
            }
        }
        for (size_t j = 0; j < repository->revision_count; j++) {
            if (!repository->revisions[j].kept) {
                (void)buf_printf(
                    lines, "repositories/%s/_manifests/revisions/" REFERENCE_ALGORITHM "/%s\n",
                    name, REFERENCE_HEX(repository->revisions[j].digest));
            }
        }
    }
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        const char *name = repository->name;
        for (size_t j = 0; j < repository->link_count && !repository->opaque; j++) {
            if (is_stale(store, repository, &repository->links[j])) {
                (void)buf_printf(lines, "repositories/%s/%s\n", name, repository->links[j].path);
            }
        }
        if (keeps_nothing(repository)) {
            (void)buf_printf(lines,
                             "repositories/%s/_layers\nrepositories/%s/_manifests\n"
                             "repositories/%s/_uploads\n",
                             name, name, name);
        }
    }
}
