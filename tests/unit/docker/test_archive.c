// Files in a container: the requests, and the tar bodies. What is written reads back the same, and
// what a container may send is checked.
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "tests/support/docker_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define TAR_MAX (32u * 1024u * 1024u)
#define REFUSED "tar: a path is absolute, empty, too long or has a .. in it"

// ---- bodies

struct files {
    struct docker_file *items;
    size_t count;
};

static void files_done(struct files *files)
{
    docker_files_free(files->items, files->count);
}
#define _cleanup_files_ _cleanup_(files_done)

static int read_tar(const void *data, size_t length, docker_select_fn wanted, struct files *ret,
                    struct error *err)
{
    return docker_tar_read(data, length, wanted, &ret->items, &ret->count, err);
}

struct member {
    const char *path;
    mode_t type; // 0: AE_IFREG
    const char *content;
    const char *hardlink;
};

static struct buf tar_of(const struct member *members, size_t count)
{
    struct buf tar = BUF_INIT(TAR_MAX);
    tar.data = xmalloc(TAR_MAX);
    struct archive *archive = archive_write_new();
    assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY"),
                     ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(archive, tar.data, TAR_MAX, &tar.length),
                     ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        const struct member *member = &members[i];
        size_t length = member->content == NULL ? 0 : strlen(member->content);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, member->path);
        archive_entry_set_filetype(entry, member->type == 0 ? AE_IFREG : member->type);
        archive_entry_set_size(entry, (int64_t)length);
        if (member->hardlink != NULL) {
            archive_entry_set_hardlink(entry, member->hardlink);
        }
        if (member->type == AE_IFLNK) {
            archive_entry_set_symlink(entry, "/etc/shadow");
        }
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(archive, member->content, length), length);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    return tar;
}

static void test_round_trip(_unused_ void **state)
{
    char long_path[300] = "";
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[100] = '/';
    struct docker_file files[] = {
        {.path = (char[]){"certs.d/localhost:5000/hosts.toml"}, (char[]){"server"}, 6, NULL},
        {.path = (char[]){"certs.d/localhost:5002/hosts.toml"}, (char[]){"a\0b"}, 3, NULL},
        {.path = (char[]){"certs.d/localhost:5002/empty"}, (char[]){""}, 0, NULL},
        {.path = (char[]){"directory"}, NULL, 0, NULL},
        {.path = long_path, (char[]){"server"}, 6, NULL},
        {.path = (char[]){"\xc3\xbc\xff"}, (char[]){"s"}, 1, NULL},
    };
    static const struct {
        const char *path;
        int file; // of the above; -1: a directory on the way
    } expected[] = {
        {"certs.d", -1},
        {"certs.d/localhost:5000", -1},
        {"certs.d/localhost:5000/hosts.toml", 0},
        {"certs.d/localhost:5002", -1},
        {"certs.d/localhost:5002/hosts.toml", 1},
        {"certs.d/localhost:5002/empty", 2},
        {"directory", 3},
        {NULL, -1}, // the long one's
        {NULL, 4},
        {"\xc3\xbc\xff", 5},
    };
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_MAX);
    assert_int_equal(docker_tar_write(files, ELEMENTS(files), &tar, NULL), 0);
    assert_int_equal(tar.length % 512, 0);
    _cleanup_files_ struct files read = {0};
    assert_int_equal(read_tar(tar.data, tar.length, NULL, &read, NULL), 0);
    assert_int_equal(read.count, ELEMENTS(expected));
    for (size_t i = 0; i < read.count; i++) {
        const struct docker_file none = {0};
        const struct docker_file *file = expected[i].file < 0 ? &none : &files[expected[i].file];
        assert_true(expected[i].path == NULL || str_equal(read.items[i].path, expected[i].path));
        assert_int_equal(read.items[i].length, file->length);
        assert_true((read.items[i].content == NULL) == (file->content == NULL));
        assert_true(file->length == 0 ||
                    memcmp(read.items[i].content, file->content, file->length + 1) == 0);
    }
    assert_string_equal(read.items[8].path, long_path);
}

