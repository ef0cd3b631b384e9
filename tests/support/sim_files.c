#include "tests/support/sim_files.h"

#include "lib/base/str.h"
#include "lib/docker/docker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TAR_MAX (4u * 1024u * 1024u)
#define STAT_MAX 512
#define MODE_DIRECTORY (1u << 31 | 0755u) // Go's fs.ModeDir
#define MODE_FILE 0644u

static size_t place_of(const struct sim_files *files, const char *path, bool *ret_found)
{
    size_t i = 0;
    int order = -1;
    while (i < files->count && (order = strcmp(files->items[i].path, path)) < 0) {
        i++;
    }
    *ret_found = i < files->count && order == 0;
    return i;
}

const struct sim_file *sim_files_get(const struct sim_files *files, const char *path)
{
    bool found = false;
    size_t i = place_of(files, path, &found);
    return found ? &files->items[i] : NULL;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? NULL : str_dup_n(path, (size_t)(slash - path));
}

// An entry of the directory came or went.
static void touch(struct sim_files *files, const char *directory)
{
    bool found = false;
    size_t i = directory == NULL ? 0 : place_of(files, directory, &found);
    if (found) {
        files->items[i].stamp = ++files->stamp;
    }
}

static struct sim_file *add(struct sim_files *files, const char *path)
{
    bool found = false;
    size_t i = place_of(files, path, &found);
    if (found) {
        return &files->items[i];
    }
    files->items = reallocarray(files->items, files->count + 1, sizeof(*files->items));
    assert_non_null(files->items);
    memmove(files->items + i + 1, files->items + i, (files->count - i) * sizeof(*files->items));
    files->items[i] = (struct sim_file){.path = str_dup(path)};
    assert_non_null(files->items[i].path);
    files->count++;
    return &files->items[i];
}

void sim_files_write(struct sim_files *files, const char *path, const char *content)
{
    _cleanup_free_ char *parent = parent_of(path);
    if (parent != NULL && sim_files_get(files, parent) == NULL) {
        sim_files_write(files, parent, NULL);
    }
    const struct sim_file *before = sim_files_get(files, path);
    if (before != NULL && content == NULL) {
        return;
    }
    if (before == NULL) {
        touch(files, parent);
    }
    struct sim_file *file = add(files, path);
    assert_int_equal(str_replace(&file->content, content), 0);
    file->stamp = ++files->stamp;
}

static bool is_below(const char *path, const char *directory)
{
    return str_starts_with(path, directory) && path[strlen(directory)] == '/';
}

static void drop(struct sim_files *files, size_t i)
{
    free(files->items[i].path);
    free(files->items[i].content);
    files->count--;
    memmove(files->items + i, files->items + i + 1, (files->count - i) * sizeof(*files->items));
}

void sim_files_remove(struct sim_files *files, const char *path)
{
    bool found = false;
    size_t i = place_of(files, path, &found);
    if (found && (i + 1 == files->count || !is_below(files->items[i + 1].path, path))) {
        _cleanup_free_ char *parent = parent_of(path);
        drop(files, i);
        touch(files, parent);
    }
}

void sim_files_remove_tree(struct sim_files *files, const char *path)
{
    for (size_t i = files->count; i-- > 0;) {
        if (is_below(files->items[i].path, path)) {
            drop(files, i);
        }
    }
    sim_files_remove(files, path);
}

void sim_files_done(struct sim_files *files)
{
    while (files->count > 0) {
        drop(files, files->count - 1);
    }
    free(files->items);
    *files = (struct sim_files){0};
}

// ---- requests ----

static char *base64(const char *s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    size_t length = strlen(s);
    char *text = malloc((length + 2) / 3 * 4 + 1);
    assert_non_null(text);
    char *out = text;
    for (size_t i = 0; i < length; i += 3) {
        size_t rest = length - i;
        unsigned bits = (unsigned)(unsigned char)s[i] << 16;
        bits |= rest > 1 ? (unsigned)(unsigned char)s[i + 1] << 8 : 0;
        bits |= rest > 2 ? (unsigned char)s[i + 2] : 0;
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = digits[rest > 1 ? bits >> 6 & 63 : 64];
        *out++ = digits[rest > 2 ? bits & 63 : 64];
    }
    *out = '\0';
    return text;
}

// The entry that the query names; a missing one is refused.
static const struct sim_file *named(const struct sim_files *files, struct sim_exchange *x)
{
    _cleanup_free_ char *path = sim_exchange_query(x, "path");
    assert_non_null(path);
    const struct sim_file *file = sim_files_get(files, path);
    if (file == NULL) {
        sim_exchange_refuse(x, 404, "Could not find the file %s in container %s", path, x->name);
    }
    return file;
}

void sim_files_stat(const struct sim_files *files, struct sim_exchange *x)
{
    const struct sim_file *file = named(files, x);
    if (file == NULL) {
        return;
    }
    char stat[STAT_MAX];
    bool directory = file->content == NULL;
    (void)snprintf(stat, sizeof(stat),
                   "{\"name\":\"%s\",\"size\":%zu,\"mode\":%u,"
                   "\"mtime\":\"2026-01-01T00:00:00.%09uZ\",\"linkTarget\":\"\"}",
                   strrchr(file->path, '/') + 1, directory ? 4096 : strlen(file->content),
                   directory ? MODE_DIRECTORY : MODE_FILE, file->stamp);
    _cleanup_free_ char *encoded = base64(stat);
    x->reply->status = 200;
    x->reply->headers = str_printf("X-Docker-Container-Path-Stat: %s\r\n", encoded);
    assert_non_null(x->reply->headers);
}

void sim_files_pack(const struct sim_files *files, struct sim_exchange *x)
{
    const struct sim_file *top = named(files, x);
    if (top == NULL) {
        return;
    }
    size_t skip = (size_t)(strrchr(top->path, '/') - top->path) + 1;
    struct docker_file *packed = calloc(files->count, sizeof(*packed));
    assert_non_null(packed);
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct sim_file *file = &files->items[i];
        if (file == top || is_below(file->path, top->path)) {
            packed[count++] = (struct docker_file){
                .path = file->path + skip,
                .content = file->content,
                .length = file->content == NULL ? 0 : strlen(file->content),
            };
        }
    }
    struct buf tar = BUF_INIT(TAR_MAX);
    assert_int_equal(docker_tar_write(packed, count, &tar, NULL), 0);
    free(packed); // its strings are the files'
    x->reply->status = 200;
    x->reply->length = tar.length;
    x->reply->body = buf_take(&tar);
}

void sim_files_unpack(struct sim_files *files, struct sim_exchange *x)
{
    const struct sim_file *top = named(files, x);
    if (top == NULL) {
        return;
    }
    _cleanup_free_ char *directory = str_dup(top->path);
    struct docker_file *packed = NULL;
    size_t count = 0;
    assert_int_equal(
        docker_tar_read(x->request->body, x->request->body_length, &packed, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, packed[i].path);
        assert_non_null(path);
        sim_files_write(files, path, packed[i].content);
    }
    docker_files_free(packed, count);
    x->reply->status = 200;
}
