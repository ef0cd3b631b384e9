// The tar bodies of the archive requests. What is read comes from a container, that is from
// anybody: nothing is unpacked to a file system, and sizes, counts and paths are checked.
#include "lib/docker/docker.h"

#include "lib/base/str.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <time.h>

// All contents together: sparse entries are larger than the body they come in.
#define TAR_CONTENTS_MAX (16u * 1024u * 1024u)
#define TAR_PATH_MAX 4096
// The path itself may hold anything, so it is not shown.
#define PATH_REFUSED "a path is absolute, empty, too long or has a .. in it"
// Two blocks of zeros are the end of every tar. libarchive does without, but then what the engine
// could not read to its end looks like files that are gone.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
#define TAR_END_BYTES 1024u
#define FILE_MODE 0644
#define DIRECTORY_MODE 0755

static void archive_read_freep(struct archive **archive)
{
    (void)archive_read_free(*archive);
}

static void archive_write_freep(struct archive **archive)
{
    (void)archive_write_free(*archive);
}

DEFINE_CLEANUP(struct archive_entry *, archive_entry_free)

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

// What is read is damaged, or memory has run out.
static int read_error(struct archive *archive, struct error *err)
{
    const char *reason = archive_error_string(archive);
    return archive_errno(archive) == ENOMEM ? error_oom(err)
                                            : error_set(err, ERROR_TRANSIENT, EBADMSG, "tar: %s",
                                                        reason == NULL ? "cut short" : reason);
}

// Copies path without empty and "." components. Returns 0, -EINVAL for a path that leads out of
// where it is (absolute, ".."), is too long or empty ("." is empty), -ENOMEM.
static int clean_path(const char *path, char **ret)
{
    char clean[TAR_PATH_MAX];
    size_t length = 0;
    if (*path == '/') {
        return -EINVAL;
    }
    while (*path != '\0') {
        size_t part = strcspn(path, "/");
        bool dot = part == 1 && path[0] == '.';
        if (part == 2 && path[0] == '.' && path[1] == '.') {
            return -EINVAL;
        }
        if (part > 0 && !dot) {
            if (length + part + 2 > sizeof(clean)) {
                return -EINVAL;
            }
            if (length > 0) {
                clean[length++] = '/';
            }
            memcpy(clean + length, path, part);
            length += part;
        }
        path += part + (path[part] == '/');
    }
    if (length == 0) {
        return -EINVAL;
    }
    *ret = str_dup_n(clean, length);
    return *ret == NULL ? -ENOMEM : 0;
}

static int read_content(struct archive *archive, struct archive_entry *entry,
                        struct file_list *list, struct docker_file *file, struct error *err)
{
    int64_t size = archive_entry_size(entry);
    if (size < 0 || size > DOCKER_FILE_BYTES_MAX) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "tar: a file of more than %u bytes",
                         DOCKER_FILE_BYTES_MAX);
    }
    list->contents += (size_t)size;
    if (list->contents > TAR_CONTENTS_MAX) {
        return error_set(err, ERROR_PERMANENT, EFBIG, "tar: files of more than %u bytes in all",
                         TAR_CONTENTS_MAX);
    }
    file->content = malloc((size_t)size + 1);
    if (file->content == NULL) {
        return error_oom(err);
    }
    while (file->length < (size_t)size) {
        la_ssize_t n =
            archive_read_data(archive, file->content + file->length, (size_t)size - file->length);
        if (n <= 0) {
            return read_error(archive, err);
        }
        file->length += (size_t)n;
    }
    file->content[file->length] = '\0';
    return 0;
}