// What the engine will unpack: modes, owner and a time of now.
static void test_attributes(_unused_ void **state)
{
    const struct docker_file files[] = {{(char[]){"a/b"}, (char[]){"x"}, 1, NULL, false},
                                        {(char[]){"a/c"}, (char[]){"x"}, 1, NULL, true}};
    static const struct {
        const char *path;
        mode_t mode;
    } expected[] = {{"a/", AE_IFDIR | 0755}, {"a/b", AE_IFREG | 0644}, {"a/c", AE_IFREG | 0600}};
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_MAX);
    time_t before = time(NULL);
    assert_int_equal(docker_tar_write(files, ELEMENTS(files), &tar, NULL), 0);
    struct archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, tar.data, tar.length), ARCHIVE_OK);
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        assert_string_equal(archive_entry_pathname(entry), expected[i].path);
        assert_int_equal(archive_entry_mode(entry), expected[i].mode);
        assert_int_equal(archive_entry_uid(entry) + archive_entry_gid(entry), 0);
        assert_in_range(archive_entry_mtime(entry), before, time(NULL));
    }
    assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
    (void)archive_read_free(archive);
}

static void test_write_refuses(_unused_ void **state)
{
    char paths[][8] = {"/a", "../a", "a/../b", "a/..", "", ".", "./a", "a//b", "a/"};
    struct error err;
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        const struct docker_file file = {paths[i], (char[]){"x"}, 1, NULL, false};
        struct buf tar = BUF_INIT(TAR_MAX);
        assert_int_equal(docker_tar_write(&file, 1, &tar, &err), -EINVAL);
        assert_string_equal(err.text, REFUSED);
        assert_int_equal(docker_archive_put(docker_test.docker, "node", "/etc", &file, 1,
                                            outcome_done, NULL, &err),
                         -EINVAL);
        assert_string_equal(err.text, "engine: write below /etc in container node: " REFUSED);
    }
    const struct docker_file file = {(char[]){"a"}, (char[]){"x"}, 1, NULL, false};
    struct buf small = BUF_INIT(600);
    assert_int_equal(docker_tar_write(&file, 1, &small, &err), -EFBIG);
    assert_string_equal(err.text, "tar: more than 600 bytes");
    assert_int_equal(err.kind, ERROR_PERMANENT);
}

static void refuses(const struct member *members, size_t count, int code, const char *text)
{
    _cleanup_buf_ struct buf tar = tar_of(members, count);
    _cleanup_files_ struct files files = {0};
    struct error err;
    assert_int_equal(read_tar(tar.data, tar.length, NULL, &files, &err), -code);
    assert_string_equal(err.text, text);
    assert_null(files.items);
}

static void test_read_refuses(_unused_ void **state)
{
    static const char *const paths[] = {"../shadow", "a/../../b", "a/..", "..", "/etc/passwd"};
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        const struct member members[] = {{"fine", 0, "x", NULL}, {paths[i], 0, "y", NULL}};
        refuses(members, ELEMENTS(members), EBADMSG, REFUSED);
    }
    refuses(&(struct member){"../link", AE_IFLNK, NULL, NULL}, 1, EBADMSG, REFUSED);
    refuses(&(struct member){"./.", 0, "x", NULL}, 1, EBADMSG, REFUSED);
    char path[5001] = "";
    memset(path, 'p', sizeof(path) - 1);
    refuses(&(struct member){path, 0, "x", NULL}, 1, EBADMSG, REFUSED);

    _cleanup_free_ char *content = xcalloc(1, DOCKER_FILE_BYTES_MAX + 2);
    memset(content, 'x', DOCKER_FILE_BYTES_MAX + 1);
    refuses(&(struct member){"a", 0, content, NULL}, 1, EFBIG,
            "tar: more than 1048576 bytes of a file");
    content[DOCKER_FILE_BYTES_MAX] = '\0';
    static struct member members[DOCKER_FILES_MAX + 1];
    for (size_t i = 0; i < ELEMENTS(members); i++) {
        members[i] = (struct member){"a", 0, i < 17 ? content : "x", NULL};
    }
    refuses(members, 17, EFBIG, "tar: more than 16777216 bytes of files");
    members[0].content = members[1].content = "x";
    refuses(members, ELEMENTS(members), EFBIG, "tar: more than 1024 entries");
}

