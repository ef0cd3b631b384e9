// What is read comes from a container, that is from anybody: nothing is unpacked to a file system,
// and sizes, counts and paths are checked.
#include "lib/docker/docker_tar.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <time.h>

// All contents together: sparse entries are larger than the body they come in.
#define CONTENTS_BYTES_MAX (16u * 1024u * 1024u)
#define PATH_BYTES_MAX 4096
// The path itself may hold anything, so it is not shown.
#define PATH_REFUSED "tar: a path is absolute, empty, too long or has a .. in it"
// Two blocks of zeros are the end of every tar. libarchive does without, but then what the engine
// could not read to its end looks like files that are gone.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
#define END_BYTES 1024u
#define FILE_MODE 0644
#define PRIVATE_MODE 0600
#define DIRECTORY_MODE 0755

struct file_list {
    struct docker_file *files;
    size_t count;
    size_t contents; // bytes
};

static void file_list_done(struct file_list *list)
{
    docker_files_free(list->files, list->count);
}

void docker_files_free(struct docker_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(files[i].path);
        free(files[i].content);
    }
    free(files);
}

// libarchive has no other reason to make nothing.
static void *made(void *object)
{
    if (object == NULL) {
        alloc_fail();
    }
    return object;
}

static const char *reason_of(struct archive *archive)
{
    const char *reason = archive_error_string(archive);
    return reason == NULL ? "cut short" : reason;
}

// Appends path without empty and "." components; of one that has only those nothing is left.
// Returns false for a path that leads out of where it is (absolute, "..") or is too long.
static bool clean_path(const char *path, struct buf *clean)
{
    _cleanup_free_ char *copy = str_dup(path);
    char *rest = copy;
    bool good = path != NULL && *path != '/';
    for (const char *part; good && (part = strsep(&rest, "/")) != NULL;) {
        bool empty = *part == '\0' || str_equal(part, ".");
        good = !str_equal(part, "..") &&
               (empty || buf_printf(clean, "%s%s", clean->length > 0 ? "/" : "", part) == 0);
    }
    return good;
}

// ---- reading

static void archive_read_freep(struct archive **archive)
{
    (void)archive_read_free(*archive);
}

static int read_error(struct archive *archive, struct error *err)
{
    return error_set(err, ERROR_TRANSIENT, EBADMSG, "tar: %s", reason_of(archive));
}

static int too_much(struct error *err, size_t max, const char *of_what)
{
    return error_set(err, ERROR_PERMANENT, EFBIG, "tar: more than %zu %s", max, of_what);
}

// What an entry is that is neither a regular file nor a directory, NULL when it is one of them. The
// second name that a tar has of a file is a hard link, of the type of what it names.
static const char *special_of(struct archive_entry *entry)
{
    static const struct {
        unsigned type;
        const char *name;
    } types[] = {
        {AE_IFREG, NULL},        {AE_IFDIR, NULL},       {AE_IFLNK, "a symbolic link"},
        {AE_IFCHR, "a device"},  {AE_IFBLK, "a device"}, {AE_IFIFO, "a pipe"},
        {AE_IFSOCK, "a socket"},
    };
    if (archive_entry_hardlink(entry) != NULL) {
        return "a hard link";
    }
    for (size_t i = 0; i < ELEMENTS(types); i++) {
        if (types[i].type == archive_entry_filetype(entry)) {
            return types[i].name;
        }
    }
    return "no regular file";
}

static int read_entry(struct archive *archive, struct archive_entry *entry, docker_select_fn select,
                      struct file_list *list, struct error *err)
{
    // The UTF-8 getter fails on invalid UTF-8, the plain one on what the locale cannot express.
    const char *path = archive_entry_pathname_utf8(entry);
    _cleanup_buf_ struct buf clean = BUF_INIT(PATH_BYTES_MAX);
    const char *special = special_of(entry);
    bool directory = special == NULL && archive_entry_filetype(entry) == AE_IFDIR;
    if (!clean_path(path == NULL ? archive_entry_pathname(entry) : path, &clean) ||
        (clean.length == 0 && !directory)) {
        return error_set(err, ERROR_PERMANENT, EBADMSG, PATH_REFUSED);
    }
    // Without a name it is the directory that the others are below.
    if (clean.length == 0 || (select != NULL && !select(clean.data))) {
        return 0;
    }
    if (list->count == DOCKER_FILES_MAX) {
        return too_much(err, DOCKER_FILES_MAX, "entries");
    }
    struct docker_file *file = ARRAY_GROW(list->files, list->count);
    file->path = buf_take(&clean);
    file->special = special;
    if (directory || special != NULL) {
        return 0;
    }
    int64_t size = archive_entry_size(entry);
    if (size < 0 || size > DOCKER_FILE_BYTES_MAX) {
        return too_much(err, DOCKER_FILE_BYTES_MAX, "bytes of a file");
    }
    list->contents += (size_t)size;
    if (list->contents > CONTENTS_BYTES_MAX) {
        return too_much(err, CONTENTS_BYTES_MAX, "bytes of files");
    }
    file->content = xcalloc((size_t)size + 1, 1);
    file->length = (size_t)size;
    return archive_read_data(archive, file->content, file->length) == size
               ? 0
               : read_error(archive, err);
}