// What an entry is that is neither a regular file nor a directory, NULL when it is one of them. The
// second name that a tar has of a file is a hard link, of the type of what it names.
static const char *special_of(struct archive_entry *entry)
{
    static const struct {
        mode_t type;
        const char *words;
    } specials[] = {
        {AE_IFLNK, "a symbolic link"}, {AE_IFCHR, "a device"},  {AE_IFBLK, "a device"},
        {AE_IFIFO, "a pipe"},          {AE_IFSOCK, "a socket"},
    };
    if (archive_entry_hardlink(entry) != NULL) {
        return "a hard link";
    }
    mode_t type = archive_entry_filetype(entry);
    for (size_t i = 0; i < ELEMENTS(specials); i++) {
        if (type == specials[i].type) {
            return specials[i].words;
        }
    }
    return type == AE_IFREG || type == AE_IFDIR ? NULL : "no regular file";
}

static int read_entry(struct archive *archive, struct archive_entry *entry, struct file_list *list,
                      struct error *err)
{
    // The UTF-8 getter fails on invalid UTF-8, the plain one on what the locale cannot express.
    const char *path = archive_entry_pathname_utf8(entry);
    path = path == NULL ? archive_entry_pathname(entry) : path;
    const char *special = special_of(entry);
    bool is_directory = special == NULL && archive_entry_filetype(entry) == AE_IFDIR;
    if (is_directory && path != NULL && (strcmp(path, ".") == 0 || strcmp(path, "./") == 0)) {
        return 0;
    }
    struct docker_file file = {.special = special};
    int r = path == NULL ? -EINVAL : clean_path(path, &file.path);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, EBADMSG, "tar: %s", PATH_REFUSED);
    }
    list->files[list->count++] = file;
    return is_directory || special != NULL
               ? 0
               : read_content(archive, entry, list, &list->files[list->count - 1], err);
}

static int grow(struct file_list *list)
{
    // Doubles at powers of two.
    if ((list->count & (list->count - 1)) != 0) {
        return 0;
    }
    size_t size = list->count == 0 ? 1 : list->count * 2;
    struct docker_file *files = realloc(list->files, size * sizeof(*files));
    if (files == NULL) {
        return -ENOMEM;
    }
    list->files = files;
    return 0;
}

static bool has_end(const char *data, size_t length)
{
    for (size_t i = 1; i <= TAR_END_BYTES; i++) {
        if (i > length || data[length - i] != '\0') {
            return false;
        }
    }
    return true;
}

int docker_tar_read(const void *data, size_t length, struct docker_file **ret_files,
                    size_t *ret_count, struct error *err)
{
    _cleanup_(file_list_done) struct file_list list = {0};
    _cleanup_(archive_read_freep) struct archive *archive = archive_read_new();
    if (archive == NULL || archive_read_support_format_tar(archive) != ARCHIVE_OK) {
        return error_oom(err);
    }
    if (archive_read_open_memory(archive, data, length) != ARCHIVE_OK) {
        return read_error(archive, err);
    }
    for (unsigned entries = 0;; entries++) {
        struct archive_entry *entry = NULL;
        int r = archive_read_next_header(archive, &entry);
        if (r == ARCHIVE_EOF && !has_end(data, length)) {
            return read_error(archive, err);
        }
        if (r == ARCHIVE_EOF) {
            break;
        }
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN) {
            return read_error(archive, err);
        }
        if (entries == DOCKER_FILES_MAX) {
            return error_set(err, ERROR_PERMANENT, EFBIG, "tar: more than %d entries",
                             DOCKER_FILES_MAX);
        }
        if (grow(&list) < 0) {
            return error_oom(err);
        }
        r = read_entry(archive, entry, &list, err);
        if (r < 0) {
            return r;
        }
    }
    *ret_files = TAKE_PTR(list.files);
    *ret_count = list.count;
    list.count = 0;
    return 0;
}

struct tar_sink {
    struct buf tar;
    int result; // of the first append that failed
};

static void sink_done(struct tar_sink *sink)
{
    buf_done(&sink->tar);
}