static bool is_toml(const char *path)
{
    return str_ends_with(path, ".toml");
}

// Nothing is followed; what is not wanted counts for nothing, however large or many.
static void test_read(_unused_ void **state)
{
    _cleanup_free_ char *large = xcalloc(1, DOCKER_FILE_BYTES_MAX + 2);
    memset(large, 'x', DOCKER_FILE_BYTES_MAX + 1);
    static struct member members[DOCKER_FILES_MAX + 10] = {
        {"./", AE_IFDIR, NULL, NULL},        {"d.toml/", AE_IFDIR, NULL, NULL},
        {"./a//f.toml", 0, "x", NULL},       {"..a/b...toml", 0, "y", NULL},
        {"link.toml", AE_IFLNK, NULL, NULL}, {"disk.toml", AE_IFBLK, NULL, NULL},
        {"fifo.toml", AE_IFIFO, NULL, NULL}, {"hard.toml", 0, NULL, "a/f.toml"},
    };
    static const struct {
        const char *path;
        const char *content;
        const char *special;
    } expected[] = {
        {"d.toml", NULL, NULL},
        {"a/f.toml", "x", NULL},
        {"..a/b...toml", "y", NULL},
        {"link.toml", NULL, "a symbolic link"},
        {"disk.toml", NULL, "a device"},
        {"fifo.toml", NULL, "a pipe"},
        {"hard.toml", NULL, "a hard link"},
    };
    for (size_t i = ELEMENTS(expected) + 1; i < ELEMENTS(members); i++) {
        members[i] = (struct member){"junk", 0, i == 8 ? large : "x", NULL};
    }
    _cleanup_buf_ struct buf tar = tar_of(members, ELEMENTS(members));
    _cleanup_files_ struct files files = {0};
    assert_int_equal(read_tar(tar.data, tar.length, is_toml, &files, NULL), 0);
    assert_int_equal(files.count, ELEMENTS(expected));
    for (size_t i = 0; i < files.count; i++) {
        assert_string_equal(files.items[i].path, expected[i].path);
        assert_true(str_equal(files.items[i].content, expected[i].content));
        assert_true(str_equal(files.items[i].special, expected[i].special));
    }
}

// Cut at every byte, a tar is refused unless its end is there.
static void test_truncated(_unused_ void **state)
{
    size_t length = 0;
    _cleanup_free_ char *tar = fixture_read("archive.tar", &length);
    size_t end = length;
    while (end > 0 && tar[end - 1] == '\0') {
        end--;
    }
    for (size_t cut = 0; cut <= length; cut++) {
        // A copy of its own, so that reading beyond its end shows.
        _cleanup_free_ char *part = xmalloc(cut + 1);
        memcpy(part, tar, cut);
        _cleanup_files_ struct files files = {0};
        struct error err = {0};
        int r = read_tar(part, cut, NULL, &files, &err);
        assert_int_equal(r, err.code == 0 ? 0 : -EBADMSG);
        assert_int_equal(files.count, r == 0 ? 3 : 0);
        assert_true(r == 0 ? cut >= end + 1024 : cut < length);
    }
}

// ---- requests

struct told {
    unsigned calls;
    struct error err;
    char stamp[256]; // "-": none
    size_t count;    // of files
};

static void on_stamp(void *ctx, const char *stamp, const struct error *err)
{
    struct told *told = ctx;
    *told = (struct told){.calls = told->calls + 1, .err = err == NULL ? (struct error){0} : *err};
    (void)snprintf(told->stamp, sizeof(told->stamp), "%s", stamp == NULL ? "-" : stamp);
}

static void on_files(void *ctx, const struct docker_file *files, size_t count,
                     const struct error *err)
{
    struct told *told = ctx;
    assert_true(err == NULL || files == NULL);
    on_stamp(ctx, count > 0 ? files[count - 1].path : NULL, err);
    told->count = count;
}

