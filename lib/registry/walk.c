#include "lib/registry/walk.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/registry/reference.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
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

typedef void (*entry_fn)(struct walk *walk, const char *path, const char *name);

// Calls each for what is in a directory, if there is one, until there is an error.
static void each_entry(struct walk *walk, const char *path, entry_fn each)
{
    _cleanup_(strv_done) struct strv names = {0};
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
            strv_add(&names, entry->d_name);
        }
    }
    (void)closedir(directory);
    for (size_t i = 0; i < names.count && walk->error.kind == ERROR_NONE; i++) {
        _cleanup_free_ char *below = str_printf("%s/%s", path, names.items[i]);
        each(walk, below, names.items[i]);
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

// ---- a repository ----

static void add_link(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *digest = digest_of(name);
    const char *repository = walk->store->repositories[walk->repository].name;
    if (digest != NULL) {
        path += strlen(walk->root) + strlen("/repositories/") + strlen(repository) + 1;
        store_add_link(walk->store, walk->repository, path, digest);
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
    _cleanup_free_ char *data =
        str_printf("%s/blobs/" REFERENCE_ALGORITHM "/%.2s/%s/data", walk->root, name, name);
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    struct stat st;
    if (digest == NULL) {
        return;
    }
    if (stat_at(walk, link, &st) < 0) {
        add_link(walk, path, name); // deleted through the API, which leaves the directory
        return;
    }
    int r = file_read(data, MANIFEST_BYTES_MAX, FILE_REGULAR, &text, &length, NULL);
    if (r < 0 && r != -EFBIG) {
        (void)fail(walk, data, -r);
    }
    store_add_revision(walk->store, walk->repository, digest, st.st_mtime, r == -EFBIG ? "" : text,
                       length);
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
        each_entry(walk, index, add_link);
    } else {
        walk->store->repositories[walk->repository].opaque = true;
    }
}

// One that was given up may leave its hash states behind (distribution 2.8), and is none.
static void add_upload(struct walk *walk, const char *path, _unused_ const char *name)
{
    struct store_repository *repository = &walk->store->repositories[walk->repository];
    static const char *const files[] = {"startedat", "data"};
    bool there = false;
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        _cleanup_free_ char *file = str_printf("%s/%s", path, files[i]);
        struct stat st;
        if (stat_at(walk, file, &st) == 0) {
            there = true;
            walk->store->upload_bytes += (uint64_t)st.st_size;
            repository->upload_s = MAX(st.st_mtime, repository->upload_s);
        }
    }
    repository->upload_count += there ? 1 : 0;
}

static bool has(struct walk *walk, const char *path, const char *name)
{
    _cleanup_free_ char *entry = str_printf("%s/%s", path, name);
    struct stat st;
    return stat_at(walk, entry, &st) == 0;
}

// One that never had more than an upload, which was taken back, is none.
static void add_repository(struct walk *walk, const char *path, const char *name, bool pushed)
{
    static const struct {
        const char *directory;
        entry_fn each;
    } parts[] = {
        {"_manifests/tags", add_tag},
        {"_manifests/revisions", add_algorithm},
        {"_manifests/revisions/" REFERENCE_ALGORITHM, add_revision},
        {STORE_LAYERS REFERENCE_ALGORITHM, add_link},
        {"_uploads", add_upload},
    };
    walk->repository = store_add_repository(walk->store, name);
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        _cleanup_free_ char *part = str_printf("%s/%s", path, parts[i].directory);
        each_entry(walk, part, parts[i].each);
    }
    if (!pushed && walk->store->repositories[walk->repository].upload_count == 0) {
        walk->store->repository_count--;
    }
}

// A repository's own directories begin with '_', as no part of a name does.
static void add_repositories(struct walk *walk, const char *path, _unused_ const char *entry)
{
    const char *name = path + strlen(walk->root) + strlen("/repositories/");
    if (reference_is_repository(name)) {
        bool pushed = has(walk, path, "_layers") || has(walk, path, "_manifests");
        if (pushed || has(walk, path, "_uploads")) {
            add_repository(walk, path, name, pushed);
        }
        each_entry(walk, path, add_repositories);
    }
}

// ---- blobs ----

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

int walk_storage(const char *directory, struct store **ret, struct error *err)
{
    _cleanup_free_ char *root = str_printf("%s/" WALK_LAYOUT, directory);
    _cleanup_free_ char *repositories = str_printf("%s/repositories", root);
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
    each_entry(&walk, repositories, add_repositories);
    each_entry(&walk, blobs, add_blobs);
    if (walk.error.kind != ERROR_NONE) {
        *err = walk.error;
        return -err->code;
    }
    store_finish(store);
    *ret = TAKE_PTR(store);
    return 0;
}
