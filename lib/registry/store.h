// What a registry holds, who refers to whom, and what nothing refers to. Pure.
//
// A store is filled by lib/registry/walk.h from a storage directory, or by lib/registry/survey.h
// through the registry's API, which lists nothing that has no tag. What a tag reaches, it keeps: an
// index's children, and what names one of these as its subject. A manifest without a tag is a part
// of many images, so that "untagged" alone says nothing.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

// Shared by all repositories. A manifest is a blob as well.
struct store_blob {
    const char *digest;
    uint64_t size;
    int64_t time_s;          // when it was written, 0: not known
    size_t uses;             // repositories that keep it
    const uint64_t *counted; // the sum of mark.c that it was added to last
};

struct store_part {
    const char *digest;
    uint64_t size;
    bool manifest; // a child of an index
    bool foreign;  // may be somewhere else
};

// A manifest of whatever kind, linked in a repository.
struct store_revision {
    const char *digest;
    int64_t time_s;
    bool missing;
    const char *subject; // what it is about: a signature, an attestation; NULL
    struct store_part *parts;
    size_t part_count;
    bool kept;
};

struct store_tag {
    const char *name;
    const char *digest;
    int64_t time_s; // when it was pushed, 0: not known
    bool kept;
};

// A repository's directory that only says that it has a blob, or had a manifest.
struct store_link {
    const char *path; // below the repository's: of a blob in STORE_LAYERS
    const char *digest;
};

#define STORE_LAYERS "_layers/"

struct store_repository {
    const char *name;
    struct store_tag *tags; // sorted by name
    size_t tag_count;
    struct store_revision *revisions; // sorted by digest
    size_t revision_count;
    struct store_link *links;
    size_t link_count;
    size_t upload_count;
    int64_t upload_s; // of the newest of its uploads, 0: there is none
    bool opaque;      // not all of what it has is understood: nothing of it goes
    size_t lost;      // blobs that were asked for and are not there
    // By mark_store, in bytes; each blob is counted once.
    uint64_t size;         // of what is kept
    uint64_t shared;       // of that, with other repositories
    uint64_t unreferenced; // of what only manifests that go refer to
    size_t damaged;        // parts of what is kept that are missing, or of another size
};

struct store {
    struct arena arena;
    struct store_repository *repositories; // sorted by name
    size_t repository_count;
    struct store_blob *blobs; // sorted by digest
    size_t blob_count;
    bool asked; // the registry was: the repositories' lost tells what is missing
    uint64_t upload_bytes;
    uint64_t free_bytes; // of the file system
    // By mark_store, in bytes.
    uint64_t size;         // of all blobs
    uint64_t unreferenced; // of those that nothing keeps
};

struct store *store_new(void);
// NULL is fine.
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)

// ---- filling: names are valid, strings are copied, nothing is added twice, a
// manifest once to each repository that has it

// Returns the number of the repository, until store_finish.
size_t store_add_repository(struct store *store, const char *name);
void store_add_tag(struct store *store, size_t repository, const char *name, const char *digest,
                   int64_t time_s);
// Decodes the manifest; text NULL: it is missing. Returns it until the next one is added.
const struct store_revision *store_add_revision(struct store *store, size_t repository,
                                                const char *digest, int64_t time_s,
                                                const char *text, size_t length);
void store_add_link(struct store *store, size_t repository, const char *path, const char *digest);
void store_add_blob(struct store *store, const char *digest, uint64_t size, int64_t time_s);
// Sorts. Nothing may be added after it.
void store_finish(struct store *store);

// ---- asking a finished store; NULL when there is none

struct store_repository *store_repository(const struct store *store, const char *name);
struct store_blob *store_blob(const struct store *store, const char *digest);
struct store_tag *store_tag(const struct store_repository *repository, const char *name);
struct store_revision *store_revision(const struct store_repository *repository,
                                      const char *digest);