static void test_stamp(_unused_ void **state)
{
    static const struct {
        int status;
        const char *headers;
        const char *stamp;
        const char *text;
    } table[] = {
        {200, "X-Docker-Container-Path-Stat: eyJuYW1lIjoiY29uZmlnLnltbCJ9\r\n",
         "eyJuYW1lIjoiY29uZmlnLnltbCJ9", ""},
        {404, NULL, "-", ""},
        {200, NULL, "-",
         "engine: look at /etc/a b in container node: the answer has no "
         "X-Docker-Container-Path-Stat"},
        {500, NULL, "-", "engine: look at /etc/a b in container node (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct told told = {0};
        const struct fake_answer answer = {.status = table[i].status, .headers = table[i].headers};
        fake_transport_answer(docker_test.fake, &answer);
        assert_int_equal(
            docker_path_stamp(docker_test.docker, "node", "/etc/a b", on_stamp, &told, NULL), 0);
        assert_int_equal(fake_transport_last(docker_test.fake)->method, HTTP_HEAD);
        assert_string_equal(fake_transport_last(docker_test.fake)->path,
                            "/v1.41/containers/node/archive?path=%2Fetc%2Fa%20b");
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        assert_int_equal(told.calls, 1);
        assert_string_equal(told.err.text, table[i].text);
        assert_string_equal(told.stamp, table[i].stamp);
    }
}

#define READ "engine: read /etc/docker in container node: "

static void test_get(_unused_ void **state)
{
    size_t length = 0;
    _cleanup_free_ char *tar = fixture_read("archive.tar", &length);
    const struct {
        struct fake_answer answer;
        size_t count;
        const char *text;
    } table[] = {
        {{.status = 200, .body = tar, .length = length}, 3, ""},
        {{.status = 404, .body = "{\"message\":\"not there\"}"}, 0, READ "not there (HTTP 404)"},
        {{.status = 200, .body = tar, .length = 1200}, 0, READ "tar: Truncated tar archive"},
        {{.status = 200}, 0, READ "tar: Unrecognized archive format"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct told told = {0};
        fake_transport_answer(docker_test.fake, &table[i].answer);
        assert_int_equal(docker_archive_get(docker_test.docker, "node", "/etc/docker", NULL,
                                            on_files, &told, NULL),
                         0);
        assert_string_equal(fake_transport_last(docker_test.fake)->path,
                            "/v1.41/containers/node/archive?path=%2Fetc%2Fdocker");
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        assert_int_equal(told.calls, 1);
        assert_string_equal(told.err.text, table[i].text);
        assert_int_equal(told.count, table[i].count);
        assert_string_equal(told.stamp, told.count == 0 ? "-" : "docker/registry/config.yml");
    }
}

static void test_put(_unused_ void **state)
{
    const struct docker_file file = {(char[]){"certs.d/hosts.toml"}, (char[]){"x"}, 1, NULL, false};
    static const char missing[] =
        "engine: write below /etc/containerd in container node: no such path (HTTP 404)";
    for (int i = 0; i < 2; i++) {
        struct outcome outcome = {0};
        fake_transport_reply(docker_test.fake, i == 0 ? 200 : 404,
                             "{\"message\":\"no such path\"}");
        assert_int_equal(docker_archive_put(docker_test.docker, "node", "/etc/containerd", &file, 1,
                                            outcome_done, &outcome, NULL),
                         0);
        const struct fake_request *sent = fake_transport_last(docker_test.fake);
        assert_int_equal(sent->method, HTTP_PUT);
        assert_string_equal(sent->path, "/v1.41/containers/node/archive?path=%2Fetc%2Fcontainerd"
                                        "&noOverwriteDirNonDir=true");
        assert_string_equal(sent->content_type, "application/x-tar");
        _cleanup_files_ struct files files = {0};
        assert_int_equal(read_tar(sent->body, sent->body_length, NULL, &files, NULL), 0);
        assert_int_equal(files.count, 2);
        assert_string_equal(files.items[1].path, "certs.d/hosts.toml");
        assert_string_equal(files.items[1].content, "x");
        assert_int_equal(fake_transport_run(docker_test.fake), 1);
        outcome_is(&outcome, i == 0 ? "" : missing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_attributes),
        WITH_DOCKER(test_write_refuses),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_truncated),
        WITH_DOCKER(test_stamp),
        WITH_DOCKER(test_get),
        WITH_DOCKER(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
