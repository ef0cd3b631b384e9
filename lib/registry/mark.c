#include "lib/registry/mark.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/registry/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- what is kept ----

struct marking {
    struct store_repository *repository;
    const struct mark_rules *rules;
    const struct store_repository *agreed; // the same one there, NULL: it is new
};

// Returns whether that is new.
static bool keep(struct marking *m, const char *digest)
{
    struct store_revision *revision = store_revision(m->repository, digest);
    if (revision == NULL || revision->kept) {
        return false;
    }
    revision->kept = true;
    return true;
}

static bool is_kept(const struct marking *m, const char *digest)
{
    const struct store_revision *revision = store_revision(m->repository, digest);
    return revision != NULL && revision->kept;
}

#define DIGEST_SIZE (sizeof(REFERENCE_ALGORITHM ":") + REFERENCE_DIGITS)

// Whether a tag of this name belongs to a digest; else it is a version. What belongs to an image is
// tagged so where no registry can be asked for referrers, by cosign with an ending:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
static bool subject_of(const char *tag, char digest[DIGEST_SIZE])
{
    static const char prefix[] = REFERENCE_ALGORITHM "-";
    const char *hex = tag + strlen(prefix);
    if (!str_starts_with(tag, prefix)) {
        return false;
    }
    (void)snprintf(digest, DIGEST_SIZE, REFERENCE_ALGORITHM ":%s", hex);
    return reference_is_digest(digest) && strchr(".", hex[REFERENCE_DIGITS]) != NULL;
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
    struct store_tag **versions = xcalloc(repository->tag_count + 1, sizeof(*versions));
    size_t count = 0;
    char digest[DIGEST_SIZE];
    for (size_t i = 0; i < repository->tag_count; i++) {
        struct store_tag *tag = &repository->tags[i];
        const struct store_tag *agreed = m->agreed == NULL ? NULL : store_tag(m->agreed, tag->name);
        tag->kept = all || (rules->agreed != NULL && (agreed == NULL || agreed->kept));
        if (!subject_of(tag->name, digest)) {
            versions[count++] = tag;
        }
    }
    qsort(versions, count, sizeof(*versions), compare_newest);
    for (size_t i = 0; i < count && i < rules->newest; i++) {
        versions[i]->kept = true;
    }
    free(versions);
}

// Keeps what is referred to by what is kept, and what belongs to that. Returns whether that is more
// than before.
static bool keep_more(struct marking *m)
{
    struct store_repository *repository = m->repository;
    char subject[DIGEST_SIZE];
    bool grown = false;
    for (size_t i = 0; i < repository->tag_count; i++) {
        struct store_tag *tag = &repository->tags[i];
        tag->kept =
            tag->kept || (subject_of(tag->name, subject) &&
                          (store_revision(repository, subject) == NULL || is_kept(m, subject)));
        grown = (tag->kept && keep(m, tag->digest)) || grown;
    }
    for (size_t i = 0; i < repository->revision_count; i++) {
        struct store_revision *revision = &repository->revisions[i];
        if (!revision->kept && revision->subject != NULL && is_kept(m, revision->subject)) {
            revision->kept = true;
            grown = true;
        }
        for (size_t j = 0; revision->kept && j < revision->part_count; j++) {
            grown = keep(m, revision->parts[j].digest) || grown;
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
    keep_tags(&m);
    for (size_t i = 0; i < repository->revision_count; i++) {
        repository->revisions[i].kept = is_excepted(&m, &repository->revisions[i]);
    }
    while (keep_more(&m)) {
    }
}

// ---- how much that is ----

// At first what is kept, then, when it is known who uses what, what others share and nobody uses.
static void count_blob(const struct store *store, struct store_repository *repository,
                       const struct store_revision *of, const char *digest, bool first)
{
    struct store_blob *blob = store_blob(store, digest);
    uint64_t *sum = first      ? &repository->size
                    : of->kept ? &repository->shared
                               : &repository->unreferenced;
    if (blob == NULL || blob->counted == sum) {
        return;
    }
    if (first ? of->kept : of->kept ? blob->uses > 1 : blob->uses == 0) {
        *sum += blob->size;
        blob->uses += first;
        blob->counted = sum;
    }
}

static void count_blobs(const struct store *store, bool first)
{
    for (size_t i = 0; i < store->repository_count; i++) {
        struct store_repository *repository = &store->repositories[i];
        for (size_t j = 0; j < repository->revision_count; j++) {
            const struct store_revision *revision = &repository->revisions[j];
            count_blob(store, repository, revision, revision->digest, first);
            for (size_t k = 0; k < revision->part_count; k++) {
                count_blob(store, repository, revision, revision->parts[k].digest, first);
            }
        }
    }
}

static size_t count_damage(const struct store *store, const struct store_repository *repository)
{
    size_t damaged = repository->lost;
    for (size_t i = 0; i < repository->revision_count; i++) {
        const struct store_revision *revision = &repository->revisions[i];
        damaged += revision->kept && revision->missing;
        for (size_t j = 0; revision->kept && j < revision->part_count; j++) {
            const struct store_part *part = &revision->parts[j];
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

void mark_store(struct store *store, const struct mark_rules *rules)
{
    for (size_t i = 0; i < store->repository_count; i++) {
        struct store_repository *repository = &store->repositories[i];
        mark_repository(repository, rules);
        repository->damaged = count_damage(store, repository);
    }
    count_blobs(store, true);
    count_blobs(store, false);
    for (size_t i = 0; i < store->blob_count; i++) {
        store->size += store->blobs[i].size;
        store->unreferenced += store->blobs[i].uses == 0 ? store->blobs[i].size : 0;
    }
}

// ---- what goes ----

const char *mark_pushed_to(const struct store *store, int64_t now_s, int64_t seconds)
{
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *repository = &store->repositories[i];
        bool loose = llabs(now_s - repository->upload_s) < seconds;
        for (size_t j = 0; j < repository->revision_count && !loose; j++) {
            const struct store_revision *revision = &repository->revisions[j];
            loose = !revision->kept && llabs(now_s - revision->time_s) < seconds;
        }
        if (loose) {
            return repository->name;
        }
    }
    for (size_t i = 0; i < store->blob_count; i++) {
        const struct store_blob *blob = &store->blobs[i];
        if (blob->uses == 0 && llabs(now_s - blob->time_s) < seconds) {
            return "a repository";
        }
    }
    return NULL;
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
    if (str_starts_with(link->path, STORE_LAYERS)) {
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
