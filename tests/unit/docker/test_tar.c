// The tar bodies: what is written reads back the same, and what a container may send is checked.
#include "lib/base/str.h"
#include "lib/docker/docker.h"
#include "tests/support/docker_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define TAR_MAX (32u * 1024u * 1024u)
#define REFUSED "tar: a path is absolute, empty, too long or has a .. in it"

struct member {
    const char *path;
    mode_t type; // 0: AE_IFREG
    const char *content;
    const char *hardlink;
};

static void write_members(const struct member *members, size_t count, struct buf *tar)
{
    struct archive *archive = archive_write_new();
    assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_option(archive, "pax", "hdrcharset", "BINARY"),
                     ARCHIVE_OK);
    _cleanup_free_ char *space = malloc(TAR_MAX);
    assert_non_null(space);
    size_t used = 0;
    assert_int_equal(archive_write_open_memory(archive, space, TAR_MAX, &used), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        size_t length = members[i].content == NULL ? 0 : strlen(members[i].content);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, members[i].path);
        archive_entry_set_filetype(entry, members[i].type == 0 ? AE_IFREG : members[i].type);
        archive_entry_set_perm(entry, 0600);
        archive_entry_set_size(entry, (int64_t)length);
        if (members[i].hardlink != NULL) {
            archive_entry_set_hardlink(entry, members[i].hardlink);
        }
        if (members[i].type == AE_IFLNK) {
            archive_entry_set_symlink(entry, "/etc/shadow");
        }
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        if (length > 0) {
            assert_int_equal(archive_write_data(archive, members[i].content, length), length);
        }
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    *tar = BUF_INIT(TAR_MAX);
    assert_int_equal(buf_append(tar, space, used), 0);
}

static void test_round_trip(void **state)
{
    (void)state;
    char long_path[300];
    memset(long_path, 'x', sizeof(long_path));
    long_path[100] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    char paths[][64] = {"certs.d/localhost:5000/hosts.toml",
                        "certs.d/localhost:5002/hosts.toml",
                        "certs.d/localhost:5002/empty",
                        "directory",
                        "certs.d",
                        "\xc3\xbc\xff"};
    char binary[] = "a\0b";
    char text[] = "server = \"http://hostk8s-registry:5000\"\n";
    char empty[] = "";
    const struct docker_file files[] = {
        {.path = paths[0], .content = text, .length = sizeof(text) - 1},
        {.path = paths[1], .content = binary, .length = 3},
        {.path = paths[2], .content = empty, .length = 0},
        {.path = paths[3], .content = NULL, .length = 0},
        {.path = paths[4], .content = NULL, .length = 0}, // was on the way of the first
        {.path = long_path, .content = text, .length = sizeof(text) - 1},
        {.path = paths[5], .content = text, .length = 1},
    };
    static const struct {
        const char *path;
        size_t length;
        bool directory;
    } expected[] = {
        {"certs.d", 0, true},
        {"certs.d/localhost:5000", 0, true},
        {"certs.d/localhost:5000/hosts.toml", sizeof(text) - 1, false},
        {"certs.d/localhost:5002", 0, true},
        {"certs.d/localhost:5002/hosts.toml", 3, false},
        {"certs.d/localhost:5002/empty", 0, false},
        {"directory", 0, true},
        {NULL, 0, true},
        {NULL, sizeof(text) - 1, false},
        {"\xc3\xbc\xff", 1, false},
    };
    struct error err;
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_MAX);
    assert_int_equal(docker_tar_write(files, ELEMENTS(files), &tar, &err), 0);
    assert_int_equal(tar.length % 512, 0);

    struct docker_file *read = NULL;
    size_t count = 0;
    assert_int_equal(docker_tar_read(tar.data, tar.length, &read, &count, &err), 0);
    assert_int_equal(count, ELEMENTS(expected));
    for (size_t i = 0; i < count; i++) {
        if (expected[i].path != NULL) {
            assert_string_equal(read[i].path, expected[i].path);
        }
        assert_int_equal(read[i].length, expected[i].length);
        assert_int_equal(read[i].content == NULL, expected[i].directory);
    }
    assert_string_equal(read[2].content, text);
    assert_memory_equal(read[4].content, binary, sizeof(binary));
    assert_string_equal(read[8].path, long_path);
    docker_files_free(read, count);
}

