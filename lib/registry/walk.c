#include "lib/registry/walk.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/registry/reference.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define ENTRIES_MAX (16u * 1024u * 1024u) // of all directories
#define LINK_BYTES_MAX 256u
#define MANIFEST_BYTES_MAX ((size_t)4 * 1024 * 1024) // distribution takes no larger one

struct walk {
    const char *root; // WALK_LAYOUT of the directory
    struct store *store;
    size_t entries;
    size_t repository;  // the one that is being read
    struct error error; // the first one
};

// What goes between two looks is not there; anything else is an error. Returns 0 or -errno.
static int fail(struct walk *walk, const char *path, int code)
{
    if (code != ENOENT && code != ENOTDIR && walk->error.kind == ERROR_NONE) {
        (void)error_set(&walk->error, ERROR_PERMANENT, code, "%s cannot be read: %s", path,
                        strerror(code));
    }
    return -code;
}

// The names in a directory, none where it is missing.
static void list(struct walk *walk, const char *path, struct strv *ret)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        (void)fail(walk, path, errno);
        return;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) { // NOLINT(concurrency-mt-unsafe): its own stream
        if (++walk->entries > ENTRIES_MAX) {
            (void)fail(walk, path, E2BIG);
            break;
        }
        if (entry->d_name[0] != '.') {
            strv_add(ret, entry->d_name);
        }
    }
    (void)closedir(directory);
}

typedef void (*entry_fn)(struct walk *walk, const char *path, const char *name);

// Calls each for what is in a directory, until there is an error.
static void each_entry(struct walk *walk, const char *path, entry_fn each)
{
    _cleanup_(strv_done) struct strv names = {0};
    list(walk, path, &names);
    for (size_t i = 0; i < names.count && walk->error.kind == ERROR_NONE; i++) {
        _cleanup_free_ char *entry = str_printf("%s/%s", path, names.items[i]);
        each(walk, entry, names.items[i]);
    }
}

static int stat_at(struct walk *walk, const char *path, struct stat *ret)
{
    return stat(path, ret) < 0 ? fail(walk, path, errno) : 0;
}

// "sha256:HEX" of a directory of that name; the caller frees it. NULL when it is none.
static char *digest_of(const char *name)
{
    _cleanup_free_ char *digest = str_printf(REFERENCE_ALGORITHM ":%s", name);
    return reference_is_digest(digest) ? TAKE_PTR(digest) : NULL;
}

// The path of a file or directory of the repository that is being read, below the repository's.
static const char *below_repository(const struct walk *walk, const char *path)
{
    const char *name = walk->store->repositories[walk->repository].name;
    return path + strlen(walk->root) + strlen("/repositories/") + strlen(name) + 1;
}

// ---- a repository ----

static void add_former(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *digest = digest_of(name);
    if (digest != NULL) {
        store_add_link(walk->store, walk->repository, below_repository(walk, path), digest, false);
    }
}

static void add_layer(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *digest = digest_of(name);
    if (digest != NULL) {
        store_add_link(walk->store, walk->repository, below_repository(walk, path), digest, true);
    }
}

// What is of another algorithm may refer to anything.
static void add_algorithm(struct walk *walk, _unused_ const char *path, const char *name)
{
    if (!str_equal(name, REFERENCE_ALGORITHM)) {
        walk->store->repositories[walk->repository].opaque = true;
    }
}

static void add_revision(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *digest = digest_of(name);
    _cleanup_free_ char *link = str_printf("%s/link", path);
    struct stat st;
    if (digest == NULL) {
        return;
    }
    if (stat_at(walk, link, &st) == 0) {
        store_add_revision(walk->store, walk->repository, digest, st.st_mtime);
    } else {
        add_former(walk, path, name); // deleted through the API, which leaves the directory
    }
}

static void add_tag(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *link = str_printf("%s/current/link", path);
    _cleanup_free_ char *index = str_printf("%s/index/" REFERENCE_ALGORITHM, path);
    _cleanup_free_ char *digest = NULL;
    size_t length = 0;
    struct stat st;
    if (stat_at(walk, link, &st) < 0) {
        return;
    }
    int r = file_read(link, LINK_BYTES_MAX, FILE_REGULAR, &digest, &length, NULL);
    if (r < 0) {
        (void)fail(walk, link, -r);
    } else if (reference_is_tag(name) && reference_is_digest(digest)) {
        store_add_tag(walk->store, walk->repository, name, digest, st.st_mtime);
        each_entry(walk, index, add_former);
    } else {
        walk->store->repositories[walk->repository].opaque = true;
    }
}

static void add_upload(struct walk *walk, const char *path, _unused_ const char *name)
{
    struct store_repository *repository = &walk->store->repositories[walk->repository];
    static const char *const files[] = {"startedat", "data"};
    repository->upload_count++;
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        _cleanup_free_ char *file = str_printf("%s/%s", path, files[i]);
        struct stat st;
        if (stat_at(walk, file, &st) == 0) {
            walk->store->upload_bytes += (uint64_t)st.st_size;
            repository->upload_s =
                st.st_mtime > repository->upload_s ? st.st_mtime : repository->upload_s;
        }
    }
}