static bool has_end(const char *data, size_t length)
{
    static const char end[END_BYTES];
    return length >= END_BYTES && memcmp(data + length - END_BYTES, end, END_BYTES) == 0;
}

int docker_tar_read(const void *data, size_t length, docker_select_fn select,
                    struct docker_file **ret_files, size_t *ret_count, struct error *err)
{
    _cleanup_(file_list_done) struct file_list list = {0};
    _cleanup_(archive_read_freep) struct archive *archive = made(archive_read_new());
    struct archive_entry *entry = NULL;
    int status = archive_read_support_format_tar(archive);
    status = status != ARCHIVE_OK ? status : archive_read_open_memory(archive, data, length);
    while (status == ARCHIVE_OK || status == ARCHIVE_WARN) {
        status = archive_read_next_header(archive, &entry);
        int r = status == ARCHIVE_OK || status == ARCHIVE_WARN
                    ? read_entry(archive, entry, select, &list, err)
                    : 0;
        if (r < 0) {
            return r;
        }
    }
    if (status != ARCHIVE_EOF || !has_end(data, length)) {
        return read_error(archive, err);
    }
    *ret_count = TAKE(list.count, 0);
    *ret_files = TAKE_PTR(list.files);
    return 0;
}

// ---- writing

static void archive_write_freep(struct archive **archive)
{
    (void)archive_write_free(*archive);
}

// There is always room: libarchive 3.6 leaks when its writer fails.
static la_ssize_t append(_unused_ struct archive *archive, void *ctx, const void *data,
                         size_t length)
{
    (void)buf_append(ctx, data, length);
    return (la_ssize_t)length;
}

// content is NULL for a directory.
static bool write_entry(struct archive *archive, const char *path, unsigned mode,
                        const char *content, size_t length)
{
    struct archive_entry *entry = made(archive_entry_new());
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, content == NULL ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_size(entry, (int64_t)length);
    archive_entry_set_mtime(entry, time(NULL), 0);
    bool written =
        archive_write_header(archive, entry) == ARCHIVE_OK &&
        (length == 0 || archive_write_data(archive, content, length) == (la_ssize_t)length);
    archive_entry_free(entry);
    return written;
}

// The directories on the way to path, without those that the file before it had.
static bool write_directories(struct archive *archive, const char *before, const char *path)
{
    for (const char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        size_t length = (size_t)(slash - path);
        _cleanup_free_ char *directory = str_dup_n(path, length);
        if (strncmp(before, path, length + 1) != 0 &&
            !write_entry(archive, directory, DIRECTORY_MODE, NULL, 0)) {
            return false;
        }
    }
    return true;
}

int docker_tar_write(const struct docker_file *files, size_t count, struct buf *ret,
                     struct error *err)
{
    _cleanup_buf_ struct buf tar = BUF_INIT(SIZE_MAX / 2);
    _cleanup_(archive_write_freep) struct archive *archive = made(archive_write_new());
    const char *before = "";
    bool written =
        archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
        archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY") == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(archive, 0) == ARCHIVE_OK &&
        archive_write_open(archive, &tar, NULL, append, NULL) == ARCHIVE_OK;
    for (size_t i = 0; written && i < count; i++) {
        const struct docker_file *file = &files[i];
        _cleanup_buf_ struct buf clean = BUF_INIT(PATH_BYTES_MAX);
        if (!clean_path(file->path, &clean) || clean.length == 0 ||
            !str_equal(clean.data, file->path)) {
            return error_invalid(err, PATH_REFUSED);
        }
        written = write_directories(archive, before, file->path) &&
                  write_entry(archive, file->path, file->is_private ? PRIVATE_MODE : FILE_MODE,
                              file->content, file->length);
        before = file->path;
    }
    if (!written || archive_write_close(archive) != ARCHIVE_OK) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "tar: %s", reason_of(archive));
    }
    if (tar.length > ret->max) {
        return too_much(err, ret->max, "bytes");
    }
    tar.max = ret->max;
    *ret = TAKE_STRUCT(tar);
    return 0;
}