// What the engine will unpack: modes, owner and a time of now.
static void test_attributes(void **state)
{
    (void)state;
    char path[] = "a/b";
    char content[] = "x";
    const struct docker_file file = {.path = path, .content = content, .length = 1};
    struct error err;
    _cleanup_buf_ struct buf tar = BUF_INIT(TAR_MAX);
    time_t before = time(NULL);
    assert_int_equal(docker_tar_write(&file, 1, &tar, &err), 0);

    struct archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, tar.data, tar.length), ARCHIVE_OK);
    static const struct {
        const char *path;
        mode_t mode;
    } expected[] = {{"a/", AE_IFDIR | 0755}, {"a/b", AE_IFREG | 0644}};
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        assert_string_equal(archive_entry_pathname(entry), expected[i].path);
        assert_int_equal(archive_entry_mode(entry), expected[i].mode);
        assert_int_equal(archive_entry_uid(entry), 0);
        assert_int_equal(archive_entry_gid(entry), 0);
        assert_true(archive_entry_mtime(entry) >= before);
        assert_true(archive_entry_mtime(entry) <= time(NULL));
    }
    assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
    (void)archive_read_free(archive);
}

static void test_write_refuses(void **state)
{
    (void)state;
    char paths[][16] = {"/a", "../a", "a/../b", "a/..", "", ".", "./a", "a//b", "a/"};
    char content[] = "0123456789";
    struct error err;
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        const struct docker_file file = {.path = paths[i], .content = content, .length = 1};
        _cleanup_buf_ struct buf tar = BUF_INIT(TAR_MAX);
        assert_int_equal(docker_tar_write(&file, 1, &tar, &err), -EINVAL);
        assert_string_equal(err.text, REFUSED);
        assert_int_equal(tar.length, 0);
    }
    char path[] = "a";
    const struct docker_file file = {.path = path, .content = content, .length = 10};
    _cleanup_buf_ struct buf small = BUF_INIT(600);
    assert_int_equal(docker_tar_write(&file, 1, &small, &err), -EFBIG);
    assert_string_equal(err.text, "tar: the files are too large together");
    assert_int_equal(err.kind, ERROR_PERMANENT);
    assert_int_equal(small.length, 0);
}

static void read_one(const struct member *members, size_t count, int code, const char *text)
{
    struct buf tar;
    write_members(members, count, &tar);
    struct docker_file *files = NULL;
    size_t files_count = 0;
    struct error err;
    assert_int_equal(docker_tar_read(tar.data, tar.length, &files, &files_count, &err), -code);
    assert_string_equal(err.text, text);
    assert_null(files);
    buf_done(&tar);
}

static void test_read_refuses(void **state)
{
    (void)state;
    static const char *const paths[] = {"../shadow", "a/../../b",   "a/..",
                                        "..",        "/etc/passwd", "//a"};
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        const struct member members[] = {{.path = "fine", .content = "x"},
                                         {.path = paths[i], .content = "y"}};
        read_one(members, ELEMENTS(members), EBADMSG, REFUSED);
    }
    const struct member above = {.path = "a/../b", .type = AE_IFDIR};
    read_one(&above, 1, EBADMSG, REFUSED);

    _cleanup_free_ char *deep = malloc(5001);
    assert_non_null(deep);
    memset(deep, 'x', 5000);
    deep[5000] = '\0';
    const struct member longest = {.path = deep};
    read_one(&longest, 1, EBADMSG, REFUSED);
}