// One that never had more than an upload, which was taken back, is none.
static void add_repository(struct walk *walk, const char *name, bool uploads_alone)
{
    static const struct {
        const char *directory;
        entry_fn each;
    } parts[] = {
        {"_manifests/tags", add_tag},
        {"_manifests/revisions", add_algorithm},
        {"_manifests/revisions/" REFERENCE_ALGORITHM, add_revision},
        {"_layers/" REFERENCE_ALGORITHM, add_layer},
        {"_uploads", add_upload},
    };
    walk->repository = store_add_repository(walk->store, name);
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        _cleanup_free_ char *path =
            str_printf("%s/repositories/%s/%s", walk->root, name, parts[i].directory);
        each_entry(walk, path, parts[i].each);
    }
    if (uploads_alone && walk->store->repositories[walk->repository].upload_count == 0) {
        walk->store->repository_count--;
    }
}

// A repository's own directories begin with '_'; all others are a part of more names.
static void add_repositories(struct walk *walk)
{
    _cleanup_(strv_done) struct strv names = {0};
    strv_add(&names, "");
    for (size_t next = 0; next < names.count && walk->error.kind == ERROR_NONE; next++) {
        const char *name = names.items[next];
        _cleanup_free_ char *path =
            str_printf("%s/repositories%s%s", walk->root, *name == '\0' ? "" : "/", name);
        _cleanup_(strv_done) struct strv entries = {0};
        bool own = false;
        bool uploads_alone = true;
        list(walk, path, &entries);
        for (size_t i = 0; i < entries.count; i++) {
            const char *entry = entries.items[i];
            _cleanup_free_ char *longer =
                str_printf("%s%s%s", name, *name == '\0' ? "" : "/", entry);
            own = own || entry[0] == '_';
            uploads_alone = uploads_alone && (entry[0] != '_' || str_equal(entry, "_uploads"));
            if (reference_is_repository(longer)) {
                strv_add(&names, longer);
            }
        }
        if (own && *name != '\0') {
            add_repository(walk, name, uploads_alone);
        }
    }
}

// ---- blobs and manifests ----

static char *blob_path(const struct walk *walk, const char *digest)
{
    const char *hex = REFERENCE_HEX(digest);
    return str_printf("%s/blobs/" REFERENCE_ALGORITHM "/%.2s/%s/data", walk->root, hex, hex);
}

static void add_blob(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *digest = digest_of(name);
    _cleanup_free_ char *data = str_printf("%s/data", path);
    struct stat st;
    if (digest != NULL && stat_at(walk, data, &st) == 0) {
        store_add_blob(walk->store, digest, (uint64_t)st.st_size, st.st_mtime);
    }
}

static void add_blobs(struct walk *walk, const char *path, _unused_ const char *name)
{
    each_entry(walk, path, add_blob);
}

static int compare_digests(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_manifest(struct walk *walk, const char *digest)
{
    _cleanup_free_ char *path = blob_path(walk, digest);
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    struct stat st;
    if (stat_at(walk, path, &st) < 0) {
        return; // it is missing
    }
    int r = file_read(path, MANIFEST_BYTES_MAX, FILE_REGULAR, &text, &length, NULL);
    if (r == 0 || r == -EFBIG) {
        (void)store_add_manifest(walk->store, digest, r == 0 ? text : "", length);
    } else {
        (void)fail(walk, path, -r);
    }
}

// Each one once, in how many repositories it may be.
static void add_manifests(struct walk *walk)
{
    const struct store *store = walk->store;
    struct arena arena = {0};
    const char **digests = NULL;
    size_t count = 0;
    for (size_t i = 0; i < store->repository_count; i++) {
        for (size_t j = 0; j < store->repositories[i].revision_count; j++) {
            *ARENA_GROW(&arena, digests, count) = store->repositories[i].revisions[j].digest;
        }
    }
    if (count > 0) {
        qsort(digests, count, sizeof(*digests), compare_digests);
    }
    for (size_t i = 0; i < count && walk->error.kind == ERROR_NONE; i++) {
        if (i == 0 || !str_equal(digests[i], digests[i - 1])) {
            add_manifest(walk, digests[i]);
        }
    }
    arena_done(&arena);
}

int walk_storage(const char *directory, struct store **ret, struct error *err)
{
    _cleanup_free_ char *root = str_printf("%s/" WALK_LAYOUT, directory);
    _cleanup_free_ char *blobs = str_printf("%s/blobs/" REFERENCE_ALGORITHM, root);
    _cleanup_(store_freep) struct store *store = store_new();
    struct walk walk = {.root = root, .store = store};
    struct statvfs fs;
    if (statvfs(directory, &fs) < 0) {
        return error_set(err, ERROR_PERMANENT, errno, "%s cannot be read: %s", directory,
                         strerror(errno));
    }
    store->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    // In this order: what a tag names is pushed before the tag.
    add_repositories(&walk);
    add_manifests(&walk);
    each_entry(&walk, blobs, add_blobs);
    if (walk.error.kind != ERROR_NONE) {
        *err = walk.error;
        return -err->code;
    }
    store_finish(store);
    *ret = TAKE_PTR(store);
    return 0;
}
