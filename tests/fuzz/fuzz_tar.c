// A tar body as a container brings it. What is accepted stays below where it is put, within the
// bounds, and is written again to a body that brings the same files. Each input is read twice: as
// it is, and with the headers' checksums made right, which no mutation does.
#include "lib/docker/docker_tar.h"

#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#define CONTENTS_BYTES_MAX (16u * 1024u * 1024u)
#define TAR_BYTES_MAX (32u * 1024u * 1024u)
#define PATH_BYTES_MAX 4096

struct files {
    struct docker_file *items;
    size_t count;
};

static void files_done(struct files *files)
{
    docker_files_free(files->items, files->count);
}

static void check_path(const char *path)
{
    size_t length = strlen(path);
    MUST(length > 0 && length < PATH_BYTES_MAX);
    for (const char *part = path;; part += strcspn(part, "/") + 1) {
        size_t part_length = strcspn(part, "/");
        MUST(part_length > 0); // hence neither absolute nor with a slash at its end
        MUST(!(part_length == 1 && part[0] == '.'));
        MUST(!(part_length == 2 && part[0] == '.' && part[1] == '.'));
        if (part[part_length] == '\0') {
            return;
        }
    }
}

static void check_files(const struct files *files)
{
    size_t contents = 0;
    MUST(files->count <= DOCKER_FILES_MAX);
    for (size_t i = 0; i < files->count; i++) {
        const struct docker_file *file = &files->items[i];
        check_path(file->path);
        MUST(file->content != NULL || file->length == 0);
        MUST(file->content == NULL || file->content[file->length] == '\0');
        MUST(file->length <= DOCKER_FILE_BYTES_MAX);
        contents += file->length;
    }
    MUST(contents <= CONTENTS_BYTES_MAX);
}

// Directories apart: those on the way to the files are added.
static void check_same_contents(const struct files *a, const struct files *b)
{
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct docker_file *one = &a->items[i];
        if (one->content == NULL) {
            continue;
        }
        while (at < b->count && b->items[at].content == NULL) {
            at++;
        }
        MUST(at < b->count);
        const struct docker_file *other = &b->items[at++];
        MUST(str_equal(one->path, other->path) && one->length == other->length);
        MUST(memcmp(one->content, other->content, one->length) == 0);
    }
}

static int read_tar(const void *data, size_t size, struct files *ret, struct error *err)
{
    int r = docker_tar_read(data, size, NULL, &ret->items, &ret->count, err);
    MUST(r <= 0);
    if (r < 0) {
        MUST(r == -err->code);
        must_explain(err);
        MUST(ret->items == NULL);
        return r;
    }
    check_files(ret);
    return 0;
}

// https://www.gnu.org/software/tar/manual/html_node/Standard.html
#define BLOCK_BYTES 512
#define MAGIC_OFFSET 257
#define CHECKSUM_OFFSET 148
#define CHECKSUM_BYTES 8

static void repair_checksum(unsigned char *header)
{
    char text[CHECKSUM_BYTES];
    unsigned sum = 0;
    memset(header + CHECKSUM_OFFSET, ' ', CHECKSUM_BYTES);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        sum += header[i];
    }
    (void)snprintf(text, sizeof(text), "%06o", sum);
    memcpy(header + CHECKSUM_OFFSET, text, strlen(text) + 1);
}

static void repair_checksums(unsigned char *tar, size_t size)
{
    for (size_t at = 0; at + BLOCK_BYTES <= size; at += BLOCK_BYTES) {
        if (memcmp(tar + at + MAGIC_OFFSET, "ustar", strlen("ustar")) == 0) {
            repair_checksum(tar + at);
        }
    }
}

static void check_tar(const void *data, size_t size)
{
    _cleanup_(files_done) struct files files = {0};
    _cleanup_(files_done) struct files again = {0};
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_BYTES_MAX);
    struct error err = {0};
    if (read_tar(data, size, &files, &err) < 0) {
        return;
    }
    MUST(docker_tar_write(files.items, files.count, &tar, &err) == 0);
    // The directories on the way to the files may make more than are taken.
    if (read_tar(buf_str(&tar), tar.length, &again, &err) == 0) {
        check_same_contents(&files, &again);
    } else {
        MUST(files.count > DOCKER_FILES_MAX / 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *repaired = str_dup_n((const char *)data, size);
    repair_checksums((unsigned char *)repaired, size);
    check_tar(data, size);
    check_tar(repaired, size);
    return 0;
}