// Nothing is read through what is no regular file.
static void test_read_kinds(void **state)
{
    (void)state;
    static const struct member members[] = {
        {.path = "./", .type = AE_IFDIR},     {.path = "./a/./b//", .type = AE_IFDIR},
        {.path = "a/link", .type = AE_IFLNK}, {.path = "a/null", .type = AE_IFCHR},
        {.path = "a/disk", .type = AE_IFBLK}, {.path = "a/fifo", .type = AE_IFIFO},
        {.path = "a/b/f", .content = "x"},    {.path = "a/hard", .hardlink = "a/b/f"},
        {.path = "..a/b..", .content = "y"},
    };
    static const struct {
        const char *path;
        const char *content;
        const char *special;
    } expected[] = {
        {"a/b", NULL, NULL},
        {"a/link", NULL, "a symbolic link"},
        {"a/null", NULL, "a device"},
        {"a/disk", NULL, "a device"},
        {"a/fifo", NULL, "a pipe"},
        {"a/b/f", "x", NULL},
        {"a/hard", NULL, "a hard link"},
        {"..a/b..", "y", NULL},
    };
    struct buf tar;
    write_members(members, ELEMENTS(members), &tar);
    struct docker_file *files = NULL;
    size_t count = 0;
    struct error err;
    assert_int_equal(docker_tar_read(tar.data, tar.length, &files, &count, &err), 0);
    assert_int_equal(count, ELEMENTS(expected));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(files[i].path, expected[i].path);
        assert_true(str_equal(files[i].content, expected[i].content));
        assert_true(str_equal(files[i].special, expected[i].special));
    }
    docker_files_free(files, count);
    buf_done(&tar);
    static const struct member above = {.path = "../link", .type = AE_IFLNK};
    read_one(&above, 1, EBADMSG, REFUSED);
}

static void test_read_bounds(void **state)
{
    (void)state;
    _cleanup_free_ char *content = malloc(DOCKER_FILE_BYTES_MAX + 2);
    assert_non_null(content);
    memset(content, 'x', DOCKER_FILE_BYTES_MAX + 1);
    content[DOCKER_FILE_BYTES_MAX + 1] = '\0';
    const struct member large = {.path = "a", .content = content};
    read_one(&large, 1, EFBIG, "tar: a file of more than 1048576 bytes");

    content[DOCKER_FILE_BYTES_MAX] = '\0';
    struct member largest[17];
    for (size_t i = 0; i < ELEMENTS(largest); i++) {
        largest[i] = (struct member){.path = "a", .content = content};
    }
    read_one(largest, ELEMENTS(largest), EFBIG, "tar: files of more than 16777216 bytes in all");

    struct member many[DOCKER_FILES_MAX + 1];
    for (size_t i = 0; i < ELEMENTS(many); i++) {
        many[i] = (struct member){.path = "link", .type = AE_IFLNK};
    }
    read_one(many, ELEMENTS(many), EFBIG, "tar: more than 1024 entries");
    for (size_t i = 0; i < ELEMENTS(many); i++) {
        many[i] = (struct member){.path = "a", .content = "x"};
    }
    read_one(many, ELEMENTS(many), EFBIG, "tar: more than 1024 entries");

    struct buf tar;
    write_members(many, DOCKER_FILES_MAX, &tar);
    struct docker_file *files = NULL;
    size_t count = 0;
    struct error err;
    assert_int_equal(docker_tar_read(tar.data, tar.length, &files, &count, &err), 0);
    assert_int_equal(count, DOCKER_FILES_MAX);
    docker_files_free(files, count);
    buf_done(&tar);
}

// Cut at every byte, a tar is refused unless its end is there.
static void test_truncated(void **state)
{
    (void)state;
    size_t length = 0;
    _cleanup_free_ char *tar = fixture_read("archive.tar", &length);
    size_t end = length;
    while (end > 0 && tar[end - 1] == '\0') {
        end--;
    }
    for (size_t cut = 0; cut <= length; cut++) {
        // A copy of its own, so that reading beyond its end shows.
        _cleanup_free_ char *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, tar, cut);
        struct docker_file *files = NULL;
        size_t count = 0;
        struct error err;
        int r = docker_tar_read(part, cut, &files, &count, &err);
        if (r < 0) {
            assert_int_equal(r, -EBADMSG);
            assert_int_equal(err.kind, ERROR_TRANSIENT);
            assert_true(str_starts_with(err.text, "tar: "));
            assert_null(files);
        } else {
            assert_true(cut >= end + 1024);
            assert_int_equal(count, 3);
        }
        assert_true(r == 0 || cut < length);
        docker_files_free(files, count);
    }
}

static void test_not_a_tar(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{\"message\":\"no\"}", "\x1f\x8b\x08"};
    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        struct docker_file *files = NULL;
        size_t count = 0;
        struct error err;
        assert_int_equal(docker_tar_read(bodies[i], strlen(bodies[i]), &files, &count, &err),
                         -EBADMSG);
    }
    docker_files_free(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_write_refuses), cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_read_kinds),    cmocka_unit_test(test_read_bounds),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_not_a_tar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