// Says "written" even when it is not: libarchive 3.6 leaks its buffers after a write that failed.
static la_ssize_t sink_write(struct archive *archive, void *ctx, const void *data, size_t length)
{
    struct tar_sink *sink = ctx;
    (void)archive;
    if (sink->result == 0) {
        sink->result = buf_append(&sink->tar, data, length);
    }
    return (la_ssize_t)length;
}

static int write_error(struct archive *archive, struct error *err)
{
    const char *reason = archive_error_string(archive);
    return archive_errno(archive) == ENOMEM ? error_oom(err)
                                            : error_set(err, ERROR_PERMANENT, EINVAL, "tar: %s",
                                                        reason == NULL ? "not written" : reason);
}

static int write_entry(struct archive *archive, struct archive_entry *entry, const char *path,
                       const struct docker_file *file, time_t now)
{
    (void)archive_entry_clear(entry);
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, file == NULL ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, file == NULL ? DIRECTORY_MODE : FILE_MODE);
    archive_entry_set_size(entry, file == NULL ? 0 : (int64_t)file->length);
    archive_entry_set_mtime(entry, now, 0);
    if (archive_write_header(archive, entry) != ARCHIVE_OK) {
        return -EIO;
    }
    if (file != NULL && file->length > 0 &&
        archive_write_data(archive, file->content, file->length) != (la_ssize_t)file->length) {
        return -EIO;
    }
    return 0;
}

// Whether an earlier file led through this directory (or was it).
static bool is_written(const struct docker_file *files, size_t count, const char *directory)
{
    size_t length = strlen(directory);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(files[i].path, directory, length) == 0 &&
            (files[i].path[length] == '/' || files[i].path[length] == '\0')) {
            return true;
        }
    }
    return false;
}

// files[index] and the directories on its way that no earlier file has brought.
static int write_file(struct archive *archive, struct archive_entry *entry,
                      const struct docker_file *files, size_t index, time_t now, struct error *err)
{
    const struct docker_file *file = &files[index];
    _cleanup_free_ char *path = NULL;
    int r = clean_path(file->path, &path);
    if (r == -ENOMEM) {
        return error_oom(err);
    }
    if (r < 0 || strcmp(path, file->path) != 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "tar: %s", PATH_REFUSED);
    }
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!is_written(files, index, path) && write_entry(archive, entry, path, NULL, now) < 0) {
            return write_error(archive, err);
        }
        *slash = '/';
    }
    if (file->content == NULL && is_written(files, index, path)) {
        return 0;
    }
    r = write_entry(archive, entry, path, file->content == NULL ? NULL : file, now);
    return r < 0 ? write_error(archive, err) : 0;
}

int docker_tar_write(const struct docker_file *files, size_t count, struct buf *ret,
                     struct error *err)
{
    _cleanup_(sink_done) struct tar_sink sink = {.tar = BUF_INIT(ret->max)};
    _cleanup_(archive_entry_freep) struct archive_entry *entry = archive_entry_new();
    // Last, so that it goes first: freeing it writes to the sink.
    _cleanup_(archive_write_freep) struct archive *archive = archive_write_new();
    if (entry == NULL || archive == NULL ||
        archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK) {
        return error_oom(err);
    }
    if (archive_write_open(archive, &sink, NULL, sink_write, NULL) != ARCHIVE_OK) {
        return write_error(archive, err);
    }
    time_t now = time(NULL);
    for (size_t i = 0; i < count; i++) {
        int r = write_file(archive, entry, files, i, now, err);
        if (r < 0) {
            return r;
        }
    }
    if (archive_write_close(archive) != ARCHIVE_OK) {
        return write_error(archive, err);
    }
    if (sink.result < 0) {
        return sink.result == -ENOMEM ? error_oom(err)
                                      : error_set(err, ERROR_PERMANENT, -sink.result,
                                                  "tar: the files are too large together");
    }
    buf_done(ret);
    *ret = TAKE(sink.tar, BUF_INIT(ret->max));
    return 0;
}
